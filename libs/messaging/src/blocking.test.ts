import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { handleOf, idsOf, message, TestBroker } from './test-broker.ts';

let broker: TestBroker;
before(async () => {
  broker = await TestBroker.start();
  await broker.makeTopic('orders', 'FIFO');
});
after(() => broker.stop());

test('with fifo.blocking=MESSAGE_GROUP a message that is not settled holds up its message group only', async () => {
  await broker.makeGroup('group', {
    consumeMessageOrderly: true,
    attributes: new Map([['fifo.blocking', 'MESSAGE_GROUP']]),
  });
  for (const id of ['a1', 'a2', 'b1', 'b2']) await broker.send(message(id, { system: { messageGroup: id[0] } }));
  const one = { batchSize: 1, pollingMs: 5_000 };
  const first = await broker.receive({ ...one, attemptId: 'x' });
  assert.deepEqual(idsOf(first), ['a1']);
  const second = await broker.receive({ ...one, attemptId: 'y' });
  assert.deepEqual(idsOf(second), ['b1']);
  assert.equal((await broker.receive(one)).status.code, Code.MESSAGE_NOT_FOUND);
  assert.deepEqual(
    idsOf(await broker.receive({ ...one, attemptId: 'x' })),
    ['a1'],
    'a repeated call is answered alike',
  );
  await broker.ack([handleOf(second.messages[0]!)]);
  assert.deepEqual(idsOf(await broker.receive(one)), ['b2']);
  await broker.forward(handleOf(first.messages[0]!));
  const next = await broker.receive(one);
  assert.deepEqual(idsOf(next), ['a2']);
  assert.equal(next.messages[0]!.systemProperties?.deliveryAttempt, 1);
});
