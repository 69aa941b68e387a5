import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLIENT_ADDRESS_HEADER } from '@orbitmq/protocol';
import type { OpenCall, RpcClient, StreamReceiver, UnaryReceiver } from '../client.ts';
import { passedMetadata } from '../passed-metadata.ts';
import { type BoundMethod, type Call, type Reply, RpcError, type Sink, UnreachableError } from '../service.ts';
import { gate, LIMITS, type RpcEngine, type TextHandlers, textMethod, until, withServer } from './harness.ts';

/** What a receiver was told. */
class Told implements UnaryReceiver {
  response: string | undefined;
  error: RpcError | undefined;
  count = 0;

  onResponse(response: Uint8Array): void {
    this.count++;
    this.response = Buffer.from(response).toString();
  }

  onFailure(error: RpcError): void {
    this.count++;
    this.error = error;
  }
}

/** What the receiver of a stream was told. */
class StreamTold implements StreamReceiver {
  readonly responses: string[] = [];
  error: RpcError | undefined;
  endCount = 0;
  call: OpenCall | undefined;
  /** What the receiver says to its nth response. */
  room: (count: number) => Promise<void> | undefined = () => undefined;

  onResponse(response: Uint8Array): Promise<void> | undefined {
    this.responses.push(Buffer.from(response).toString());
    return this.room(this.responses.length);
  }

  onEnd(error: RpcError | undefined): void {
    this.endCount++;
    this.error = error;
  }
}

/** Methods that pass their calls on to the same method of another server. */
function passing(client: () => RpcClient, names: readonly string[], added?: readonly [string, string]): BoundMethod[] {
  const replyHandler = (request: string, call: Call, reply: Reply<string>): void => {
    let there: OpenCall | undefined;
    call.onCancel(() => there?.cancel());
    there = client().raw.unaryTo(
      call.path,
      Buffer.from(request),
      { metadata: passedMetadata(call, added) },
      {
        onResponse: (response) => reply.respond(Buffer.from(response).toString()),
        onFailure: (error) => reply.reject(error),
      },
    );
  };
  const handler = (request: string, call: Call): Promise<string> =>
    new Promise((respond, reject) => replyHandler(request, call, { respond, reject }));
  return names.map((name) => ({ ...textMethod('unary', name, handler), replyHandler }));
}

export function describePassingOn(engine: RpcEngine): void {
  /** Runs `use` with a server that passes calls on to another one with the given handlers. */
  const withPassing = (
    handlers: NonNullable<TextHandlers['unary']>,
    use: (here: Parameters<Parameters<typeof withServer>[2]>[0], ended: readonly string[]) => Promise<void>,
    added?: readonly [string, string],
  ): Promise<void> =>
    withServer(engine, { unary: handlers }, ({ client, ended }) =>
      withServer(engine, {}, (here) => use(here, ended), {
        methods: passing(() => client, Object.keys(handlers), added),
      }),
    );

  describe('passing on', () => {
    it('takes a request and its answer through, and the metadata of the client', async () => {
      const seen: [string, string][] = [];
      const echo = (request: string, call: Call): string => {
        seen.push(...[...call.metadata.entries()].map(([key, value]): [string, string] => [key, value]));
        return `${request}!`;
      };
      const metadata: [string, string][] = [
        ['x-mq-client-id', 'client-1'],
        ['x-some-bin', Buffer.from([0, 1, 255]).toString('base64')],
        ['authorization', 'MQv2-HMAC-SHA1 Credential=key'],
        ['x-orbitmq-receive-mode', 'take'],
        ['x-empty', ''],
      ];
      await withPassing(
        { echo },
        async ({ text }) => {
          for (const request of ['one', 'two', 'x'.repeat(100_000)]) {
            assert.equal(await text('echo', request, { metadata, timeoutMs: 5_000 }), `${request}!`);
            const passed = new Map(seen.splice(0));
            assert.match(passed.get(CLIENT_ADDRESS_HEADER)!, /^127\.0\.0\.1:\d+$/);
            passed.delete(CLIENT_ADDRESS_HEADER);
            const expected = [...metadata.filter(([key]) => !key.startsWith('x-orbitmq-')), ['x-added', 'by the way']];
            for (const [key, value] of expected) assert.equal(passed.get(key!), value, key);
            assert.ok(!passed.has('x-orbitmq-receive-mode') && !passed.has('grpc-timeout') && !passed.has('te'));
          }
        },
        ['x-added', 'by the way'],
      );
    });

    it('tells clients of different metadata apart', async () => {
      const name = (_request: string, call: Call): string => call.metadata.get('x-mq-client-id') ?? 'nobody';
      await withPassing({ name }, async ({ text }) => {
        const clients = Array.from({ length: 40 }, (_, index) => `client-${index % 7}`);
        const answers = await Promise.all(
          clients.map((client) => text('name', '', { metadata: [['x-mq-client-id', client]] })),
        );
        assert.deepEqual(answers, clients);
        assert.equal(await text('name', ''), 'nobody');
      });
    });

    it('takes refusals back', async () => {
      const refuse = (): string => {
        throw new RpcError('RESOURCE_EXHAUSTED', 'too much of it');
      };
      await withPassing({ refuse }, async ({ text, ended }) => {
        const isRefusal = (error: unknown) =>
          error instanceof RpcError && error.status === 'RESOURCE_EXHAUSTED' && error.message === 'too much of it';
        await assert.rejects(text('refuse', ''), isRefusal);
        await until('the call has ended there', () => ended.length === 1);
        assert.deepEqual(ended, ['refuse RESOURCE_EXHAUSTED']);
      });
    });

    it('cancels there what is cancelled here', async () => {
      const begun = gate();
      let cancelled = false;
      const wait = (_request: string, call: Call): Promise<string> => {
        call.onCancel(() => {
          cancelled = true;
        });
        begun.open();
        return new Promise(() => {});
      };
      await withPassing({ wait }, async ({ text }) => {
        const abort = new AbortController();
        const waiting = text('wait', '', { signal: abort.signal });
        await begun.opened;
        abort.abort();
        await assert.rejects(waiting, (error: unknown) => error instanceof RpcError && error.status === 'CANCELLED');
        await until('the call has been cancelled there', () => cancelled);
      });
    });
  });

  describe('calls with a receiver', () => {
    it('tell it of their cancelling, once', async () => {
      const begun = gate();
      const wait = (): Promise<string> => {
        begun.open();
        return new Promise(() => {});
      };
      await withServer(engine, { unary: { wait } }, async ({ client }) => {
        const told = new Told();
        const call = client.raw.unaryTo('/contract.Texts/wait', Buffer.alloc(0), {}, told);
        await begun.opened;
        call.cancel();
        call.cancel();
        await until('the receiver knows', () => told.count > 0);
        assert.equal(told.error?.status, 'CANCELLED');
        client.close();
        assert.equal(told.count, 1);
      });
    });

    it('tell it that nobody was reached', async () => {
      const client = engine.createClient({ addresses: ['127.0.0.1:1'], tls: undefined });
      const told = new Told();
      client.raw.unaryTo('/contract.Texts/name', Buffer.alloc(0), { timeoutMs: 10_000 }, told);
      await until('the receiver knows', () => told.count > 0);
      assert.ok(told.error instanceof UnreachableError);
      client.close();
    });

    it('end with their deadline', async () => {
      const wait = (): Promise<string> => new Promise(() => {});
      await withServer(engine, { unary: { wait } }, async ({ client }) => {
        const told = new Told();
        client.raw.unaryTo('/contract.Texts/wait', Buffer.alloc(0), { timeoutMs: 50 }, told);
        await until('the receiver knows', () => told.count > 0);
        assert.equal(told.error?.status, 'DEADLINE_EXCEEDED');
      });
    });

    it('are as many at a time as the server says', async () => {
      const echo = (request: string): string => request;
      const limits = { ...LIMITS, concurrentStreamsMax: 70 };
      await withServer(
        engine,
        { unary: { echo } },
        async ({ client, text }) => {
          assert.equal(client.openCallsMax, 100);
          await text('echo', 'a');
          assert.ok([70, 100].includes(client.openCallsMax), 'what the server says, where the engine shows it');
        },
        { limits },
      );
    });
  });

  describe('streams with a receiver', () => {
    it('tell all responses in order, then the end', async () => {
      const count = async (request: string, _call: Call, sink: Sink<string>): Promise<void> => {
        for (let number = 0; number < 100; number++)
          await sink.write(`${request} ${number} ${'x'.repeat(number * 100)}`);
      };
      await withServer(engine, { serverStream: { count } }, async ({ client }) => {
        const told = new StreamTold();
        client.raw.serverStreamTo('/contract.Texts/count', Buffer.from('number'), {}, told);
        await until('the end is told', () => told.endCount > 0);
        assert.equal(told.error, undefined);
        assert.deepEqual(
          told.responses.map((text) => text.split(' ')[1]),
          Array.from({ length: 100 }, (_, number) => String(number)),
        );
      });
    });

    it('tell nothing while the receiver takes no more, and hold the server back', async () => {
      let sentCount = 0;
      const text = 'x'.repeat(100_000);
      const flood = async (_request: string, call: Call, sink: Sink<string>): Promise<void> => {
        for (; sentCount < 300 && !call.cancelled; sentCount++) await sink.write(text);
      };
      await withServer(engine, { serverStream: { flood } }, async ({ client }) => {
        const room = gate();
        const told = new StreamTold();
        told.room = (count) => (count === 2 ? room.opened : undefined);
        client.raw.serverStreamTo('/contract.Texts/flood', Buffer.alloc(0), {}, told);
        await until('two were told', () => told.responses.length === 2);
        let before = -1;
        await until('the server is held back', () => {
          const isSame = before === sentCount;
          before = sentCount;
          return isSame;
        });
        assert.ok(sentCount < 300, `${sentCount}`);
        assert.deepEqual([told.responses.length, told.endCount], [2, 0]);
        room.open();
        await until('the end is told', () => told.endCount > 0);
        assert.deepEqual([told.responses.length, told.error], [300, undefined]);
        assert.ok(told.responses.every((response) => response === text));
      });
    });

    it('tell an error behind the responses that came before it, however late these are taken', async () => {
      const fail = async (_request: string, _call: Call, sink: Sink<string>): Promise<void> => {
        for (const text of ['one', 'two', 'three']) await sink.write(text);
        throw new RpcError('RESOURCE_EXHAUSTED', 'enough');
      };
      await withServer(engine, { serverStream: { fail } }, async ({ client, ended }) => {
        const room = gate();
        const told = new StreamTold();
        told.room = (count) => (count === 1 ? room.opened : undefined);
        client.raw.serverStreamTo('/contract.Texts/fail', Buffer.alloc(0), {}, told);
        await until('the server has ended it', () => ended.length > 0 && told.responses.length > 0);
        assert.deepEqual([told.responses, told.endCount], [['one'], 0]);
        room.open();
        await until('the end is told', () => told.endCount > 0);
        assert.deepEqual([told.responses, told.error?.status], [['one', 'two', 'three'], 'RESOURCE_EXHAUSTED']);
      });
    });

    it('end once when they are cancelled, also by the receiver itself and while it takes no more', async () => {
      let cancelledCount = 0;
      const wait = (_request: string, call: Call, sink: Sink<string>): Promise<void> => {
        void sink.write('here');
        return new Promise((resolve) => {
          call.onCancel(() => {
            cancelledCount++;
            resolve();
          });
        });
      };
      await withServer(engine, { serverStream: { wait } }, async ({ client }) => {
        const begin = (room: () => Promise<void> | undefined): StreamTold => {
          const told = new StreamTold();
          told.room = room;
          told.call = client.raw.serverStreamTo('/contract.Texts/wait', Buffer.alloc(0), {}, told);
          return told;
        };
        const late = gate();
        const calls = [begin(() => undefined), begin(() => late.opened)];
        const self: StreamTold = begin(() => {
          self.call!.cancel();
          return late.opened;
        });
        calls.push(self);
        await until('all have a response', () => calls.every(({ responses }) => responses.length === 1));
        for (const { call } of calls) call!.cancel();
        late.open();
        await until('all have ended', () => calls.every(({ endCount }) => endCount > 0));
        for (const { call } of calls) call!.cancel();
        await until('the server knows', () => cancelledCount === 3);
        for (const { error, endCount } of calls) assert.deepEqual([error?.status, endCount], ['CANCELLED', 1]);
      });
    });
  });
}
