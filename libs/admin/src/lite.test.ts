import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MqError, seededRandom } from '@orbitmq/base';
import { SystemProperties } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Logger } from '@orbitmq/runtime';
import { type OpenedShard, openShard } from '@orbitmq/shard';
import { SimClock } from '@orbitmq/testkit';
import { memoryVfs } from '@orbitmq/vfs';
import type { ClientDirectory, LiteReader } from './client-directory.ts';
import { brokerLiteInfo, liteClientInfo, liteGroupInfo, liteTopicInfo, parentTopicInfo } from './lite.ts';
import { progressOnLite } from './progress.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const READER: LiteReader = {
  clientId: 'client-1',
  group: 'readers',
  topic: 'parent',
  liteTopics: new Set(['one', 'not-yet']),
  isWildcard: false,
  refreshedMs: 1_000,
};
const clients: ClientDirectory = {
  connections: () => [],
  liteReaders: () => [
    READER,
    { ...READER, clientId: 'client-2', group: 'all', liteTopics: new Set(), isWildcard: true },
  ],
};
const code = (wanted: string) => (error: unknown) => error instanceof MqError && error.code === wanted;
let shard: OpenedShard;

before(async () => {
  const opening = openShard({
    vfs: memoryVfs(),
    clock: new SimClock(),
    random: seededRandom(1),
    logger: SILENT,
    directory: '/store',
    options: { log: { flushDiskType: 'ASYNC_FLUSH', segmentSizeBytes: 1 << 22 } },
    defer: setImmediate,
  });
  shard = await opening;
  const topic = {
    readQueueCount: 1,
    writeQueueCount: 1,
    permission: 6,
    retentionMs: undefined,
    retentionBytes: undefined,
  };
  const attributes = new Map([['lite.topic.expiration', '60']]);
  await shard.putTopic({ ...topic, name: 'parent', messageType: 'LITE', autoCreated: false, attributes });
  await shard.putTopic({ ...topic, name: 'plain', messageType: 'NORMAL', autoCreated: false, attributes: new Map() });
  const group = { consumeEnable: true, consumeMessageOrderly: false, retryMaxTimes: 16, autoCreated: false };
  const retryPolicy = { kind: 'customized', delaysMs: [1_000] } as const;
  const bound = new Map([['lite.bind.topic', 'parent']]);
  await shard.putGroup({ ...group, retryPolicy, name: 'readers', attributes: bound });
  await shard.putGroup({ ...group, retryPolicy, name: 'other', attributes: new Map() });
  for (const liteTopic of ['one', 'one', 'two']) {
    const system = SystemProperties.encode({ ...SystemProperties.decode(new Uint8Array()), liteTopic }).finish();
    const message = { system, rest: Buffer.from([0x22, 1, 0x61]) };
    shard.sendLite({ topic: shard.metadata.topic('parent')!, liteTopic, tagHash: 0, message });
  }
  await shard.settled();
});

after(() => shard.close());

test('tells what there is of lite topics', () => {
  const parent = { topic: 'parent', expirationMinutes: 60, liteTopicCount: 2n, groups: ['readers'] };
  assert.deepEqual(parentTopicInfo(shard, 'parent'), parent);
  assert.deepEqual(brokerLiteInfo(shard, clients), {
    liteTopicCount: 2n,
    subscriptionCount: 0n,
    clientCount: 2n,
    topics: [parent],
  });
  const one = liteTopicInfo(shard, clients, { topic: 'parent', liteTopic: 'one' });
  assert.equal(one.state?.maxOffset, 2n);
  assert.deepEqual(one.subscribers, [
    { group: 'readers', clientId: 'client-1' },
    { group: 'all', clientId: '*' },
  ]);
  assert.equal(liteTopicInfo(shard, clients, { topic: 'parent', liteTopic: 'not-yet' }).state, undefined);
  assert.throws(() => parentTopicInfo(shard, 'plain'), code('BAD_REQUEST'));
  assert.throws(() => parentTopicInfo(shard, 'unknown'), code('TOPIC_NOT_FOUND'));
});

test('tells what a client subscribes to', () => {
  const request = { topic: 'parent', group: 'readers', clientId: 'client-1', limit: 1 };
  assert.deepEqual(liteClientInfo(shard, clients, request, 3_500), {
    liteTopicCount: 2n,
    liteTopics: ['not-yet'],
    refreshedAgoMs: 2_500n,
  });
  assert.equal(liteClientInfo(shard, clients, { ...request, clientId: 'x' }, 0).liteTopicCount, -1n);
  assert.throws(() => liteClientInfo(shard, clients, { ...request, limit: -1 }, 0), code('BAD_REQUEST'));
});

test('tells how far a group is behind', async () => {
  const [group, topic] = [shard.metadata.group('readers')!, shard.metadata.topic('parent')!];
  const subscriber = shard.openLiteSubscriber(group, topic, false);
  for (const name of ['one', 'two']) subscriber.subscribe(name);
  await shard.setLiteOffsets(group, topic, ['one', 'two'], { kind: 'earliest' });
  const receive = { countMax: 1, bytesMax: 1_000, invisibleMs: 60_000, attemptId: undefined };
  assert.equal((await subscriber.receive(receive)).length, 1);
  const all = liteGroupInfo(shard, { group: 'readers', liteTopic: '', top: 1 });
  assert.equal(all.lagCount, 3n);
  assert.equal(all.inflightCount, 1n);
  assert.deepEqual(all.top, [{ liteTopic: 'one', lagCount: 2n }]);
  const one = liteGroupInfo(shard, { group: 'readers', liteTopic: 'one', top: 0 });
  assert.equal(one.progress?.maxOffset, 2n);
  assert.equal(liteGroupInfo(shard, { group: 'readers', liteTopic: 'unknown', top: 0 }).progress, undefined);
  assert.deepEqual(
    progressOnLite(shard, group).map(({ queueId, lag, inflightCount }) => ({ queueId, lag, inflightCount })),
    [{ queueId: -1, lag: 3n, inflightCount: 1n }],
  );
  assert.deepEqual(progressOnLite(shard, shard.metadata.group('other')!), []);
  assert.throws(() => liteGroupInfo(shard, { group: 'other', liteTopic: '', top: 0 }), code('BAD_REQUEST'));
  subscriber.close();
});
