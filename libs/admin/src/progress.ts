import { liteGroupOf } from '@orbitmq/protocol';
import type { QueueProgress as WireProgress } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { QueueProgress, Shard } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';

/** How far a group is on each queue of a topic. */
export function progressOnTopic(shard: Shard, group: Group, topic: Topic): WireProgress[] {
  return shard.progress(group, topic).map((queue) => wireProgressOf(topic.name, queue));
}

/** How far a group is on the lite topics of its parent, all together; nothing for a group that reads none. */
export function progressOnLite(shard: Shard, group: Group): WireProgress[] {
  const topic = shard.metadata.topic(liteGroupOf(group.attributes)?.bindTopic ?? '');
  if (topic?.messageType !== 'LITE') return [];
  const { lagCount, inflightCount } = shard.liteLag(group, topic, 0);
  const none = { minOffset: 0n, maxOffset: 0n, consumerOffset: 0n, nextOffset: 0n, readyAgainCount: 0n };
  return [{ topic: topic.name, queueId: -1, ...none, inflightCount: BigInt(inflightCount), lag: BigInt(lagCount) }];
}

/** How far a group is on the topics that it has begun to consume or that its clients subscribe to, by name. */
export function progressOnAll(shard: Shard, group: Group, subscribed: ReadonlySet<string>): WireProgress[] {
  const topics = [...shard.metadata.topics()].sort((left, right) => (left.name < right.name ? -1 : 1));
  return topics.flatMap((topic) => {
    const queues = shard.progress(group, topic);
    const isWanted = subscribed.has(topic.name) || queues.some(hasBegun);
    return isWanted ? queues.map((queue) => wireProgressOf(topic.name, queue)) : [];
  });
}

function hasBegun(queue: QueueProgress): boolean {
  return queue.begun;
}

/** A group's progress on a queue as operators see it. */
export function wireProgressOf(topic: string, queue: QueueProgress): WireProgress {
  const lag = queue.maxOffset - queue.nextOffset + queue.inflightCount + queue.readyAgainCount;
  return {
    topic,
    queueId: queue.queueId,
    minOffset: BigInt(queue.minOffset),
    maxOffset: BigInt(queue.maxOffset),
    consumerOffset: BigInt(queue.floorOffset),
    nextOffset: BigInt(queue.nextOffset),
    inflightCount: BigInt(queue.inflightCount),
    readyAgainCount: BigInt(queue.readyAgainCount),
    lag: BigInt(Math.max(0, lag)),
  };
}
