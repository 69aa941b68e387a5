import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MIB, MqError } from '@orbitmq/base';
import { HpackEncoder } from '../native/hpack/encoder.ts';
import { type Call, RpcError } from '../service.ts';
import {
  answerOf,
  framed,
  gate,
  openStream,
  type RpcEngine,
  type TextUnary,
  until,
  withServer,
  withSession,
} from './harness.ts';
import { framesOf, PLAIN, type WireCall } from './wire-calls.ts';
import { greeting, WireClient } from './wire-client.ts';

const echo: TextUnary = (request) => request;

function failing(error: unknown): TextUnary {
  return () => {
    throw error;
  };
}

const rejected = (status: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RpcError, String(error));
  assert.equal(error.status, status);
  assert.match(error.message, message);
  return true;
};

export function describeUnary(engine: RpcEngine): void {
  describe('unary calls', () => {
    it('show path, metadata, peer and time left', async () => {
      let seen: Call | undefined;
      const keep: TextUnary = (request, call) => {
        seen = call;
        return `${request}!`;
      };
      await withServer(engine, { unary: { keep } }, async ({ text }) => {
        const metadata = [
          ['x-mq-client-id', 'host@1@0@a'],
          ['x-data-bin', 'AAEC'],
          ['x-mq-language', 'JAVA'],
        ] as const;
        assert.equal(await text('keep', 'hello', { metadata, timeoutMs: 5_000 }), 'hello!');
        assert.equal(seen!.path, '/contract.Texts/keep');
        assert.equal(seen!.metadata.get('x-mq-client-id'), 'host@1@0@a');
        assert.equal(seen!.metadata.get('x-data-bin'), 'AAEC');
        assert.equal(seen!.metadata.get('__proto__'), undefined);
        const pairs = new Map(seen!.metadata.entries());
        assert.equal(pairs.get('x-mq-language'), 'JAVA');
        assert.match(seen!.peer, /^127\.0\.0\.1:\d+$/);
        assert.ok(seen!.remainingMs() > 0 && seen!.remainingMs() <= 5_000);
        assert.equal(await text('keep', ''), '!');
        assert.equal(seen!.remainingMs(), Number.POSITIVE_INFINITY);
      });
    });

    it('end with the status that the handler meant', async () => {
      const unary = {
        rpc: failing(new RpcError('PERMISSION_DENIED', 'not for you: ä €\nsecond line')),
        surrogate: failing(new RpcError('NOT_FOUND', 'half a pair: \ud800.')),
        long: failing(new RpcError('ABORTED', 'x'.repeat(100_000))),
        mq: failing(new MqError('TOPIC_NOT_FOUND', 'topic "a" does not exist')),
        busy: (): Promise<string> => Promise.reject(new MqError('TOO_MANY_REQUESTS', 'later')),
      };
      await withServer(engine, { unary }, async ({ text, ended, unexpectedErrors }) => {
        await assert.rejects(text('rpc', ''), rejected('PERMISSION_DENIED', /^not for you: ä €\nsecond line$/));
        await assert.rejects(text('surrogate', ''), rejected('NOT_FOUND', /^half a pair: \ufffd\.$/));
        await assert.rejects(text('long', ''), rejected('ABORTED', /^x{1024}…$/));
        await assert.rejects(text('mq', ''), rejected('NOT_FOUND', /^topic "a" does not exist$/));
        await assert.rejects(text('busy', ''), rejected('RESOURCE_EXHAUSTED', /^later$/));
        assert.deepEqual(ended.slice(3), ['mq NOT_FOUND', 'busy RESOURCE_EXHAUSTED']);
        assert.deepEqual(unexpectedErrors, []);
      });
    });

    it('tell a client nothing of an unexpected error', async () => {
      const error = new TypeError('secret /path/of/server.ts');
      const unary = {
        sync: failing(error),
        async: () => Promise.reject(error),
        echo,
        wrong: () => 7 as unknown as string,
      };
      await withServer(engine, { unary }, async ({ text, unexpectedErrors }) => {
        await assert.rejects(text('sync', ''), rejected('INTERNAL', /^internal error$/));
        await assert.rejects(text('async', ''), rejected('INTERNAL', /^internal error$/));
        assert.deepEqual(unexpectedErrors, [error, error]);
        await assert.rejects(text('wrong', ''), rejected('INTERNAL', /^internal error$/));
        assert.equal(await text('echo', 'alive'), 'alive');
      });
    });

    it('refuse unreadable requests and unknown methods', async () => {
      const unreadable = {
        kind: 'unary' as const,
        path: '/contract.Texts/unreadable',
        decode: () => {
          throw new RangeError('index out of range: 3 + 10 > 4');
        },
        encode: () => Buffer.alloc(0),
        handler: () => assert.fail('not to be called'),
      };
      await withServer(
        engine,
        {},
        async ({ text, unexpectedErrors }) => {
          await assert.rejects(
            text('unreadable', 'x'),
            rejected('INVALID_ARGUMENT', /not a readable protobuf message/),
          );
          await assert.rejects(text('missing', 'x'), rejected('UNIMPLEMENTED', /./));
          await assert.rejects(text('__proto__', 'x'), rejected('UNIMPLEMENTED', /./));
          await assert.rejects(text('constructor', 'x'), rejected('UNIMPLEMENTED', /./));
          assert.deepEqual(unexpectedErrors, []);
        },
        { methods: [unreadable] },
      );
    });

    it('take exactly one request', async () => {
      await withServer(engine, { unary: { echo } }, (fixture) =>
        withSession(fixture, async (session) => {
          const none = openStream(session, 'echo');
          none.end();
          assert.equal((await answerOf(none)).grpcStatus, 3);
          const two = openStream(session, 'echo');
          two.end(Buffer.concat([framed(Buffer.from('a')), framed(Buffer.from('b'))]));
          assert.equal((await answerOf(two)).grpcStatus, 3);
          const half = openStream(session, 'echo');
          half.end(framed(Buffer.from('abc')).subarray(0, 6));
          assert.equal((await answerOf(half)).grpcStatus, 3);
          const empty = openStream(session, 'echo');
          empty.end(framed(Buffer.alloc(0)));
          assert.equal((await answerOf(empty)).grpcStatus, 0);
        }),
      );
    });

    it('carry large messages, and refuse larger ones without harm', async () => {
      await withServer(engine, { unary: { echo } }, async ({ text }) => {
        const large = 'm'.repeat(4 * MIB);
        assert.equal(await text('echo', large), large);
        await assert.rejects(text('echo', 'm'.repeat(6 * MIB)), rejected('RESOURCE_EXHAUSTED', /larger/i));
        assert.equal(await text('echo', 'small'), 'small');
      });
    });

    it('inflate compressed requests up to the limit only', async () => {
      await withServer(engine, { unary: { echo } }, (fixture) =>
        withSession(fixture, async (session) => {
          const send = (encoding: string, message: Buffer) => {
            const stream = openStream(session, 'echo', { 'grpc-encoding': encoding });
            stream.end(framed(message, 1));
            return answerOf(stream);
          };
          const good = await send('gzip', gzipSync('compressed'));
          assert.deepEqual([good.grpcStatus, good.body.subarray(5).toString()], [0, 'compressed']);
          assert.equal((await send('gzip', gzipSync(Buffer.alloc(64 * MIB)))).grpcStatus, 8);
          assert.equal((await send('gzip', Buffer.from('not gzip'))).grpcStatus, 13);
          assert.equal((await send('snappy', Buffer.from('?'))).grpcStatus, 12);
          assert.equal(await fixture.text('echo', 'alive'), 'alive');
        }),
      );
    });

    it('are cancelled with their client', async () => {
      const started = gate();
      const cancelled = gate();
      const wait: TextUnary = async (_request, call) => {
        started.open();
        call.onCancel(cancelled.open);
        await cancelled.opened;
        assert.ok(call.cancelled);
        let told = 0;
        call.onCancel(() => told++);
        assert.equal(told, 1);
        return 'nobody gets this';
      };
      await withServer(engine, { unary: { wait } }, async ({ text, ended, unexpectedErrors }) => {
        const aborter = new AbortController();
        const answer = text('wait', '', { signal: aborter.signal });
        await started.opened;
        aborter.abort();
        await assert.rejects(answer, rejected('CANCELLED', /./));
        await cancelled.opened;
        await until('the call has ended', () => ended.length === 1);
        assert.deepEqual(ended, ['wait CANCELLED']);
        assert.deepEqual(unexpectedErrors, []);
      });
    });

    it('may be reset in the packet that opens them', async () => {
      await withServer(engine, { unary: { echo } }, async ({ server, text, unexpectedErrors }) => {
        const encoder = new HpackEncoder();
        const reset = { metadata: [], requests: ['x'], encoding: 'none', ending: 'reset', framing: PLAIN } as const;
        const calls: WireCall[] = [
          { ...reset, path: 'echo', contentType: 'application/grpc' },
          { ...reset, path: 'missing', contentType: 'application/grpc' },
          { ...reset, path: 'echo', contentType: 'text/html' },
        ];
        const frames = calls.flatMap((call, index) => framesOf(call, 2 * index + 1, encoder).flat());
        const client = new WireClient(server.port);
        await client.send(Buffer.concat([greeting(), ...frames]));
        assert.equal(await text('echo', 'alive'), 'alive');
        client.close();
        assert.deepEqual(unexpectedErrors, []);
      });
    });

    it('end at their deadline on both sides', async () => {
      const cancelled = gate();
      let hasBegun = false;
      const wait: TextUnary = async (_request, call) => {
        hasBegun = true;
        call.onCancel(cancelled.open);
        await cancelled.opened;
        return '';
      };
      await withServer(engine, { unary: { echo, wait } }, async ({ text, ended }) => {
        assert.equal(await text('echo', 'connected'), 'connected');
        ended.length = 0;
        // On a busy machine a short time can be over before the server has heard of the call.
        for (let timeoutMs = 50; !hasBegun; timeoutMs *= 4)
          await assert.rejects(text('wait', '', { timeoutMs }), rejected('DEADLINE_EXCEEDED', /./));
        await cancelled.opened;
        await until('the call has ended', () => ended.length === 1);
      });
    });

    it('may have a deadline that is years away', async () => {
      const told: number[] = [];
      const wait: TextUnary = async (_request, call) => {
        told.push(call.remainingMs());
        await new Promise((resolve) => setTimeout(resolve, 50));
        return 'in time';
      };
      await withServer(engine, { unary: { wait } }, (fixture) =>
        withSession(fixture, async (session) => {
          for (const timeout of ['2562047H', '99999999H', '99999999M', '99999999S']) {
            const stream = openStream(session, 'wait', { 'grpc-timeout': timeout });
            stream.end(framed(Buffer.alloc(0)));
            assert.equal((await answerOf(stream)).grpcStatus, 0, timeout);
          }
        }),
      );
      assert.equal(told.length, 4);
      for (const remainingMs of told) assert.ok(remainingMs > 20 * 86_400_000, `${remainingMs}`);
    });

    it('refuse too large metadata, and are not confused by odd ones', async () => {
      await withServer(engine, { unary: { echo } }, (fixture) =>
        withSession(fixture, async (session) => {
          await new Promise((resolve) => session.once('remoteSettings', resolve)); // the limit holds from here on
          await new Promise((resolve) => session.ping(resolve));
          const large = openStream(session, 'echo', { 'x-large': 'y'.repeat(20_000) });
          large.end(framed(Buffer.from('a')));
          assert.notEqual((await answerOf(large)).grpcStatus, 0);
          const odd = openStream(session, 'echo', { 'x-latin': 'caf\u00e9', 'x-bin': '%%%', 'grpc-timeout': 'soon' });
          odd.end(framed(Buffer.from('a')));
          assert.notEqual((await answerOf(odd)).httpStatus, undefined);
          const page = openStream(session, 'echo', { 'content-type': 'text/html' });
          page.end();
          assert.equal((await answerOf(page)).httpStatus, 415);
          assert.equal(
            await fixture.text('echo', 'alive', {
              metadata: [
                ['x-a', 'b\r\nc: d'],
                ['grpc-timeout', '1n'],
              ],
            }),
            'alive',
          );
        }),
      );
    });
  });
}
