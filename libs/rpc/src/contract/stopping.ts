import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RpcError } from '../service.ts';
import { gate, type RpcEngine, type TextBidi, type TextStream, type TextUnary, until, withServer } from './harness.ts';

const isUnavailable = (error: unknown): boolean => error instanceof RpcError && error.status === 'UNAVAILABLE';

export function describeStopping(engine: RpcEngine): void {
  describe('stopping', () => {
    it('lets open calls finish, tells those that wait, and takes no more', async () => {
      const [started, finish] = [gate(), gate()];
      const slow: TextUnary = async () => {
        started.open();
        await finish.opened;
        return 'done';
      };
      const poll: TextStream = async (_request, call, sink) => {
        await sink.write('waiting');
        await new Promise<void>((resolve) => call.onDrain(resolve));
        assert.ok(call.draining);
        await sink.write('drained');
      };
      const listen: TextBidi = async (requests, _call, sink) => {
        await sink.write('listening');
        for await (const _request of requests);
        await sink.write('ended');
      };
      await withServer(
        engine,
        { unary: { slow }, serverStream: { poll }, bidi: { listen } },
        async ({ server, client, text }) => {
          const slowAnswer = text('slow', '');
          await started.opened;
          const texts: string[] = [];
          const collect = async (messages: AsyncIterable<Uint8Array>): Promise<void> => {
            for await (const bytes of messages) texts.push(Buffer.from(bytes).toString());
          };
          const polling = collect(client.raw.serverStream('/contract.Texts/poll', Buffer.alloc(0)));
          const listening = collect(client.raw.bidi('/contract.Texts/listen').responses);
          await until('both streams wait', () => texts.length === 2);

          let stopped = false;
          const stopping = server.stop(10_000).then(() => {
            stopped = true;
          });
          await Promise.all([polling, listening]);
          assert.deepEqual(texts.slice(2).sort(), ['drained', 'ended']);
          assert.equal(stopped, false, 'the slow call is still open');
          finish.open();
          assert.equal(await slowAnswer, 'done');
          await stopping;
          assert.equal(server.connectionCount, 0);
          await server.stop(10_000);
          await assert.rejects(text('slow', ''), isUnavailable);
        },
      );
    });

    it('ends what is left when the time is over', async () => {
      const started = gate();
      let cancelledCount = 0;
      const stubborn: TextStream = async (_request, call, sink) => {
        call.onCancel(() => cancelledCount++);
        await sink.write('on');
        started.open();
        await new Promise<void>((resolve) => call.onCancel(resolve));
      };
      const deaf: TextUnary = (_request, call) => {
        call.onCancel(() => cancelledCount++);
        return new Promise(() => {});
      };
      await withServer(
        engine,
        { unary: { deaf }, serverStream: { stubborn } },
        async ({ server, client, text, ended }) => {
          const unanswered = assert.rejects(text('deaf', ''), isUnavailable);
          const cut = assert.rejects(async () => {
            for await (const _bytes of client.raw.serverStream('/contract.Texts/stubborn', Buffer.alloc(0)));
          }, isUnavailable);
          await started.opened;
          await server.stop(50);
          await Promise.all([unanswered, cut]);
          assert.equal(cancelledCount, 2);
          assert.equal(server.connectionCount, 0);
          assert.deepEqual(ended.sort(), ['deaf UNAVAILABLE', 'stubborn UNAVAILABLE']);
        },
      );
    });
  });
}
