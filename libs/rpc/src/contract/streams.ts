import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { describe, it } from 'node:test';
import { KIB, MIB } from '@orbitmq/base';
import type { RpcLimit } from '../server.ts';
import { RpcError } from '../service.ts';
import {
  answerOf,
  framed,
  gate,
  LIMITS,
  openStream,
  type RpcEngine,
  type TextBidi,
  type TextStream,
  textsOf,
  until,
  withServer,
  withSession,
} from './harness.ts';

const count: TextStream = async (request, _call, sink) => {
  for (let n = 0; n < Number(request); n++) await sink.write(`${n}`);
};

const chat: TextBidi = async (requests, _call, sink) => {
  for await (const request of requests) await sink.write(`re: ${request}`);
};

export function describeStreams(engine: RpcEngine): void {
  describe('server streams', () => {
    it('bring all messages in order, also none', async () => {
      await withServer(engine, { serverStream: { count } }, async ({ client, ended }) => {
        const read = (n: number) => textsOf(client.raw.serverStream('/contract.Texts/count', Buffer.from(`${n}`)));
        assert.deepEqual(await read(3), ['0', '1', '2']);
        assert.deepEqual(await read(0), []);
        assert.equal((await read(5_000)).at(-1), '4999');
        await until('all have ended', () => ended.length === 3);
        assert.deepEqual(ended, ['count OK', 'count OK', 'count OK']);
      });
    });

    it('bring what was sent before an error, then the error', async () => {
      const fail: TextStream = async (_request, _call, sink) => {
        await sink.write('one');
        throw new RpcError('ABORTED', 'enough');
      };
      await withServer(engine, { serverStream: { fail } }, async ({ client }) => {
        const seen: string[] = [];
        await assert.rejects(
          async () => {
            for await (const bytes of client.raw.serverStream('/contract.Texts/fail', Buffer.alloc(0))) {
              seen.push(Buffer.from(bytes).toString());
            }
          },
          (error) => error instanceof RpcError && error.status === 'ABORTED' && error.message === 'enough',
        );
        assert.deepEqual(seen, ['one']);
      });
    });

    it('make the handler wait for a peer that does not read, and let it go when the peer leaves', async () => {
      let writtenBytes = 0;
      const left = gate();
      const flood: TextStream = async (_request, call, sink) => {
        const message = 'f'.repeat(10 * KIB);
        while (!call.cancelled) {
          await sink.write(message);
          writtenBytes += message.length;
        }
        left.open();
      };
      await withServer(engine, { serverStream: { flood } }, async (fixture) => {
        await withSession(fixture, async (session) => {
          const stream = openStream(session, 'flood');
          stream.end(framed(Buffer.alloc(0)));
          await new Promise((resolve) => stream.once('response', resolve));
          let before = -1;
          await until('the handler waits', () => {
            const isStill = before === writtenBytes;
            before = writtenBytes;
            return isStill && writtenBytes > 0;
          });
          assert.ok(writtenBytes < 4 * MIB, `${writtenBytes} bytes wait for the peer`);
        });
        await left.opened;
      });
    });

    it('are cancelled when the reader stops', async () => {
      const cancelled = gate();
      const endless: TextStream = async (_request, call, sink) => {
        call.onCancel(cancelled.open);
        await sink.write('first');
        await cancelled.opened;
      };
      await withServer(engine, { serverStream: { endless } }, async ({ client }) => {
        for await (const _bytes of client.raw.serverStream('/contract.Texts/endless', Buffer.alloc(0))) break;
        await cancelled.opened;
      });
    });
  });

  describe('bidi calls', () => {
    it('carry messages both ways until both sides have ended', async () => {
      await withServer(engine, { bidi: { chat } }, async ({ client }) => {
        const call = client.raw.bidi('/contract.Texts/chat');
        for (let n = 0; n < 1_000; n++) await call.write(Buffer.from(`${n}`));
        call.end();
        const answers = await textsOf(call.responses);
        assert.equal(answers.length, 1_000);
        assert.equal(answers[999], 're: 999');
      });
    });

    it('slow down a client that sends faster than the handler reads', async () => {
      const goOn = gate();
      let readCount = 0;
      const slow: TextBidi = async (requests, _call, sink) => {
        await goOn.opened;
        for await (const _request of requests) readCount++;
        await sink.write(`${readCount}`);
      };
      await withServer(engine, { bidi: { slow } }, async ({ client }) => {
        const call = client.raw.bidi('/contract.Texts/slow');
        const message = Buffer.alloc(64 * KIB);
        let sentCount = 0;
        let waiting = false;
        const sending = (async () => {
          for (; sentCount < 200; sentCount++) {
            const room = call.write(message);
            waiting = room !== undefined;
            await room;
          }
          call.end();
        })();
        let before = -1;
        await until('the client waits', () => {
          const isStill = waiting && before === sentCount;
          before = sentCount;
          return isStill;
        });
        assert.ok(sentCount < 100, `${sentCount} messages of 64 KiB taken from the client`);
        goOn.open();
        await sending;
        assert.deepEqual(await textsOf(call.responses), ['200']);
      });
    });

    it('tell the handler when the client is cut', async () => {
      const failure = gate();
      let status = '';
      const listen: TextBidi = async (requests, call, sink) => {
        await sink.write('ready');
        try {
          for await (const _request of requests);
        } catch (error) {
          status = error instanceof RpcError ? error.status : String(error);
          assert.ok(call.cancelled);
          failure.open();
          throw error;
        }
      };
      await withServer(engine, { bidi: { listen } }, async (fixture) => {
        await withSession(fixture, async (session) => {
          const stream = openStream(session, 'listen');
          await new Promise((resolve) => stream.once('data', resolve));
        });
        await failure.opened;
        assert.equal(status, 'CANCELLED');
        assert.deepEqual(fixture.unexpectedErrors, []);
      });
    });

    it('free the stream when the handler ends before the client', async () => {
      const refuse: TextBidi = () => Promise.reject(new RpcError('UNAUTHENTICATED', 'who are you?'));
      await withServer(engine, { bidi: { refuse } }, (fixture) =>
        withSession(fixture, async (session) => {
          // More calls than may be open at once: each has to leave its place though no client side is ever ended.
          const streams = Array.from({ length: LIMITS.concurrentStreamsMax + 10 }, () => openStream(session, 'refuse'));
          for (const answer of await Promise.all(streams.map(answerOf))) {
            assert.equal(answer.grpcStatus, 16);
            assert.equal(answer.resetCode, constants.NGHTTP2_NO_ERROR);
          }
        }),
      );
    });
  });

  describe('unfinished requests', () => {
    const messages = {
      'that are not complete': framed(Buffer.alloc(4 * MIB), 0, 5 * MIB),
      'whose side is not ended': framed(Buffer.alloc(4 * MIB)),
    };
    for (const [which, message] of Object.entries(messages)) {
      it(`${which} are ended, the oldest first, before they fill the memory`, async () => {
        const echo = (request: string): string => request;
        const exceeded: RpcLimit[] = [];
        await withServer(
          engine,
          { unary: { echo } },
          (fixture) =>
            withSession(fixture, async (session) => {
              session.setLocalWindowSize(MIB);
              const begun = Array.from({ length: 40 }, () => {
                const stream = openStream(session, 'echo');
                stream.write(message);
                return answerOf(stream);
              });
              const first = await begun[0]!;
              assert.equal(first.grpcStatus, 8);
              assert.match(first.grpcMessage, /unfinished requests/);
              assert.equal(await fixture.text('echo', 'neighbour'), 'neighbour');
              assert.equal(exceeded[0], 'unfinishedBytes');
            }),
          { onLimit: (one) => exceeded.push(one) },
        );
      });

      it(`${which} have the limit that is given`, async () => {
        const exceeded: RpcLimit[] = [];
        await withServer(
          engine,
          { unary: { echo: (request) => request } },
          (fixture) =>
            withSession(fixture, async (session) => {
              const begun = Array.from({ length: 3 }, () => {
                const stream = openStream(session, 'echo');
                stream.write(message.subarray(0, 40 * KIB));
                return answerOf(stream);
              });
              assert.equal((await begun[0]!).grpcStatus, 8);
              assert.deepEqual(exceeded, ['unfinishedBytes']);
            }),
          { limits: { ...LIMITS, unfinishedBytesMax: 100 * KIB }, onLimit: (one) => exceeded.push(one) },
        );
      });
    }
  });
}
