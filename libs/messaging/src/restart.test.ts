import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ClientType,
  Code,
  EndTransactionRequest,
  HeartbeatRequest,
  MessageType,
  MessagingServiceDefinition,
  TransactionResolution,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { SimClock } from '@orbitmq/testkit';
import { memoryVfs } from '@orbitmq/vfs';
import { NO_MESSAGING_EVENTS } from './events.ts';
import { as, handleOf, idsOf, message, resource, TestBroker } from './test-broker.ts';
import { timestampOf } from './times.ts';

const { COMMIT } = TransactionResolution;

test('receipt handles outlive a restart of the broker', async () => {
  const storage = { clock: new SimClock(), vfs: memoryVfs() };
  const before = await TestBroker.start({}, NO_MESSAGING_EVENTS, storage);
  await before.makeTopic('orders');
  await before.send(message('acked'), message('held'), message('renewed'));
  const handles = (await before.receive({ batchSize: 2 })).messages.map(handleOf);
  const renewed = (await before.receive({ autoRenew: true })).messages.map(handleOf);
  assert.equal((await before.ack([handles[0]!])).status?.code, Code.OK);
  await before.stop();

  const after = await TestBroker.start({}, NO_MESSAGING_EVENTS, storage);
  try {
    for (const handle of [handles[0]!, handles[1]!, handles[1]!, renewed[0]!, renewed[0]!]) {
      assert.equal((await after.ack([handle])).status?.code, Code.OK);
    }
    await after.clock.advance(3_600_000);
    assert.equal((await after.receive()).status.code, Code.MESSAGE_NOT_FOUND);
  } finally {
    await after.stop();
  }
});

test('handles of what was lost in a crash touch nothing that has its place now', async ({ mock }) => {
  const broker = await TestBroker.start();
  try {
    for (const [name, type] of [
      ['orders', 'NORMAL'],
      ['tx', 'TRANSACTION'],
      ['timed', 'DELAY'],
    ] as const) {
      await broker.makeTopic(name, type);
    }
    await broker.send(message('held'));
    const [receiptHandle] = (await broker.receiveLater()).messages.map(handleOf);
    const half = message('half', { topic: 'tx', system: { messageType: MessageType.TRANSACTION } });
    const { transactionId } = (await broker.send(half)).entries[0]!;
    const deliveryTimestamp = timestampOf(broker.clock.wallMs() + 3_600_000);
    const timed = message('timed', { topic: 'timed', system: { messageType: MessageType.DELAY, deliveryTimestamp } });
    const { recallHandle } = (await broker.send(timed)).entries[0]!;
    const use = async (): Promise<(Code | undefined)[]> => {
      const commit = { topic: resource('tx'), messageId: 'half', transactionId, resolution: COMMIT };
      const ended = await broker.client.unary(
        MessagingServiceDefinition,
        'endTransaction',
        { ...EndTransactionRequest.decode(new Uint8Array()), ...commit },
        as('producer'),
      );
      const recalled = await broker.client.unary(
        MessagingServiceDefinition,
        'recallMessage',
        { topic: resource('timed'), recallHandle },
        as('producer'),
      );
      return [(await broker.ack([receiptHandle!])).status, ended.status, recalled.status].map((status) => status?.code);
    };
    const lost = mock.method(broker.shard, 'isKept', () => false);
    assert.deepEqual(await use(), [Code.INVALID_RECEIPT_HANDLE, Code.INVALID_TRANSACTION_ID, Code.BAD_REQUEST]);
    lost.mock.restore();
    assert.deepEqual(await use(), [Code.OK, Code.OK, Code.OK]);
  } finally {
    await broker.stop();
  }
});

/** Heartbeats of a push consumer, every ten seconds for `ms`. */
async function live(broker: TestBroker, clientId: string, ms: number): Promise<void> {
  const request = { ...HeartbeatRequest.decode(new Uint8Array()), clientType: ClientType.PUSH_CONSUMER };
  for (let leftMs = ms; leftMs > 0; leftMs -= 10_000) {
    await broker.client.unary(MessagingServiceDefinition, 'heartbeat', request, as(clientId));
    await broker.clock.advance(Math.min(10_000, leftMs));
  }
}

/** Messages that anybody could have now; a receive would move time on while the network takes its own. */
function freeCount({ shard }: TestBroker): number {
  return shard.progress(shard.metadata.group('group')!, shard.metadata.topic('orders')!)[0]!.readyAgainCount;
}

for (const [how, downMs] of [
  ['at once', 0],
  ['after all its leases have ended', 900_000],
] as const) {
  test(`what living clients hold is renewed on when the broker is back ${how}`, async () => {
    const storage = { clock: new SimClock(), vfs: memoryVfs() };
    const before = await TestBroker.start({}, NO_MESSAGING_EVENTS, storage);
    await before.makeTopic('orders');
    for (const [client, ids] of [
      ['back', ['kept', 'acked']],
      ['gone', ['freed']],
    ] as const) {
      await before.send(...ids.map((id) => message(id)));
      assert.deepEqual(idsOf(await before.receiveLater({ autoRenew: true }, as(client))), ids);
    }
    await live(before, 'gone', 20_000);
    await live(before, 'back', 60_000);
    await before.send(message('late'));
    const late = await before.receiveLater({ autoRenew: true }, as('back'));
    await before.clock.advance(2_000);
    await live(before, 'back', 1);
    await before.send(message('unproven'));
    await before.receiveLater({ autoRenew: true }, as('back'));
    await before.stop();
    await storage.clock.advance(downMs);

    const after = await TestBroker.start({}, NO_MESSAGING_EVENTS, storage);
    try {
      await live(after, 'back', 20_000);
      const acked = await after.ack(late.messages.map(handleOf), { options: as('back') });
      assert.equal(acked.status?.code, Code.OK);
      assert.equal(freeCount(after), downMs === 0 ? 0 : 1, 'what may never have arrived');
      await live(after, 'back', 45_000);
      assert.equal(freeCount(after), 2);
      await live(after, 'back', 1_800_000);
      assert.equal(freeCount(after), 2);
      const freed = await after.receive({ invisibleMs: 10_000 }, as('other'));
      assert.deepEqual(idsOf(freed).sort(), ['freed', 'unproven']);
      assert.equal(after.service.gauges().renewedMessages, 2);
    } finally {
      await after.stop();
    }
  });
}
