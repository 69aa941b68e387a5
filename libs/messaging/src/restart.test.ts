import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { SimClock } from '@orbitmq/testkit';
import { memoryVfs } from '@orbitmq/vfs';
import { NO_MESSAGING_EVENTS } from './events.ts';
import { handleOf, message, TestBroker } from './test-broker.ts';

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
