import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Code, type MessageQueue, MessagingServiceDefinition as Messaging } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { CallOptions, RpcServer } from '@orbitmq/rpc';
import { serverStream, unary } from '@orbitmq/rpc';
import { serve, TestRelay } from './test-broker.ts';

const TOPIC = { resourceNamespace: '', name: 'orders' };
const GROUP = { resourceNamespace: '', name: 'group' };
const OK = { code: Code.OK, message: 'OK' };
const CLIENT: CallOptions = { metadata: [['x-mq-client-id', 'client-1']], timeoutMs: 5000 };

/** A broker whose queues all have one offset. */
function brokerAt(offset: bigint): Promise<RpcServer> {
  return serve([
    unary(Messaging, 'queryOffset', () => ({ status: OK, offset })),
    unary(Messaging, 'getOffset', () => ({ status: OK, offset })),
    unary(Messaging, 'updateOffset', () => ({ status: { code: Code.ILLEGAL_OFFSET, message: String(offset) } })),
    serverStream(Messaging, 'pullMessage', async (request, _call, sink) => {
      sink.write({ status: OK });
      sink.write({ nextOffset: offset + request.offset });
    }),
  ]);
}

describe('relay of calls about one queue', () => {
  let relay: TestRelay;
  let brokers: RpcServer[];
  before(async () => {
    relay = await TestRelay.start();
    brokers = [await brokerAt(100n), await brokerAt(200n)];
    relay.register('broker-a', brokers[0]!.port, ['orders']);
    relay.register('broker-b', brokers[1]!.port, ['orders']);
  });
  after(async () => {
    await relay.stop();
    await Promise.all(brokers.map((broker) => broker.stop(0)));
  });

  const queueOn = (name: string): MessageQueue => ({
    topic: TOPIC,
    id: 0,
    permission: 4,
    broker: { name, id: 0, endpoints: undefined },
    acceptMessageTypes: [],
  });
  const offsetOn = (name: string) =>
    relay.client.unary(Messaging, 'getOffset', { group: GROUP, messageQueue: queueOn(name) }, CLIENT);
  /** @param whenBegun called when the server has been told to stop, which it is with the first response */
  const pullFrom = async (name: string, through = relay, whenBegun?: () => void) => {
    const request = {
      group: GROUP,
      messageQueue: queueOn(name),
      offset: 7n,
      batchSize: 1,
      filterExpression: undefined,
      longPollingTimeout: undefined,
    };
    const codes: unknown[] = [];
    for await (const { status, nextOffset } of through.client.serverStream(Messaging, 'pullMessage', request, CLIENT)) {
      codes.push(status?.code ?? nextOffset);
      if (whenBegun === undefined || codes.length > 1) continue;
      void through.stopServer(3_000);
      setImmediate(whenBegun);
    }
    return codes;
  };

  it('goes to the broker that the queue names', async () => {
    assert.equal((await offsetOn('broker-a')).offset, 100n);
    assert.equal((await offsetOn('broker-b')).offset, 200n);
    const queried = { messageQueue: queueOn('broker-b'), queryOffsetPolicy: 1 as const };
    assert.equal((await relay.client.unary(Messaging, 'queryOffset', queried, CLIENT)).offset, 200n);
    const updated = { group: GROUP, messageQueue: queueOn('broker-b'), offset: 1n };
    const { status } = await relay.client.unary(Messaging, 'updateOffset', updated, CLIENT);
    assert.deepEqual(status, { code: Code.ILLEGAL_OFFSET, message: '200' });
    assert.deepEqual(await pullFrom('broker-b'), [Code.OK, 207n]);
  });

  it('says so when the broker is not there, or is not named where there are two', async () => {
    assert.equal((await offsetOn('broker-c')).status?.code, Code.INTERNAL_SERVER_ERROR);
    assert.equal((await offsetOn('')).status?.code, Code.BAD_REQUEST);
    assert.deepEqual(await pullFrom('broker-c'), [Code.INTERNAL_SERVER_ERROR]);
    assert.deepEqual(await pullFrom(''), [Code.BAD_REQUEST]);
  });

  it('is given up when this server stops as long as nothing has come, and else goes on to its end', async () => {
    for (const hasBegun of [true, false]) {
      const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const broker = await serve([
        serverStream(Messaging, 'pullMessage', async (request, call, sink) => {
          if (hasBegun) sink.write({ status: OK });
          asked.resolve();
          call.onCancel(answer.resolve);
          await answer.promise;
          sink.write({ nextOffset: 100n + request.offset });
        }),
      ]);
      const stopping = await TestRelay.start();
      stopping.register('broker-c', broker.port, ['orders']);
      const pulled = pullFrom('broker-c', stopping, answer.resolve);
      await asked.promise;
      if (!hasBegun) await stopping.stopServer(3_000);
      assert.deepEqual(await pulled, hasBegun ? [Code.OK, 107n] : [Code.MESSAGE_NOT_FOUND, 7n]);
      await stopping.stop();
      await broker.stop(0);
    }
  });
});
