import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type MqError, seededRandom } from '@orbitmq/base';
import { Message, SystemProperties } from '@orbitmq/protocol/apache.rocketmq.v2';
import { FindMessagesRequest, ReadMessagesRequest, SetOffsetsRequest } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { Logger } from '@orbitmq/runtime';
import { type OpenedShard, openShard } from '@orbitmq/shard';
import { SimClock } from '@orbitmq/testkit';
import { memoryVfs } from '@orbitmq/vfs';
import { findMessages, readMessages, tellStory } from './find-messages.ts';
import { setOffsets } from './offsets.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const BEHIND = 'behind';
const clock = new SimClock();
let shard: OpenedShard;

before(async () => {
  const options = { log: { flushDiskType: 'ASYNC_FLUSH' } } as const;
  const random = seededRandom(1);
  shard = await clock.settle(
    openShard({ vfs: memoryVfs(), clock, random, logger: SILENT, directory: '/store', options }),
  );
  const attributes = new Map<string, string>();
  const counts = { readQueueCount: 1, writeQueueCount: 1, permission: 6 };
  const kept = { retentionMs: undefined, retentionBytes: undefined, autoCreated: false, attributes };
  const topic = await clock.settle(shard.putTopic({ name: 'topic', ...counts, messageType: 'NORMAL', ...kept }));
  for (const name of ['group', BEHIND]) {
    const retryPolicy = { kind: 'customized', delaysMs: [1000] } as const;
    const config = { name, consumeEnable: true, consumeMessageOrderly: false, retryMaxTimes: 16, retryPolicy };
    await clock.settle(shard.putGroup({ ...config, autoCreated: false, attributes }));
  }
  for (let index = 0; index < 6; index++) {
    const fields = { messageId: `id-${index}`, keys: ['all'], tag: 'a', bornHost: 'host' };
    const system = SystemProperties.encode({ ...SystemProperties.decode(new Uint8Array()), ...fields }).finish();
    const body = Buffer.from(`body ${index}`);
    const rest = Message.encode({ ...Message.decode(new Uint8Array()), body, userProperties: new Map([['k', 'v']]) });
    shard.send({ topic, queueId: 0, tagHash: 0, message: { system, rest: rest.finish() } });
    await clock.advance(1000);
  }
  await clock.settle(shard.settled());
});
after(() => clock.settle(shard.close()));

const set = (fields: Partial<SetOffsetsRequest>) =>
  clock.settle(setOffsets(shard, { ...SetOffsetsRequest.decode(new Uint8Array()), group: 'group', ...fields }));
const find = (fields: Partial<FindMessagesRequest>) =>
  clock.settle(findMessages(shard, { ...FindMessagesRequest.decode(new Uint8Array()), ...fields }));
const read = (fields: Partial<ReadMessagesRequest>) =>
  clock.settle(readMessages(shard, { ...ReadMessagesRequest.decode(new Uint8Array()), topic: 'topic', ...fields }));
const refused = (call: Promise<unknown>, code: string) => assert.rejects(call, (error: MqError) => error.code === code);

test('offsets are set on one topic or on all that the group has begun, or only spoken of', async () => {
  assert.deepEqual((await set({ latest: true })).changes, [], 'it has begun nowhere');
  const [planned] = (await set({ topic: 'topic', latest: true, dryRun: true })).changes;
  assert.deepEqual([planned!.skippedCount, planned!.newOffset, planned!.newOffsetMs], [6n, 6n, undefined]);
  assert.deepEqual((await set({ latest: true })).changes, [], 'still nowhere');
  assert.equal((await set({ topic: 'topic', queueId: 0, offset: 4n })).changes[0]!.newOffset, 4n);
  const [again] = (await set({ earliest: true })).changes;
  assert.deepEqual([again!.topic, again!.redeliveredCount], ['topic', 4n]);
  assert.equal((await set({ timeMs: again!.newOffsetMs! + 1n })).changes[0]!.newOffset, 1n);
  assert.equal((await set({ group: BEHIND, sourceGroup: 'group' })).changes[0]!.newOffset, 1n);
});

test('offsets that say nothing clear are refused', async () => {
  await refused(set({ topic: 'topic' }), 'BAD_REQUEST');
  await refused(set({ topic: 'topic', offset: 1n }), 'BAD_REQUEST');
  await refused(set({ queueId: 0, latest: true }), 'BAD_REQUEST');
  await refused(set({ topic: 'topic', timeMs: -1n }), 'BAD_REQUEST');
  await refused(set({ topic: 'topic', sourceGroup: 'group' }), 'BAD_REQUEST');
  await refused(set({ topic: 'topic', sourceGroup: 'nobody' }), 'CONSUMER_GROUP_NOT_FOUND');
  await refused(set({ topic: 'nothing', latest: true }), 'TOPIC_NOT_FOUND');
  await refused(set({ group: 'nobody', topic: 'topic', latest: true }), 'CONSUMER_GROUP_NOT_FOUND');
  await refused(set({ topic: 'topic', queueId: 0, offset: 7n }), 'ILLEGAL_OFFSET');
});

test('messages are found in all ways, with their bodies when wanted', async () => {
  const [found] = (await find({ messageId: 'id-2', withBody: true })).messages;
  assert.deepEqual([found!.place, found!.tag, found!.bornHost], [{ queueId: 0, queueOffset: 2n }, 'a', 'host']);
  assert.deepEqual([Buffer.from(found!.body).toString(), found!.userProperties.get('k')], ['body 2', 'v']);
  const { physicalOffset } = found!;
  assert.equal((await find({ physicalOffset })).messages[0]!.messageId, 'id-2');
  assert.equal((await find({ physicalOffset })).messages[0]!.body.length, 0);
  assert.equal((await find({ topic: 'topic', place: found!.place! })).messages[0]!.messageId, 'id-2');
  const first = await find({ topic: 'topic', key: 'all', limit: 4 });
  const second = await find({ topic: 'topic', key: 'all', limit: 4, before: first.next! });
  assert.deepEqual([first.messages.length, second.messages.length, second.next], [4, 2, undefined]);
  await refused(find({}), 'BAD_REQUEST');
  await refused(find({ key: 'all', limit: 65 }), 'BAD_REQUEST');
  await refused(find({ key: 'all', beginMs: 2n, endMs: 1n }), 'BAD_REQUEST');
  await refused(find({ place: found!.place! }), 'BAD_REQUEST');
});

test('a queue is read page by page, from one time to another', async () => {
  const first = await read({ limit: 4 });
  assert.deepEqual([first.messages.length, first.nextOffset], [4, 4n]);
  assert.equal((await read({ offset: first.nextOffset! })).messages.length, 2);
  const [, second, third] = first.messages;
  const between = await read({ beginMs: second!.storeTimestampMs, endMs: third!.storeTimestampMs });
  assert.deepEqual(
    between.messages.map(({ messageId }) => messageId),
    ['id-1', 'id-2'],
  );
  assert.equal(between.nextOffset, undefined);
  await refused(read({ queueId: 1 }), 'BAD_REQUEST');
});

test('the story of a message names the groups that have begun', async () => {
  const place = { queueId: 0, queueOffset: 0n };
  const story = await clock.settle(tellStory(shard, { topic: 'topic', place }));
  assert.deepEqual(
    story.groups.map(({ group, standing }) => [group, standing]),
    [
      [BEHIND, 'settled'],
      ['group', 'settled'],
    ],
  );
  assert.ok(story.events.every(({ kind }) => kind === 'offset set'));
});
