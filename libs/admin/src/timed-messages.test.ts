import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import { SystemProperties } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { TimedMessageSelection } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { Logger } from '@orbitmq/runtime';
import { type OpenedShard, openShard } from '@orbitmq/shard';
import { SimClock } from '@orbitmq/testkit';
import { memoryVfs } from '@orbitmq/vfs';
import { cancelTimedMessages, listTimedMessages } from './timed-messages.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const clock = new SimClock();
let shard: OpenedShard;

before(async () => {
  shard = await openShard({
    vfs: memoryVfs(),
    clock,
    random: seededRandom(1),
    logger: SILENT,
    directory: '/store',
    options: { log: { flushDiskType: 'ASYNC_FLUSH' } },
    defer: setImmediate,
  });
  const topic = await shard.putTopic({
    name: 'later',
    readQueueCount: 2,
    writeQueueCount: 2,
    permission: 6,
    messageType: 'DELAY',
    retentionMs: undefined,
    retentionBytes: undefined,
    autoCreated: false,
    attributes: new Map(),
  });
  for (let index = 0; index < 10; index++) {
    const fields = { messageId: `id-${index}`, keys: ['all', `key-${index % 3}`], tag: 'a' };
    const system = SystemProperties.encode({ ...SystemProperties.decode(new Uint8Array()), ...fields }).finish();
    const deliveryTimestampMs = Math.floor(clock.wallMs()) + 60_000 + index;
    shard.sendTimed({
      topic,
      queueId: index % 2,
      tagHash: 0,
      deliveryTimestampMs,
      message: { system, rest: Buffer.alloc(8) },
    });
  }
  await shard.settled();
});
after(() => shard.close());

function selection(fields: Partial<TimedMessageSelection> = {}): TimedMessageSelection {
  return { topic: 'later', messageId: '', key: '', position: 0n, limit: 0, ...fields };
}

test('timed messages are listed by pages, whole or by id and key', async () => {
  const ids: string[] = [];
  for (let position: bigint | undefined = 0n; position !== undefined; ) {
    const page: Awaited<ReturnType<typeof listTimedMessages>> = await listTimedMessages(
      shard,
      selection({ position, limit: 3 }),
    );
    assert.ok(page.messages.length <= 3);
    assert.equal(page.waitingCount, 10n);
    ids.push(...page.messages.map(({ messageId }) => messageId));
    position = page.next;
  }
  assert.deepEqual(
    ids.sort(),
    Array.from({ length: 10 }, (_, index) => `id-${index}`),
  );
  const { messages } = await listTimedMessages(shard, selection({ messageId: 'id-4', key: 'key-1' }));
  assert.deepEqual(
    messages.map(({ keys, tag, queueId }) => [keys, tag, queueId]),
    [[['all', 'key-1'], 'a', 0]],
  );
  assert.deepEqual((await listTimedMessages(shard, selection({ messageId: 'id-4', key: 'key-2' }))).messages, []);
});

test('timed messages are cancelled by id or key', async () => {
  await assert.rejects(cancelTimedMessages(shard, selection()), { code: 'BAD_REQUEST' });
  const byKey = await cancelTimedMessages(shard, selection({ key: 'key-0' }));
  assert.deepEqual([byKey.messages.length, byKey.waitingCount], [4, 6n]);
  const byId = await cancelTimedMessages(shard, selection({ messageId: 'id-1' }));
  assert.deepEqual([byId.messages.length, byId.waitingCount], [1, 5n]);
  assert.deepEqual((await cancelTimedMessages(shard, selection({ messageId: 'id-1' }))).messages, []);
});

test('wrong selections are refused', async () => {
  for (const [code, fields] of [
    ['TOPIC_NOT_FOUND', { topic: 'nowhere' }],
    ['BAD_REQUEST', { limit: -1 }],
    ['BAD_REQUEST', { limit: 1001 }],
    ['BAD_REQUEST', { position: -1n }],
    ['BAD_REQUEST', { position: 2n ** 62n }],
  ] as const) {
    await assert.rejects(listTimedMessages(shard, selection(fields)), { code });
  }
  await assert.rejects(listTimedMessages(shard, undefined), { code: 'TOPIC_NOT_FOUND' });
});
