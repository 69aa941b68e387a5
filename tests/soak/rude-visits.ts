import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { HpackEncoder } from '../bench/hpack.ts';
import { FLAG, FRAME, frame, greeting } from '../bench/http2-frames.ts';
import { callHeaders, encodeReceiveRequest, type FilterText } from '../bench/requests.ts';
import { SendRequestTemplate } from '../bench/send-template.ts';
import { EMPTY, type Place, SENT, type Visit } from './visit.ts';

const CANCEL = 8;
const BODY_BYTES = 1024;
/** A server that does not let go of a connection within this time fails the visit. */
const CLOSED_MS_MAX = 90_000;
const EVERYTHING: FilterText = { type: 'TAG', expression: '*' };

const sendTemplate = new SendRequestTemplate({ topic: SENT.topic, bodyBytes: BODY_BYTES });

type Method = 'send' | 'receive';

/** The frames of whole calls on streams 1, 3, … of a new connection. */
function calls(method: Method, messages: readonly Uint8Array[]): Buffer {
  const encoder = new HpackEncoder();
  const { headers } = callHeaders('soak-rude')[method];
  const frames = messages.flatMap((message, index) => {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    const streamId = 2 * index + 1;
    return [
      frame(FRAME.HEADERS, FLAG.END_HEADERS, streamId, encoder.encode(headers)),
      frame(FRAME.DATA, FLAG.END_STREAM, streamId, Buffer.concat([prefix, message])),
    ];
  });
  return Buffer.concat(frames);
}

function receiveRequest({ brokerName }: Place, { topic, group }: { topic: string; group: string }): Buffer {
  return encodeReceiveRequest({ topic, group, brokerName, filter: EVERYTHING, batchSize: 32 });
}

function sendRequest(): Buffer {
  return Buffer.from(sendTemplate.next());
}

/** Connects; what comes is thrown away, and that the server resets the connection is no error. */
function dial({ port }: Place): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      socket.resume();
      resolve(socket);
    });
  });
}

/** A visit of a connection that does what it likes, and is cut at the end. */
function visit(name: string, run: (socket: Socket, place: Place) => Promise<void>): Visit {
  return {
    name,
    async run(place) {
      const socket = await dial(place);
      try {
        await run(socket, place);
      } finally {
        socket.destroy();
      }
    },
  };
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the server keeps a connection that is over')), CLOSED_MS_MAX);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Clients that leave in the middle of something, say nothing, or make no sense. */
export const RUDE_VISITS: readonly Visit[] = [
  visit('says nothing', () => pause(3_000)),
  visit('goes without its call', async (socket) => {
    const bytes = Buffer.concat([greeting(), calls('send', [sendRequest()])]);
    socket.write(bytes.subarray(0, bytes.length >> 1));
    await pause(100);
    socket.resetAndDestroy();
  }),
  visit('goes without its answers', async (socket) => {
    socket.write(Buffer.concat([greeting(), calls('send', Array.from({ length: 8 }, sendRequest))]));
    socket.resetAndDestroy();
  }),
  visit('goes while it waits', async (socket, place) => {
    socket.write(Buffer.concat([greeting(), calls('receive', [receiveRequest(place, EMPTY)])]));
    await pause(place.random.below(500));
    socket.resetAndDestroy();
  }),
  visit('is half open', async (socket) => {
    const over = closed(socket);
    socket.end(Buffer.concat([greeting(), calls('send', [sendRequest()])]));
    socket.once('end', () => socket.destroySoon());
    await over;
  }),
  visit('resets its streams', async (socket, place) => {
    const waiting = calls(
      'receive',
      Array.from({ length: 8 }, () => receiveRequest(place, EMPTY)),
    );
    const code = Buffer.alloc(4);
    code.writeUInt32BE(CANCEL);
    const resets = Array.from({ length: 8 }, (_, index) => frame(FRAME.RST_STREAM, 0, 2 * index + 1, code));
    socket.write(Buffer.concat([greeting(), waiting]));
    await pause(50);
    socket.write(Buffer.concat(resets));
    await pause(200);
  }),
  visit('does not read', async (socket, place) => {
    socket.pause();
    socket.write(Buffer.concat([greeting(), calls('receive', [receiveRequest(place, SENT)])]));
    await pause(5_000);
  }),
  visit('makes no sense', async (socket, { random }) => {
    const over = closed(socket);
    socket.end(Buffer.concat([greeting(), Buffer.from(random.bytes(256))]));
    socket.once('end', () => socket.destroySoon());
    await over;
  }),
  visit('begins TLS', async (socket, { random }) => {
    socket.write(Buffer.concat([Buffer.from('160301010001', 'hex'), Buffer.from(random.bytes(64))]));
    await pause(500);
  }),
  {
    name: 'goes after the handshake',
    async run({ port }) {
      const options = { host: '127.0.0.1', port, ALPNProtocols: ['h2'], rejectUnauthorized: false };
      const socket = connectTls(options);
      await new Promise<void>((resolve, reject) => {
        socket.once('secureConnect', resolve);
        socket.once('error', reject);
      });
      socket.on('error', () => {});
      socket.write(greeting());
      await pause(100);
      socket.destroy();
    },
  },
];
