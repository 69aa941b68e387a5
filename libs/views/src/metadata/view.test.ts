import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GroupConfig, TopicConfig } from './types.ts';
import { MetadataView } from './view.ts';

function topic(name: string, queueCount: number): TopicConfig {
  return {
    name,
    readQueueCount: queueCount,
    writeQueueCount: queueCount,
    permission: 6,
    messageType: 'NORMAL',
    retentionMs: undefined,
    retentionBytes: 5,
    autoCreated: false,
    attributes: new Map([['__proto__', 'x']]),
  };
}

const GROUP: GroupConfig = {
  name: 'constructor',
  consumeEnable: true,
  consumeMessageOrderly: true,
  retryMaxTimes: 3,
  retryPolicy: { kind: 'exponential', initialMs: 5000, maxMs: 7_200_000, multiplier: 2 },
  autoCreated: false,
  attributes: new Map(),
};

test('numbers of topics and queues are never used again', () => {
  const view = new MetadataView();
  const first = view.applyTopic(topic('a', 2), 1);
  const second = view.applyTopic(topic('b', 1), 2);
  assert.deepEqual([first.queues.map(({ uid }) => uid), second.queues.map(({ uid }) => uid)], [[1, 2], [3]]);
  const grown = view.applyTopic(topic('a', 3), 3);
  assert.deepEqual([grown.uid, grown.createdMs, grown.queues.map(({ uid }) => uid)], [first.uid, 1, [1, 2, 4]]);
  assert.equal(view.applyTopic(topic('a', 1), 4).queues.length, 3, 'shrinking keeps queues');
  view.applyTopicDeletion(first.uid);
  assert.equal(view.queueByUid(1), undefined);
  const again = view.applyTopic(topic('a', 1), 5);
  assert.deepEqual([again.uid, again.queues[0]!.uid], [3, 5]);
});

test('a snapshot holds everything, whatever things are called', () => {
  const view = new MetadataView();
  view.applySecret(new Uint8Array(32).fill(7));
  view.applyTopic(topic('__proto__', 2), 1);
  view.applyTopic(topic('toString', 1), 2);
  view.applyGroup(GROUP, 3);
  view.applyGroupDeletion(view.applyGroup({ ...GROUP, name: 'gone' }, 4).uid);
  const copy = new MetadataView();
  copy.restore(view.snapshot());
  assert.deepEqual(copy.snapshot(), view.snapshot());
  assert.deepEqual(copy.topic('__proto__'), view.topic('__proto__'));
  assert.deepEqual([...copy.groups()], [...view.groups()]);
  assert.deepEqual(copy.group('gone'), undefined);
  assert.deepEqual(copy.secret, view.secret);
  assert.equal(copy.applyGroup({ ...GROUP, name: 'next' }, 5).uid, 3);
});
