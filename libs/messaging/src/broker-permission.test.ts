import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Code,
  MessagingServiceDefinition,
  PullMessageRequest,
  type PullMessageResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { as, message, TestBroker } from './test-broker.ts';

async function withBroker(brokerPermission: number, run: (broker: TestBroker) => Promise<void>): Promise<void> {
  const broker = await TestBroker.start({ brokerPermission });
  try {
    await broker.makeTopic('orders');
    await run(broker);
  } finally {
    await broker.stop();
  }
}

test('a broker without the write bit refuses sends, makes no topic for them, and gives what it has', () =>
  withBroker(4, async (broker) => {
    for (const topic of ['orders', 'unknown']) {
      const { status, entries } = await broker.send(message('id-1', { topic }));
      assert.equal(status?.code, Code.FORBIDDEN);
      assert.match(status?.message ?? '', /brokerPermission=4.*set it to 6/);
      assert.deepEqual(entries, []);
    }
    assert.equal(broker.shard.metadata.topic('unknown'), undefined);
    const { status } = await broker.receive({ pollingMs: 0 });
    assert.equal(status.code, Code.MESSAGE_NOT_FOUND);
  }));

test('a broker that is drained refuses sends when its grace is over, makes no topic for them, and goes on with receives', () =>
  withBroker(6, async (broker) => {
    const nowMs = broker.clock.wallMs();
    await broker.run(broker.shard.putStanding({ drain: { sinceMs: nowMs, refusesFromMs: nowMs + 1_000 } }));
    assert.equal((await broker.send(message('id-1'))).status?.code, Code.OK);
    await broker.clock.advance(1_000);
    for (const topic of ['orders', 'unknown']) {
      const { status } = await broker.send(message('id-2', { topic }));
      assert.equal(status?.code, Code.HA_NOT_AVAILABLE);
      assert.match(status?.message ?? '', /being emptied.*send to another/);
    }
    assert.equal(broker.shard.metadata.topic('unknown'), undefined);
    assert.equal((await broker.receive()).messages.length, 1);
  }));

test('a broker without the read bit refuses receives and pulls, and takes sends', () =>
  withBroker(2, async (broker) => {
    const sent = await broker.send(message('id-1'));
    assert.equal(sent.status?.code, Code.OK);
    const { status, messages } = await broker.receive();
    assert.equal(status.code, Code.FORBIDDEN);
    assert.match(status.message, /brokerPermission=2.*set it to 6/);
    assert.deepEqual(messages, []);
    assert.equal(broker.shard.metadata.group('group'), undefined);
    const request = { ...PullMessageRequest.decode(new Uint8Array()), ...broker.receiveRequest(), offset: 0n };
    const responses: PullMessageResponse[] = [];
    const pull = async (): Promise<void> => {
      const calls = broker.client.serverStream(MessagingServiceDefinition, 'pullMessage', request, as('consumer'));
      for await (const response of calls) responses.push(response);
    };
    await broker.run(pull());
    assert.equal(responses[0]?.status?.code, Code.FORBIDDEN);
  }));
