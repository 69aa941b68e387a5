import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { queryObjects } from 'node:v8';
import { MIB, MqError } from '@orbitmq/base';
import { decodeAckRequest, decodeSendMessageRequest } from '@orbitmq/protocol';
import { MessagingServiceDefinition } from '@orbitmq/protocol/apache.rocketmq.v2';
import fc from 'fast-check';
import { LIMITS, silentLogger, until } from '../contract/harness.ts';
import type { PortServer } from '../port-server.ts';
import { type BoundMethod, RpcError, type Sink } from '../service.ts';
import { createNativeClient } from './client.ts';
import { ClientCall } from './client-call.ts';
import { ClientConnection } from './client-connection.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { FLAG, FRAME, FRAME_HEADER_BYTES } from './protocol.ts';
import { startNativeServer } from './server.ts';
import { ServerConnection } from './server-connection.ts';
import { ServerStream } from './server-stream.ts';
import { type Capture, readCaptures } from './test-captures.ts';
import { type Mutated, mutatedArbitrary, mutatedBytes } from './test-mutations.ts';
import { Rules } from './test-rules.ts';

/** What is tried each time; ORBITMQ_FUZZ_RUNS and ORBITMQ_FUZZ_SEED try more, and others. A failure names its seed. */
const RUNS = Number(process.env.ORBITMQ_FUZZ_RUNS ?? 400);
const SEED = Number(process.env.ORBITMQ_FUZZ_SEED ?? 11);
const KEPT_BYTES_MAX = 4 * MIB;
const SETTLING_MS_MAX = 10_000;

const captures = readCaptures();
const captureArbitrary = fc.record({
  capture: fc.nat(captures.length - 1),
  other: fc.nat(captures.length - 1),
  mutated: mutatedArbitrary,
  ending: fc.constantFrom('half-closed', 'closed', 'reset'),
});
type Ending = 'half-closed' | 'closed' | 'reset';

const SERVICE = `/${MessagingServiceDefinition.fullName}/`;
const kinds = new Map<string, BoundMethod['kind']>(
  Object.values(MessagingServiceDefinition.methods).map(({ name, requestStream, responseStream }) => {
    if (requestStream) return [`${SERVICE}${name}`, 'bidi'];
    return [`${SERVICE}${name}`, responseStream ? 'serverStream' : 'unary'];
  }),
);

describe('mutated captures of official clients', () => {
  const unexpected: unknown[] = [];
  // What escapes from a socket's event belongs to no test.
  const onEscape = (error: unknown): void => void unexpected.push(error);
  const guarded =
    <T>(decode: (bytes: Uint8Array) => T) =>
    (bytes: Uint8Array): T => {
      try {
        return decode(bytes);
      } catch (error) {
        if (!(error instanceof MqError)) unexpected.push(error);
        throw error;
      }
    };
  let server: PortServer;
  let neighbour: ReturnType<typeof createNativeClient>;
  before(async () => {
    process.on('uncaughtExceptionMonitor', onEscape);
    server = (await startNativeServer({
      host: '127.0.0.1',
      port: 0,
      methods: methodsOf(guarded),
      tls: undefined,
      limits: LIMITS,
      logger: silentLogger,
      onUnexpectedError: (error) => unexpected.push(error),
    })) as PortServer;
    neighbour = createNativeClient({ addresses: [`127.0.0.1:${server.port}`], tls: undefined });
  });
  after(async () => {
    neighbour.close();
    await server.stop(0);
    process.off('uncaughtExceptionMonitor', onEscape);
  });

  const callNeighbour = async (): Promise<void> => {
    const request = MessagingServiceDefinition.methods.heartbeat.requestType.encode({
      group: undefined,
      clientType: 1,
    });
    assert.deepEqual(Buffer.from(await neighbour.raw.unary(`${SERVICE}Heartbeat`, request.finish())), ANSWER);
  };
  const allEnded = (): boolean => [...server.openCalls].length === 0 && server.connectionCount === 1;

  it('are answered by the server when they are whole', async () => {
    await callNeighbour();
    for (const capture of captures) {
      const rules = new Rules('server');
      const socket = await dialled(server.port);
      socket.on('data', (chunk: Buffer) => rules.read(chunk));
      // Calls that were cut or whose end was not waited for have no end here either.
      const cut = new Set(capture.sent.flatMap((part) => (part[3] === FRAME.RST_STREAM ? [part.readUInt32BE(5)] : [])));
      const ended = endedIds(capture).filter((id) => !cut.has(id));
      try {
        socket.write(Buffer.concat(capture.sent));
        await until(`${capture.name} is answered`, () => ended.every((id) => rules.isEnded(id)));
        assert.ok(ended.length >= 5, `${capture.name} has only ${ended.length} calls`);
        assert.equal(rules.goAwayCode ?? 0, 0);
      } finally {
        socket.destroy();
      }
    }
    await until('all has ended', allEnded);
    assert.deepEqual(unexpected, []);
  });

  it(`do the server no harm (${RUNS} of seed ${SEED})`, async () => {
    const run = async (from: number): Promise<void> =>
      fc.assert(
        fc.asyncProperty(captureArbitrary, async ({ capture, other, mutated, ending }) => {
          const bytes = mutatedBytes(captures[capture]!.sent, captures[other]!.sent, mutated.mutations);
          await tryOnServer(server.port, bytes, mutated, ending);
          await callNeighbour();
          await until('all has ended', allEnded);
          assert.deepEqual(unexpected.splice(0), []);
        }),
        { numRuns: RUNS / 2, seed: SEED + from },
      );
    await run(0);
    await keepsNothing([ServerConnection, ServerStream], () => run(1));
  });

  it('give a client what they hold when they are whole', async () => {
    for (const capture of captures) {
      const answers = await answersOf(
        capture,
        Buffer.concat(capture.received),
        { mutations: [], pieces: [1_000_000] },
        'half-closed',
      );
      const answered = answers.filter((each) => each.status === 'fulfilled' || each.reason.status !== 'UNAVAILABLE');
      assert.ok(answered.length >= 5, `${capture.name}: only ${answered.length} calls were answered`);
    }
  });

  it(`do a client no harm (${RUNS} of seed ${SEED})`, async () => {
    const run = async (from: number): Promise<void> =>
      fc.assert(
        fc.asyncProperty(captureArbitrary, async ({ capture, other, mutated, ending }) => {
          const bytes = mutatedBytes(captures[capture]!.received, captures[other]!.received, mutated.mutations);
          for (const answer of await answersOf(captures[capture]!, bytes, mutated, ending)) {
            if (answer.status === 'rejected') assert.ok(answer.reason instanceof RpcError, String(answer.reason));
          }
          await callNeighbour();
          assert.deepEqual(unexpected.splice(0), []);
        }),
        { numRuns: RUNS / 2, seed: SEED + from },
      );
    await run(0);
    await keepsNothing([ClientConnection, ClientCall], () => run(1));
  });
});

const ANSWER = Buffer.from([0x0a, 0x04, 0x08, 0xa0, 0x9c, 0x01]);
const LARGE_ANSWER = Buffer.alloc(1_000, 0x20);

/** The methods of the service, with decoders as brokers have them. */
function methodsOf(guarded: <T>(decode: (bytes: Uint8Array) => T) => (bytes: Uint8Array) => T): BoundMethod[] {
  return Object.values(MessagingServiceDefinition.methods).map(({ name, requestType }) => {
    const path = `${SERVICE}${name}`;
    const kind = kinds.get(path)!;
    let decode: BoundMethod['decode'] = (bytes) => requestType.decode(bytes);
    if (name === 'SendMessage') decode = guarded(decodeSendMessageRequest);
    if (name === 'AckMessage') decode = guarded(decodeAckRequest);
    return { kind, path, decode, encode: (bytes) => bytes as Uint8Array, handler: HANDLERS[kind] };
  });
}

const HANDLERS: Readonly<Record<BoundMethod['kind'], BoundMethod['handler']>> = {
  unary: (request: unknown) => (Array.isArray(request) ? Promise.resolve(ANSWER) : ANSWER),
  async serverStream(_request: unknown, _call: unknown, sink: Sink<Uint8Array>) {
    for (const answer of [ANSWER, LARGE_ANSWER, ANSWER]) await sink.write(answer);
  },
  async bidi(requests: AsyncIterable<unknown>, _call: unknown, sink: Sink<Uint8Array>) {
    for await (const _request of requests) await sink.write(ANSWER);
  },
};

async function dialled(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** Sends the bytes, and holds to the rules what comes back. */
async function tryOnServer(port: number, bytes: Buffer, { pieces }: Mutated, ending: Ending): Promise<void> {
  const socket = await dialled(port);
  const rules = new Rules('server');
  let broken: unknown;
  let isHttp2: boolean | undefined;
  socket.on('data', (chunk: Buffer) => {
    isHttp2 ??= !chunk.toString('latin1', 0, 5).startsWith('HTTP/');
    try {
      if (isHttp2) rules.read(chunk);
    } catch (error) {
      broken ??= error;
    }
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await sendPieces(socket, bytes, pieces);
  end(socket, ending);
  await closed;
  if (broken !== undefined) throw broken;
}

/** Small pieces of many bytes would take too long. */
const PIECES_MAX = 60;

async function sendPieces(socket: Socket, bytes: Buffer, pieces: readonly number[]): Promise<void> {
  let at = 0;
  for (let turn = 0; at < bytes.length && !socket.destroyed; turn++) {
    const size = turn > PIECES_MAX ? bytes.length : pieces[turn % pieces.length]!;
    socket.write(bytes.subarray(at, at + size));
    at += size;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function end(socket: Socket, ending: Ending): void {
  if (ending === 'half-closed') socket.end();
  else if (ending === 'closed') socket.destroy();
  else socket.resetAndDestroy();
}

/** How the calls of a client end whose server sends these bytes once it has got all calls of the capture, and ends then. */
async function answersOf(
  capture: Capture,
  bytes: Buffer,
  { pieces }: Mutated,
  ending: Ending,
): Promise<PromiseSettledResult<unknown>[]> {
  const paths = pathsOf(capture);
  const callCount = (Math.max(...paths.keys()) + 1) / 2;
  let broken: unknown;
  const sockets: Socket[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    if (sockets.push(socket) > 1) {
      socket.destroy(); // who is told to go elsewhere finds nobody
      return;
    }
    const rules = new Rules('client');
    let hasBegun = false;
    socket.on('data', (chunk: Buffer) => {
      try {
        rules.read(chunk);
      } catch (error) {
        broken ??= error;
      }
      if (hasBegun || rules.streamCount < callCount) return;
      hasBegun = true;
      void sendPieces(socket, bytes, pieces).then(() => end(socket, ending));
    });
    socket.write(EMPTY_SETTINGS);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const client = createNativeClient({ addresses: [`127.0.0.1:${port}`], tls: undefined });
  try {
    const calls = Array.from({ length: callCount }, (_, index) => paths.get(2 * index + 1) ?? `${SERVICE}QueryRoute`);
    const answers = await Promise.allSettled(calls.map((path) => callOf(client, path)));
    if (broken !== undefined) throw broken;
    return answers;
  } finally {
    client.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** A server says so before anything is called. */
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, FRAME.SETTINGS, 0, 0, 0, 0, 0]);

function callOf(client: ReturnType<typeof createNativeClient>, path: string): Promise<unknown> {
  const kind = kinds.get(path) ?? 'bidi';
  if (kind === 'unary') return client.raw.unary(path, ANSWER);
  if (kind === 'serverStream') return Array.fromAsync(client.raw.serverStream(path, ANSWER));
  const call = client.raw.bidi(path);
  void call.write(ANSWER);
  return Array.fromAsync(call.responses);
}

/** Paths of the calls that a client made, by stream. */
function pathsOf({ sent }: Capture): Map<number, string> {
  const decoder = new HpackDecoder(4096, { bytesMax: 1 << 20, countMax: 1_000 });
  const paths = new Map<number, string>();
  for (const part of sent.slice(1)) {
    if (part[3] !== FRAME.HEADERS) continue;
    const start = FRAME_HEADER_BYTES + (part[4]! & FLAG.PRIORITY ? 5 : 0);
    const path = decoder.decode(part, start, part.length).find(({ name }) => name === ':path');
    paths.set(part.readUInt32BE(5), path!.value);
  }
  return paths;
}

/** Streams whose client has said all. */
function endedIds({ sent }: Capture): number[] {
  return sent
    .slice(1)
    .filter((part) => (part[3] === FRAME.DATA || part[3] === FRAME.HEADERS) && part[4]! & FLAG.END_STREAM)
    .map((part) => part.readUInt32BE(5));
}

/** When all is over there are no more of these objects than before, nor is much more memory in use. */
async function keepsNothing(
  classes: readonly (abstract new (...args: never) => object)[],
  run: () => Promise<void>,
): Promise<void> {
  const count = (): number[] => classes.map((each) => queryObjects(each as never, { format: 'count' }));
  const used = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = count(); // collects garbage, too
  const usedBefore = used();
  await run();
  const endMs = performance.now() + SETTLING_MS_MAX;
  for (;;) {
    const after = count();
    const kept = used() - usedBefore;
    if (after.every((found, index) => found <= before[index]!) && kept <= KEPT_BYTES_MAX) return;
    assert.ok(performance.now() < endMs, `${after} objects after ${before}, ${kept} bytes are kept`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
