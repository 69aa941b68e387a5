import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '@orbitmq/base';
import {
  type BoundMethod,
  createRpcClient,
  type Reply,
  type RpcClient,
  RpcError,
  type RpcServer,
  startRpcServer,
} from '@orbitmq/rpc';
import { createLogger } from '@orbitmq/runtime';
import { LeaderCalls } from './leader-calls.ts';

const UNARY = '/test.Service/Ask';
const BIDI = '/test.Service/Talk';
const JUNK = Buffer.from('junk');

/** Messages are texts; what begins with a j can not be read. */
function decode(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString();
  if (text.startsWith('j')) throw new RangeError('index out of range');
  return text;
}

const codec = { decode, encode: (text: unknown) => Buffer.from(text as string) };

const METHODS: BoundMethod[] = [
  { kind: 'unary', path: UNARY, ...codec, handler: async (request: unknown) => `${request as string}!` },
  {
    kind: 'bidi',
    path: BIDI,
    ...codec,
    handler: async (requests: AsyncIterable<unknown>, _call: unknown, sink: { write(response: unknown): unknown }) => {
      for await (const request of requests) await sink.write(`${request as string}!`);
    },
  } as BoundMethod,
];

const unexpected: unknown[] = [];

function serve(calls: LeaderCalls): Promise<RpcServer> {
  return startRpcServer({
    host: '127.0.0.1',
    port: 0,
    methods: calls.methods(METHODS),
    tls: undefined,
    limits: {
      receiveMessageBytesMax: 4096,
      concurrentStreamsMax: 10,
      metadataBytesMax: 4096,
      connectionsMax: 10,
      connectionsPerAddressMax: 10,
      handshakeTimeoutMs: 1000,
    },
    logger: createLogger({ level: 'error', fields: {}, destination: { write: () => {} } }),
    onUnexpectedError: (error) => unexpected.push(error),
  });
}

describe('calls for whoever leads', () => {
  let calls: LeaderCalls;
  let server: RpcServer;
  let client: RpcClient;

  beforeEach(async () => {
    unexpected.length = 0;
    calls = new LeaderCalls('broker-a', systemClock);
    server = await serve(calls);
    client = createRpcClient({ addresses: [`127.0.0.1:${server.port}`], tls: undefined });
  });
  afterEach(async () => {
    client.close();
    calls.close();
    await server.stop(0);
  });

  const ask = async (bytes: Uint8Array): Promise<string> =>
    Buffer.from(await client.raw.unary(UNARY, bytes, { timeoutMs: 5000 })).toString();

  async function talk(bytes: Uint8Array): Promise<string[]> {
    const call = client.raw.bidi(BIDI, { timeoutMs: 5000 });
    void call.write(bytes);
    call.end();
    const answers: string[] = [];
    for await (const answer of call.responses) answers.push(Buffer.from(answer).toString());
    return answers;
  }

  const isUnreadable = (error: unknown): boolean => error instanceof RpcError && error.status === 'INVALID_ARGUMENT';

  it('S15: who sends what can not be read is told so, and nobody else minds', async () => {
    calls.serveHere(METHODS);
    assert.deepEqual(await talk(Buffer.from('one')), ['one!']);
    await assert.rejects(talk(JUNK), isUnreadable);
    await assert.rejects(ask(JUNK), isUnreadable);
    assert.deepEqual(unexpected, []);
  });

  it('S15: nor when it came while nobody led', async () => {
    const [good, junk] = [ask(Buffer.from('one')), assert.rejects(ask(JUNK), isUnreadable)];
    const talking = assert.rejects(talk(JUNK), isUnreadable);
    // They wait for a leader.
    await new Promise((resolve) => setImmediate(resolve));
    calls.serveHere(METHODS);
    assert.equal(await good, 'one!');
    await Promise.all([junk, talking]);
    assert.deepEqual(unexpected, []);
  });

  it('ends streams that are served here when somebody else serves', async () => {
    calls.serveHere(METHODS);
    const call = client.raw.bidi(BIDI, { timeoutMs: 5000 });
    void call.write(Buffer.from('one'));
    const answers = call.responses[Symbol.asyncIterator]();
    assert.equal(Buffer.from((await answers.next()).value as Uint8Array).toString(), 'one!');
    calls.pause();
    assert.equal((await answers.next()).done, true);
  });

  it('lets what was begun here be answered when somebody else leads, as it is encoded here', async () => {
    for (const promises of [true, false]) {
      const begun = Promise.withResolvers<Reply<unknown>>();
      const handler = (): Promise<unknown> => new Promise((respond, reject) => begun.resolve({ respond, reject }));
      const replyHandler = (_request: unknown, _call: unknown, reply: Reply<unknown>): void => begun.resolve(reply);
      const here = { ...METHODS[0]!, encode: (answer: unknown) => Buffer.from((answer as { text: string }).text) };
      calls.serveHere([{ ...here, handler, ...(promises ? {} : { replyHandler }) }]);
      const asked = ask(Buffer.from('one'));
      const reply = await begun.promise;
      calls.pause();
      reply.respond({ text: 'from before' });
      assert.equal(await asked, 'from before');
    }
    assert.deepEqual(unexpected, []);
  });

  it('answers what can be answered without a promise, refusals too', async () => {
    const replyHandler = (request: unknown, _call: unknown, reply: Reply<unknown>): void => {
      if (request === 'no') reply.reject(new RpcError('ABORTED', 'not this one'));
      else reply.respond(request);
    };
    const handler = (): never => assert.fail('nobody needs a promise');
    calls.serveHere([{ ...METHODS[0]!, handler, replyHandler }]);
    assert.equal(await ask(Buffer.from('yes')), 'yes');
    await assert.rejects(
      ask(Buffer.from('no')),
      (error: unknown) => error instanceof RpcError && error.status === 'ABORTED',
    );
  });

  /** A leader elsewhere; it answers when it is let. */
  async function withLeader(
    use: (leader: { readonly port: number; readonly reached: Promise<void>; answer(): void }) => Promise<void>,
  ): Promise<void> {
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const leader = new LeaderCalls('broker-a', systemClock);
    leader.serveHere(
      METHODS.map((method) =>
        method.kind === 'unary'
          ? {
              ...method,
              handler: (request) => {
                reached.resolve();
                return gate.promise.then(() => `${request as string} there`);
              },
            }
          : method,
      ),
    );
    const there = await serve(leader);
    try {
      await use({ port: there.port, reached: reached.promise, answer: gate.resolve });
    } finally {
      leader.close();
      await there.stop(0);
    }
  }

  it('lets a former leader answer what it has', () =>
    withLeader(async ({ port, answer, reached }) => {
      calls.passOnTo({ member: 1, epoch: 1, clientAddress: `127.0.0.1:${port}` });
      const asked = ask(Buffer.from('one'));
      await reached;
      calls.serveHere(METHODS);
      assert.equal(await ask(Buffer.from('two')), 'two!');
      answer();
      assert.equal(await asked, 'one there');
    }));

  it('ends streams to a former leader in peace', () =>
    withLeader(async ({ port }) => {
      calls.passOnTo({ member: 1, epoch: 1, clientAddress: `127.0.0.1:${port}` });
      const call = client.raw.bidi(BIDI, { timeoutMs: 5000 });
      void call.write(Buffer.from('one'));
      const answers = call.responses[Symbol.asyncIterator]();
      assert.equal(Buffer.from((await answers.next()).value as Uint8Array).toString(), 'one!');
      calls.serveHere(METHODS);
      assert.equal((await answers.next()).done, true);
    }));
});
