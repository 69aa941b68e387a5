import { MqError, quoted } from '@orbitmq/base';
import type {
  SetOffsetsRequest,
  SetOffsetsResponse,
  OffsetChange as WireChange,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import type { OffsetChange, OffsetTarget, Shard } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';
import { groupNamed, topicNamed } from './lookup.ts';

/** Latest time that `Date` knows, milliseconds since 1970. */
const TIME_MS_MAX = 8_640_000_000_000_000n;

/**
 * SetOffsets: where a group goes on, or a dry run of it.
 * @throws MqError BAD_REQUEST for a request that does not say what to do, TOPIC_NOT_FOUND, CONSUMER_GROUP_NOT_FOUND,
 *         ILLEGAL_OFFSET
 */
export async function setOffsets(shard: Shard, request: SetOffsetsRequest): Promise<SetOffsetsResponse> {
  const target = targetOf(shard, request);
  const group = groupNamed(shard, request.group);
  const begun = target.kind === 'group' ? target.group : group;
  const topics = request.topic === '' ? topicsBegun(shard, begun) : [topicNamed(shard, request.topic)];
  const changes: WireChange[] = [];
  for (const topic of topics) {
    const wanted = { group, topic, queueId: request.queueId, target };
    const found = await (request.dryRun ? shard.planOffsets(wanted) : shard.setOffsets(wanted));
    changes.push(...found.map((change) => wireChangeOf(topic.name, change)));
  }
  return { changes };
}

function targetOf(shard: Shard, request: SetOffsetsRequest): OffsetTarget {
  const { earliest, latest, timeMs, offset, sourceGroup, topic, queueId } = request;
  if (queueId !== undefined && topic === '') throw wrong('queue_id is given without a topic; name the topic, too');
  if (earliest === true) return { kind: 'earliest' };
  if (latest === true) return { kind: 'latest' };
  if (timeMs !== undefined) {
    if (timeMs < 0n || timeMs > TIME_MS_MAX) throw wrong(`time_ms is ${timeMs}; it must be 0…${TIME_MS_MAX}`);
    return { kind: 'time', timestampMs: Number(timeMs) };
  }
  if (offset !== undefined) {
    if (queueId === undefined) throw wrong('an offset is given without queue_id; each queue has offsets of its own');
    return { kind: 'offset', offset: Number(offset) };
  }
  if (sourceGroup === undefined) {
    throw wrong('no target is given; set earliest or latest to true, or time_ms, offset or source_group');
  }
  if (sourceGroup === request.group) {
    throw wrong(`source_group and group are both ${quoted(sourceGroup)}; name two different groups`);
  }
  return { kind: 'group', group: groupNamed(shard, sourceGroup) };
}

function topicsBegun(shard: Shard, group: Group): Topic[] {
  const topics = [...shard.metadata.topics()].filter((topic) =>
    topic.messageType === 'LITE'
      ? shard.liteLag(group, topic, 0).liteTopicCount > 0
      : shard.progress(group, topic).some(({ begun }) => begun),
  );
  return topics.sort((left, right) => (left.name < right.name ? -1 : 1));
}

function wireChangeOf(topic: string, change: OffsetChange): WireChange {
  const { newOffsetTimestampMs, floorTimestampMs } = change;
  return {
    topic,
    queueId: change.queueId,
    minOffset: BigInt(change.minOffset),
    maxOffset: BigInt(change.maxOffset),
    consumerOffset: BigInt(change.floorOffset),
    nextOffset: BigInt(change.nextOffset),
    newOffset: BigInt(change.newOffset),
    redeliveredCount: BigInt(change.redeliveredCount),
    skippedCount: BigInt(change.skippedCount),
    inflightCount: BigInt(change.inflightCount),
    consumerOffsetMs: floorTimestampMs === undefined ? undefined : BigInt(floorTimestampMs),
    newOffsetMs: newOffsetTimestampMs === undefined ? undefined : BigInt(newOffsetTimestampMs),
  };
}

function wrong(message: string): MqError {
  return new MqError('BAD_REQUEST', message);
}
