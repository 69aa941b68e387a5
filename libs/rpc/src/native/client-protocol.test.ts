import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { systemClock } from '@orbitmq/base';
import fc from 'fast-check';
import type { RpcClient, RpcClientOptions } from '../client.ts';
import { frame } from '../contract/frame.ts';
import { gate, MovedClock, textsOf, until } from '../contract/harness.ts';
import { RpcError, UnreachableError } from '../service.ts';
import { createNativeClient } from './client.ts';
import { FrameReader, readUint32 } from './frames.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { HpackEncoder } from './hpack/encoder.ts';
import { FLAG, FRAME, PREFACE, SETTING } from './protocol.ts';

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** The server's side of one connection, which does only what a test says. */
class Peer {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder(4096, { bytesMax: 65_536, countMax: 100 });
  #prefaceBytes = PREFACE.length;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    const reader = new FrameReader(
      {
        onFrame: (type, flags, streamId, bytes, start, end) => {
          this.frames.push({ type, flags, streamId, payload: Buffer.from(bytes.subarray(start, end)) });
        },
      },
      16_384,
    );
    socket.on('data', (chunk) => {
      const skipped = Math.min(this.#prefaceBytes, chunk.length);
      this.#prefaceBytes -= skipped;
      reader.read(chunk.subarray(skipped));
    });
  }

  send(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): void {
    this.socket.write(frame(type, flags, streamId, payload));
  }

  settings(...settings: (readonly [number, number])[]): void {
    const payload = Buffer.alloc(6 * settings.length);
    for (const [index, [setting, value]] of settings.entries()) {
      payload.writeUInt16BE(setting, 6 * index);
      payload.writeUInt32BE(value, 6 * index + 2);
    }
    this.send(FRAME.SETTINGS, 0, 0, payload);
  }

  headers(streamId: number, fields: Record<string, string>, flags: number = FLAG.END_HEADERS): void {
    this.send(FRAME.HEADERS, flags, streamId, this.#encoder.encode(fieldsOf(fields)));
  }

  answer(streamId: number, text: string): void {
    this.headers(streamId, { ':status': '200', 'content-type': 'application/grpc' });
    this.send(FRAME.DATA, 0, streamId, message(text));
    this.headers(streamId, { 'grpc-status': '0' }, FLAG.END_HEADERS | FLAG.END_STREAM);
  }

  window(streamId: number, increment: number): void {
    this.send(FRAME.WINDOW_UPDATE, 0, streamId, uint32(increment));
  }

  of(type: number): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** Bytes of DATA that have come. */
  dataBytes(streamId: number): number {
    return this.of(FRAME.DATA)
      .filter((frame) => frame.streamId === streamId)
      .reduce((sum, { payload }) => sum + payload.length, 0);
  }

  headersOf(index: number): Map<string, string> {
    const { payload } = this.of(FRAME.HEADERS)[index]!;
    return new Map(this.#decoder.decode(payload, 0, payload.length).map(({ name, value }) => [name, value]));
  }

  /** Error code of the GOAWAY that has come; undefined = none. */
  get goAwayCode(): number | undefined {
    const [frame] = this.of(FRAME.GOAWAY);
    return frame && readUint32(frame.payload, 4);
  }
}

function fieldsOf(fields: Record<string, string>): { name: string; value: string }[] {
  return Object.entries(fields).map(([name, value]) => ({ name, value }));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function message(text: string): Buffer {
  return Buffer.concat([Buffer.of(0), uint32(text.length), Buffer.from(text)]);
}

const isStatus =
  (status: string, text = /./) =>
  (error: unknown) =>
    error instanceof RpcError &&
    !(error instanceof UnreachableError) &&
    error.status === status &&
    text.test(error.message);
const isUnreachable = (error: unknown): boolean => error instanceof UnreachableError;
const HTTP_OK = { ':status': '200', 'content-type': 'application/grpc+proto' };
const LAST = FLAG.END_HEADERS | FLAG.END_STREAM;

describe('a client of our own HTTP/2', () => {
  let server: Server;
  let peers: Peer[] = [];
  before(async () => {
    server = createServer((socket) => peers.push(new Peer(socket)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  beforeEach(() => {
    peers = [];
  });
  after(() => new Promise((resolve) => server.close(resolve)));

  const peerAt = async (index: number): Promise<Peer> => {
    await until(`connection ${index} comes`, () => peers.length > index);
    return peers[index]!;
  };
  const withClient = async (
    use: (client: RpcClient, call: (text?: string, timeoutMs?: number) => Promise<string>) => Promise<void>,
    options: Partial<RpcClientOptions> = {},
  ): Promise<void> => {
    const { port } = server.address() as { port: number };
    const client = createNativeClient({ addresses: [`127.0.0.1:${port}`], tls: undefined, ...options });
    const call = async (text = '', timeoutMs?: number): Promise<string> => {
      const callOptions = timeoutMs === undefined ? {} : { timeoutMs };
      return Buffer.from(await client.raw.unary('/a.B/c', Buffer.from(text), callOptions)).toString();
    };
    try {
      await use(client, call);
    } finally {
      client.close();
      for (const { socket } of peers) socket.destroy();
    }
  };
  const opened = async (peer: Peer, count: number): Promise<void> =>
    until(`${count} calls have come`, () => peer.of(FRAME.HEADERS).length === count);

  it('sends what a gRPC call has to have', () =>
    withClient(async (client) => {
      const metadata = [
        ['x-a', ' b '],
        ['grpc-own', '1'],
        ['te', 'x'],
        ['x-control', 'a\nb'],
        ['x-bin', 'AAE'],
      ] as const;
      const answer = client.raw.unary('/a.B/c', Buffer.from('hello'), { metadata, timeoutMs: 5_000 });
      const peer = await peerAt(0);
      peer.settings();
      await opened(peer, 1);
      const headers = peer.headersOf(0);
      assert.match(headers.get('grpc-timeout')!, /^\d{4}m$/);
      headers.delete('grpc-timeout');
      assert.deepEqual(Object.fromEntries(headers), {
        ':method': 'POST',
        ':scheme': 'http',
        ':path': '/a.B/c',
        ':authority': `127.0.0.1:${(server.address() as { port: number }).port}`,
        te: 'trailers',
        'content-type': 'application/grpc',
        'user-agent': 'orbitmq',
        'grpc-accept-encoding': 'identity',
        'x-a': 'b',
        'x-bin': 'AAE=',
      });
      assert.deepEqual(peer.of(FRAME.DATA)[0]!.payload, message('hello'));
      assert.equal(peer.of(FRAME.DATA)[0]!.flags, FLAG.END_STREAM);
      peer.answer(1, 'world');
      assert.equal(Buffer.from(await answer).toString(), 'world');
    }));

  it('takes no more streams than the server allows, and lets the others wait', () =>
    withClient(async (_client, call) => {
      const [one, two, three] = [call('1'), call('2'), call('3', 200)];
      const late = assert.rejects(three, isStatus('DEADLINE_EXCEEDED'));
      const peer = await peerAt(0);
      peer.settings([SETTING.MAX_CONCURRENT_STREAMS, 1]);
      await late;
      await opened(peer, 1);
      peer.answer(1, 'one');
      assert.equal(await one, 'one');
      await opened(peer, 2);
      peer.answer(3, 'two');
      assert.equal(await two, 'two');
      peer.settings([SETTING.MAX_CONCURRENT_STREAMS, 0]);
      const waiting = call();
      peer.settings([SETTING.MAX_CONCURRENT_STREAMS, 2]);
      await opened(peer, 3);
      peer.answer(5, 'three');
      assert.equal(await waiting, 'three');
    }));

  it('resets no more streams at a time than servers put up with, and counts the others as open', () => {
    const clock = new MovedClock();
    return withClient(
      async (client, call) => {
        const controller = new AbortController();
        const { signal } = controller;
        const calls = Array.from({ length: 1000 }, () =>
          assert.rejects(client.raw.unary('/a.B/c', Buffer.from('x'), { signal }), isStatus('CANCELLED')),
        );
        const peer = await peerAt(0);
        peer.settings([SETTING.MAX_CONCURRENT_STREAMS, 1000]);
        await opened(peer, 1000);
        controller.abort();
        await Promise.all(calls);
        await until('a burst of resets', () => peer.of(FRAME.RST_STREAM).length === 900);
        assert.equal(client.openCallsMax, 900);
        peer.answer(1801, 'nobody listens');
        await until('one less is waited for', () => client.openCallsMax === 901);
        clock.move(1000);
        await until('the others', () => peer.of(FRAME.RST_STREAM).length === 999);
        assert.equal(client.openCallsMax, 1000);
        const last = call('last');
        await opened(peer, 1001);
        peer.answer(2001, 'done');
        assert.equal(await last, 'done');
      },
      { clock },
    );
  });

  it('keeps to the windows of streams and of the connection, also when they change', () =>
    withClient(async (_client, call) => {
      const answer = call('x'.repeat(100_000));
      const peer = await peerAt(0);
      peer.settings([SETTING.INITIAL_WINDOW_SIZE, 10]);
      await until('the window is full', () => peer.dataBytes(1) === 10);
      peer.settings([SETTING.INITIAL_WINDOW_SIZE, 0]);
      peer.settings([SETTING.INITIAL_WINDOW_SIZE, 5]); // 5 more than is sent
      peer.window(1, 5);
      peer.window(1, 1);
      await until('one byte follows', () => peer.dataBytes(1) === 11);
      peer.settings([SETTING.INITIAL_WINDOW_SIZE, 1_000_000]);
      await until('the window of the connection is full', () => peer.dataBytes(1) === 65_535);
      peer.window(0, 1_000_000);
      await until('all has come', () => peer.dataBytes(1) === 100_005);
      assert.equal(peer.of(FRAME.DATA).at(-1)!.flags, FLAG.END_STREAM);
      peer.answer(1, 'done');
      assert.equal(await answer, 'done');
    }));

  it('lets the calls of a connection send by turns', () =>
    withClient(async (_client, call) => {
      const answers = [call('x'.repeat(300_000)), call('y'.repeat(300_000))];
      const peer = await peerAt(0);
      peer.settings([SETTING.INITIAL_WINDOW_SIZE, 1_000_000]);
      await until('the window of the connection is full', () => peer.dataBytes(1) + peer.dataBytes(3) === 65_535);
      peer.window(0, 100_000);
      await until('more has come', () => peer.dataBytes(1) + peer.dataBytes(3) === 165_535);
      assert.ok(peer.dataBytes(3) > 40_000, `${peer.dataBytes(3)} bytes of the second call`);
      peer.window(0, 1_000_000);
      await until('all has come', () => peer.dataBytes(1) + peer.dataBytes(3) === 600_010);
      peer.answer(1, 'x');
      peer.answer(3, 'y');
      assert.deepEqual(await Promise.all(answers), ['x', 'y']);
    }));

  it('opens the window of a stream only as it is read, and never lets that stop other calls', () =>
    withClient(
      async (client, call) => {
        const stream = client.raw.serverStream('/a.B/c', Buffer.alloc(0))[Symbol.asyncIterator]();
        const first = stream.next();
        const peer = await peerAt(0);
        peer.settings();
        await opened(peer, 1);
        peer.headers(1, HTTP_OK);
        const text = 'r'.repeat(995);
        for (let n = 0; n < 66; n++) peer.send(FRAME.DATA, 0, 1, message(text)); // all but its window
        assert.equal(Buffer.from((await first).value).toString(), text);
        const other = call();
        await opened(peer, 2);
        peer.answer(3, 'other');
        assert.equal(await other, 'other');
        assert.deepEqual(
          peer.of(FRAME.WINDOW_UPDATE).filter(({ streamId }) => streamId === 1),
          [],
        );
        for (let n = 0; n < 40; n++) await stream.next();
        await until('its window opens', () => peer.of(FRAME.WINDOW_UPDATE).some(({ streamId }) => streamId === 1));
        await stream.return!();
        await until('it is reset', () => peer.of(FRAME.RST_STREAM).length === 1);
      },
      { receiveWindowBytes: 66_000 },
    ));

  it('takes a message that is larger than the window from a stream that is read', () =>
    withClient(async (client) => {
      const stream = textsOf(client.raw.serverStream('/a.B/c', Buffer.alloc(0)));
      const peer = await peerAt(0);
      peer.settings();
      await opened(peer, 1);
      peer.headers(1, HTTP_OK);
      const large = message('l'.repeat(1_000_000));
      let windowBytes = 65_536;
      let updateCount = 0;
      for (let at = 0; at < large.length; ) {
        await until('there is window', () => {
          const updates = peer.of(FRAME.WINDOW_UPDATE).filter(({ streamId }) => streamId === 1);
          for (const { payload } of updates.slice(updateCount)) windowBytes += readUint32(payload, 0);
          updateCount = updates.length;
          return windowBytes > 0;
        });
        const part = large.subarray(at, at + Math.min(windowBytes, 16_384));
        peer.send(FRAME.DATA, 0, 1, part);
        windowBytes -= part.length;
        at += part.length;
      }
      peer.headers(1, { 'grpc-status': '0' }, LAST);
      assert.deepEqual(
        (await stream).map((text) => text.length),
        [1_000_000],
      );
    }));

  it('says of calls that the server has not taken that they were not sent', () =>
    withClient(async (_client, call) => {
      const answers = [call('1'), call('2'), call('3'), call('4')];
      const refused = [assert.rejects(answers[1]!, isUnreachable), assert.rejects(answers[2]!, isUnreachable)];
      const peer = await peerAt(0);
      peer.settings([SETTING.MAX_CONCURRENT_STREAMS, 3]);
      await opened(peer, 3);
      peer.send(FRAME.RST_STREAM, 0, 5, uint32(7)); // REFUSED_STREAM, which makes place for the fourth
      await opened(peer, 4);
      const fifth = call('5'); // waits for a place
      await new Promise((resolve) => setImmediate(resolve));
      peer.send(FRAME.GOAWAY, 0, 0, Buffer.concat([uint32(1), uint32(0)]));
      await Promise.all(refused);
      await assert.rejects(answers[3]!, isUnreachable);
      const next = await peerAt(1); // what has waited goes elsewhere
      next.settings();
      await opened(next, 1);
      next.answer(1, 'five');
      assert.equal(await fifth, 'five');
      peer.answer(1, 'one');
      assert.equal(await answers[0], 'one');
      await until('the old connection is left', () => peer.socket.destroyed || peer.goAwayCode === 0);
    }));

  it('takes a reset at the deadline for the deadline, which the server was quicker to see', async () => {
    let aheadMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
    await withClient(
      async (_client, call) => {
        const calls = [call('', 60_000), call('', 60_000)].map((each) => each.catch((error: unknown) => error));
        const peer = await peerAt(0);
        peer.settings();
        await opened(peer, 2);
        peer.send(FRAME.RST_STREAM, 0, 1, uint32(8));
        assert.ok(isStatus('CANCELLED')(await calls[0]));
        aheadMs = 60_000;
        peer.send(FRAME.RST_STREAM, 0, 3, uint32(8));
        assert.ok(isStatus('DEADLINE_EXCEEDED')(await calls[1]));
      },
      { clock },
    );
  });

  it('connects again to a server that has said hello and goodbye at once', () =>
    withClient(async (_client, call) => {
      const refused = assert.rejects(call(), isUnreachable);
      const goodbye = frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8));
      (await peerAt(0)).socket.write(Buffer.concat([frame(FRAME.SETTINGS, 0, 0), goodbye]));
      await refused;
      const answer = call();
      const peer = await peerAt(1);
      peer.settings();
      await opened(peer, 1);
      peer.answer(1, 'stayed');
      assert.equal(await answer, 'stayed');
    }));

  it('does not say so of calls that may have been taken', () =>
    withClient(async (_client, call) => {
      const answer = assert.rejects(call(), isStatus('UNAVAILABLE'));
      const peer = await peerAt(0);
      peer.settings();
      await opened(peer, 1);
      peer.socket.destroy();
      await answer;
      const reset = assert.rejects(call(), isStatus('INTERNAL'));
      const next = await peerAt(1);
      next.settings();
      await opened(next, 1);
      next.send(FRAME.RST_STREAM, 0, 1, uint32(2));
      await reset;
    }));

  it('cannot reach a server that does not greet it in HTTP/2, and pauses', () =>
    withClient(
      async (_client, call) => {
        const first = assert.rejects(call(), isUnreachable);
        (await peerAt(0)).socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
        await first;
        await assert.rejects(call(), isUnreachable);
        assert.equal(peers.length, 1);
        clock.move(1_000);
        const later = call();
        const peer = await peerAt(1);
        peer.settings();
        await opened(peer, 1);
        peer.answer(1, 'here');
        assert.equal(await later, 'here');
      },
      { clock },
    ));
  const clock = new MovedClock();

  it('pings a silent server, and leaves one that does not answer', () =>
    withClient(
      async (_client, call) => {
        const answer = assert.rejects(call(), isStatus('UNAVAILABLE'));
        const peer = await peerAt(0);
        peer.settings();
        await opened(peer, 1);
        clock.move(5_000);
        clock.move(5_000);
        await until('a ping has come', () => peer.of(FRAME.PING).length === 1);
        peer.send(FRAME.PING, FLAG.ACK, 0, Buffer.alloc(8));
        peer.send(FRAME.PING, 0, 0, Buffer.from('12345678'));
        await until('it is answered', () => peer.of(FRAME.PING).length === 2);
        assert.deepEqual(peer.of(FRAME.PING)[1], {
          type: FRAME.PING,
          flags: FLAG.ACK,
          streamId: 0,
          payload: Buffer.from('12345678'),
        });
        clock.move(10_000);
        clock.move(5_000);
        clock.move(5_000);
        await until('another ping has come', () => peer.of(FRAME.PING).length === 3);
        clock.move(10_000);
        await answer;
      },
      { clock, keepAliveMs: 5_000 },
    ));

  it('tells apart how calls end', () =>
    withClient(async (_client, call) => {
      const connected = peerAt(0);
      void connected.then((peer) => peer.settings());
      let streamId = -1;
      const outcome = async (respond: (peer: Peer, id: number) => void): Promise<string> => {
        streamId += 2;
        const id = streamId;
        const ended = call().then(
          (text) => `OK ${text}`,
          (error: RpcError) => `${error.status} ${error.message}`,
        );
        const peer = await connected;
        await opened(peer, (id + 1) / 2);
        respond(peer, id);
        return ended;
      };
      const trailersOnly = (status: Record<string, string>) => (peer: Peer, id: number) =>
        peer.headers(id, { ...HTTP_OK, ...status }, LAST);
      assert.equal(
        await outcome(trailersOnly({ 'grpc-status': '5', 'grpc-message': 'n%C3%B6 %zz%' })),
        'NOT_FOUND nö %zz%',
      );
      assert.match(await outcome(trailersOnly({ 'grpc-status': '99' })), /^UNKNOWN/);
      assert.match(await outcome(trailersOnly({ 'grpc-status': 'x' })), /^UNKNOWN/);
      assert.match(await outcome(trailersOnly({})), /^UNKNOWN/);
      assert.match(await outcome(trailersOnly({ 'grpc-status': '0' })), /^UNIMPLEMENTED .*no response/);
      assert.match(await outcome((peer, id) => peer.headers(id, { ':status': '503' }, LAST)), /^UNAVAILABLE/);
      assert.match(await outcome((peer, id) => peer.headers(id, { ':status': '404' })), /^UNIMPLEMENTED/);
      assert.match(
        await outcome((peer, id) => peer.headers(id, { ':status': '200', 'content-type': 'text/html' })),
        /^UNKNOWN .*content-type/,
      );
      const after = (respond: (peer: Peer, id: number) => void) =>
        outcome((peer, id) => {
          peer.headers(id, { ':status': '103', 'x-early': '1' });
          peer.headers(id, HTTP_OK);
          respond(peer, id);
        });
      assert.match(await after((peer, id) => peer.send(FRAME.DATA, FLAG.END_STREAM, id)), /^INTERNAL .*trailers/);
      assert.match(await after((peer, id) => peer.headers(id, HTTP_OK)), /^INTERNAL .*twice/);
      assert.match(
        await after((peer, id) => peer.send(FRAME.DATA, 0, id, Buffer.of(1, 0, 0, 0, 0))),
        /^INTERNAL .*compressed/,
      );
      assert.match(
        await after((peer, id) => peer.send(FRAME.DATA, 0, id, Buffer.of(0, 255, 255, 255, 255))),
        /^RESOURCE_EXHAUSTED .*4294967295/,
      );
      assert.match(
        await after((peer, id) => peer.send(FRAME.DATA, 0, id, Buffer.concat([message('a'), message('b')]))),
        /^INTERNAL .*second/,
      );
      assert.match(
        await after((peer, id) => {
          peer.send(FRAME.DATA, 0, id, message('abc').subarray(0, 6));
          peer.headers(id, { 'grpc-status': '0' }, LAST);
        }),
        /^INTERNAL .*within a message/,
      );
      assert.equal(
        await after((peer, id) => {
          peer.send(FRAME.DATA, FLAG.PADDED, id, Buffer.concat([Buffer.of(3), message('padded'), Buffer.alloc(3)]));
          peer.headers(id, { 'grpc-status': '0' }, LAST);
        }),
        'OK padded',
      );
      assert.match(await outcome((peer, id) => peer.send(FRAME.RST_STREAM, 0, id, uint32(8))), /^CANCELLED/);
      assert.match(await outcome((peer, id) => peer.window(id, 0)), /^INTERNAL .*window/);
      assert.match(await outcome((peer, id) => peer.window(id, 2 ** 31 - 1)), /^INTERNAL .*window/);
      assert.equal(peers.length, 1, 'the connection has outlived all of that');
    }));

  it('ends the connection of a server that breaks the protocol, or that would fill its memory', async () => {
    const faults: Record<string, [code: number, (peer: Peer) => void]> = {
      'push promise': [1, (peer) => peer.send(FRAME.PUSH_PROMISE, FLAG.END_HEADERS, 1, Buffer.alloc(8))],
      'push enabled': [1, (peer) => peer.settings([SETTING.ENABLE_PUSH, 1])],
      'window setting': [3, (peer) => peer.settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31])],
      'frame size setting': [1, (peer) => peer.settings([SETTING.MAX_FRAME_SIZE, 1])],
      'half a setting': [6, (peer) => peer.send(FRAME.SETTINGS, 0, 0, Buffer.alloc(5))],
      'headers of no stream': [1, (peer) => peer.headers(0, HTTP_OK)],
      'headers of a stream that is not open': [1, (peer) => peer.headers(99, HTTP_OK)],
      'data of a stream of the server': [1, (peer) => peer.send(FRAME.DATA, 0, 2)],
      'a wrong ping': [6, (peer) => peer.send(FRAME.PING, 0, 0, Buffer.alloc(7))],
      'a wrong window': [3, (peer) => peer.window(0, 2 ** 31 - 1)],
      'no window': [1, (peer) => peer.window(0, 0)],
      'a continuation of nothing': [1, (peer) => peer.send(FRAME.CONTINUATION, 0, 1)],
      'an interrupted header block': [
        1,
        (peer) => {
          peer.send(FRAME.HEADERS, 0, 1, Buffer.of(0x88));
          peer.send(FRAME.PING, 0, 0, Buffer.alloc(8));
        },
      ],
      'endless headers': [
        11,
        (peer) => {
          peer.send(FRAME.HEADERS, 0, 1, Buffer.of(0x88));
          for (let n = 0; n < 100; n++) peer.send(FRAME.CONTINUATION, 0, 1, Buffer.of(0x88));
        },
      ],
      'unreadable headers': [9, (peer) => peer.send(FRAME.HEADERS, FLAG.END_HEADERS, 1, Buffer.of(0xff))],
      'too large a frame': [6, (peer) => peer.send(FRAME.DATA, 0, 1, Buffer.alloc(16_385))],
      'too much data': [
        3,
        (peer) => {
          peer.headers(1, HTTP_OK);
          for (let n = 0; n < 70; n++) peer.send(FRAME.DATA, 0, 1, Buffer.alloc(16_384));
        },
      ],
      'a short goodbye': [6, (peer) => peer.send(FRAME.GOAWAY, 0, 0, Buffer.alloc(7))],
    };
    for (const [name, [code, send]] of Object.entries(faults)) {
      peers = [];
      await withClient(async (_client, call) => {
        const failed = assert.rejects(call(), (error) => error instanceof RpcError && error.status !== 'OK', name);
        const peer = await peerAt(0);
        peer.settings();
        await opened(peer, 1);
        send(peer);
        await failed;
        if (name === 'too much data') return; // its stream is reset before
        await until(`${name} is answered`, () => peer.goAwayCode !== undefined);
        assert.equal(peer.goAwayCode, code, name);
      });
    }
  });

  it('leaves a server that asks for ever and does not read the answers', () =>
    withClient(async (_client, call) => {
      const failed = assert.rejects(call(), (error) => error instanceof RpcError);
      const peer = await peerAt(0);
      peer.settings();
      await opened(peer, 1);
      peer.socket.pause();
      const closed = gate();
      peer.socket.on('close', closed.open);
      const pings = Buffer.concat(
        Array.from({ length: 4_096 }, () => Buffer.from([0, 0, 8, FRAME.PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])),
      );
      let isOver = false;
      void failed.then(() => {
        isOver = true;
      });
      while (!isOver) {
        if (!peer.socket.write(pings)) await new Promise((resolve) => setImmediate(resolve));
      }
      await failed;
      peer.socket.destroy();
      await closed.opened;
    }));

  it('ends every call, whatever bytes a server sends', async () => {
    const anyFrame = fc
      .record({
        type: fc.integer({ min: 0, max: 11 }),
        flags: fc.oneof(fc.constantFrom(0, 1, 4, 5), fc.nat(255)),
        streamId: fc.constantFrom(0, 1, 1, 1, 3, 2),
        payload: fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          fc.constantFrom(message('answer'), uint32(7), Buffer.of(0x88, 0x5f, 0x01, 0x61)),
        ),
      })
      .map(({ type, flags, streamId, payload }) => frame(type, flags, streamId, Buffer.from(payload)));
    const noise = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes));
    const parts = fc.array(fc.oneof({ weight: 9, arbitrary: anyFrame }, noise), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(parts, fc.boolean(), async (bytes, isGreeted) => {
        peers = [];
        await withClient(async (client, call) => {
          const answers = [call('x'.repeat(70_000)), textsOf(client.raw.serverStream('/a.B/c', Buffer.alloc(0)))];
          const ended = Promise.allSettled(answers);
          const peer = await peerAt(0);
          if (isGreeted) peer.settings();
          if (isGreeted) await opened(peer, 2);
          peer.socket.write(Buffer.concat(bytes));
          peer.socket.end();
          for (const { status, ...rest } of await ended) {
            if (status === 'rejected') assert.ok((rest as { reason: unknown }).reason instanceof RpcError);
          }
        });
      }),
      { numRuns: 150 },
    );
  });

  it('splits headers that are larger than a frame', () =>
    withClient(async (client) => {
      const metadata = Array.from({ length: 30 }, (_, n) => [`x-${n}`, 'v'.repeat(1_000)] as const);
      const answer = client.raw.unary('/a.B/c', Buffer.alloc(0), { metadata });
      const peer = await peerAt(0);
      peer.settings();
      await until('all of them have come', () => peer.of(FRAME.CONTINUATION).length === 1);
      assert.equal(peer.of(FRAME.HEADERS)[0]!.flags, 0);
      assert.equal(peer.of(FRAME.CONTINUATION)[0]!.flags, FLAG.END_HEADERS);
      peer.answer(1, 'taken');
      assert.equal(Buffer.from(await answer).toString(), 'taken');
    }));

  it('refuses addresses that are none', () => {
    for (const address of ['host', ':1', 'host:99999', '']) {
      assert.throws(() => createNativeClient({ addresses: [address], tls: undefined }), /host:port/, address);
    }
    assert.throws(() => createNativeClient({ addresses: [], tls: undefined }), /at least one/);
  });
});
