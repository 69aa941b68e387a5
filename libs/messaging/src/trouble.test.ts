import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import { Code, type SendMessageResponse } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { CommitLogOptions } from '@orbitmq/storage';
import { SimClock, SimDisk } from '@orbitmq/testkit';
import { NO_MESSAGING_EVENTS } from './events.ts';
import { handleOf, idsOf, message, TestBroker } from './test-broker.ts';

/** A broker on a disk that can be made to fail or to be slow. */
async function onDisk(
  flushDiskType: 'SYNC_FLUSH' | 'ASYNC_FLUSH',
  changes: Partial<CommitLogOptions> = {},
): Promise<{ broker: TestBroker; disk: SimDisk }> {
  const clock = new SimClock();
  const disk = new SimDisk({ clock, random: seededRandom(3), latencyMs: 0, syncLatencyMs: 0 });
  const log = { flushDiskType, unsettledBytesMax: 1024 * 1024, recordBytesMax: 512 * 1024, ...changes };
  const broker = await TestBroker.start({}, NO_MESSAGING_EVENTS, { clock, vfs: disk, log });
  await broker.run(broker.makeTopic('orders'));
  return { broker, disk };
}

for (const [flushDiskType, operation] of [
  ['SYNC_FLUSH', 'sync'],
  ['ASYNC_FLUSH', 'write'],
] as const) {
  test(`a failed ${operation} is an unknown outcome, for sends and acks, and for all that come later`, async () => {
    const { broker, disk } = await onDisk(flushDiskType);
    await broker.run(broker.send(message('good')));
    const { messages } = await broker.receive();
    disk.inject({ operation, path: '/store', error: 'EIO' });
    const lost = await broker.run(broker.send(message('lost')));
    assert.equal(lost.status?.code, Code.MASTER_PERSISTENCE_TIMEOUT, lost.status?.message);
    assert.deepEqual(lost.entries, []);
    const later = await broker.run(broker.send(message('later')));
    assert.ok(later.status!.code >= 50_000, later.status?.message);
    const acked = await broker.run(broker.ack([handleOf(messages[0]!)]));
    assert.notEqual(acked.status?.code, Code.OK);
    assert.notEqual((await broker.receive()).status.code, Code.OK);
    await broker.stop().catch(() => undefined);
  });
}

test('an ack that could not be stored is not OK', async () => {
  const { broker, disk } = await onDisk('SYNC_FLUSH');
  await broker.run(broker.send(message('good')));
  const { messages } = await broker.receive();
  disk.inject({ operation: 'sync', path: '/store', error: 'EIO' });
  const acked = await broker.run(broker.ack([handleOf(messages[0]!)]));
  assert.equal(acked.status?.code, Code.MASTER_PERSISTENCE_TIMEOUT);
  assert.deepEqual(acked.entries, []);
  await broker.stop().catch(() => undefined);
});

test('acks that the log can not take now are refused, all of them, and good later', async () => {
  const { broker, disk } = await onDisk('SYNC_FLUSH');
  for (let index = 0; index < 32; index++) await broker.run(broker.send(message(`m${index}`)));
  const { messages } = await broker.receive();
  assert.equal(messages.length, 32);
  const { position: settled } = broker.shard;
  disk.inject({ operation: 'sync', path: '/store', delayMs: 5_000 });
  const roomBytes = (): number => 1024 * 1024 - (broker.shard.position - settled);
  const sends = ['a', 'b'].map((id) => broker.send(message(id, { body: new Uint8Array(300 * 1024) })));
  await broker.until(() => roomBytes() < 500 * 1024);
  sends.push(broker.send(message('c', { body: new Uint8Array(roomBytes() - 600) })));
  // What an ack of 32 messages takes.
  await broker.until(() => roomBytes() < 550);
  const refused = await broker.run(broker.ack(messages.map(handleOf)));
  assert.equal(refused.status?.code, Code.TOO_MANY_REQUESTS);
  assert.ok(refused.entries.every(({ status }) => status?.code === Code.TOO_MANY_REQUESTS));
  for (const send of sends) assert.equal((await broker.run(send)).status?.code, Code.OK);
  assert.equal((await broker.run(broker.ack(messages.map(handleOf)))).status?.code, Code.OK);
  await broker.stop();
});

test('what the log can not take now is refused, and nothing of it is stored', async () => {
  const { broker, disk } = await onDisk('SYNC_FLUSH');
  disk.inject({ operation: 'sync', path: '/store', delayMs: 5_000 });
  const body = new Uint8Array(300 * 1024);
  const first = broker.send(message('first', { body }));
  await broker.until(() => broker.shard.statistics().logEndOffset > 300 * 1024);
  const batch = broker.send(...['a', 'b', 'c', 'd'].map((id) => message(id, { body })));
  await broker.until(() => broker.shard.statistics().logEndOffset > 900 * 1024);
  const refused = await broker.send(message('e', { body }));
  assert.equal(refused.status?.code, Code.TOO_MANY_REQUESTS);
  assert.equal((await broker.run(first)).status?.code, Code.OK);
  const partly = await broker.run(batch);
  assert.equal(partly.status?.code, Code.MULTIPLE_RESULTS);
  assert.deepEqual(
    partly.entries.map(({ messageId, status }) => [messageId, status?.code]),
    [
      ['a', Code.OK],
      ['b', Code.OK],
      ['c', Code.TOO_MANY_REQUESTS],
      ['d', Code.TOO_MANY_REQUESTS],
    ],
  );
  const received = await broker.receive();
  assert.deepEqual(
    received.messages.map(({ systemProperties }) => systemProperties?.messageId),
    ['first', 'a', 'b'],
  );
  await broker.run(broker.stop());
});

test('a batch that comes to a message which the disk does not tell of says what is stored, and stores nothing behind it', async () => {
  const { broker, disk } = await onDisk('ASYNC_FLUSH', { tailCacheBytes: 64 * 1024 });
  const before = await broker.run(broker.send(message('before')));
  // No more in memory.
  const body = new Uint8Array(100 * 1024);
  for (let index = 0; index < 20; index++) await broker.run(broker.send(message(`large-${index}`, { body })));
  const mend = disk.inject({ operation: 'read', path: '/store', error: 'EIO', count: 10 });
  const batch = () => broker.run(broker.send(...['a', 'b', 'before', 'c'].map((id) => message(id))));
  const codesOf = ({ entries }: SendMessageResponse) =>
    entries.map(({ messageId, status }) => [messageId, status?.code]);
  const refused = Code.INTERNAL_SERVER_ERROR;
  const alone = await broker.run(broker.send(message('before')));
  assert.deepEqual([alone.status?.code, alone.entries], [refused, []]);
  const partly = await batch();
  assert.equal(partly.status?.code, Code.MULTIPLE_RESULTS, partly.status?.message);
  assert.deepEqual(codesOf(partly), [
    ['a', Code.OK],
    ['b', Code.OK],
    ['before', refused],
    ['c', refused],
  ]);
  mend();
  await broker.clock.advance(5_000);
  const whole = await batch();
  assert.equal(whole.status?.code, Code.OK, whole.status?.message);
  const offsets = whole.entries.map(({ offset }) => offset);
  assert.deepEqual(offsets.slice(0, 3), [
    partly.entries[0]!.offset,
    partly.entries[1]!.offset,
    before.entries[0]!.offset,
  ]);
  const received = await broker.receive();
  assert.equal(idsOf(received).length, 24);
  assert.deepEqual(idsOf(received).slice(21), ['a', 'b', 'c']);
  await broker.stop();
});
