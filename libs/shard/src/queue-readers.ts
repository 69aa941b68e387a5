import type { Topic } from '@orbitmq/views';
import type { ShardCore } from './core.ts';

/**
 * Groups that want what is in a queue: those that have begun any queue of its topic. A lite topic is wanted by those that
 * have begun it, or whose clients have named it.
 */
export function readersOf(core: ShardCore, topic: Topic, queueUid: number): Set<number> {
  const { metadata, progress } = core.state;
  const liteTopic = metadata.liteTopics.get(queueUid);
  const groupUids = new Set<number>();
  for (const { uid } of liteTopic === undefined ? topic.queues : [liteTopic]) {
    for (const { groupUid } of progress.groupsOf(uid)) groupUids.add(groupUid);
  }
  if (liteTopic === undefined) return groupUids;
  for (const readers of core.lite.ofTopic(liteTopic.topicUid)) {
    if (readers.isRead(liteTopic)) groupUids.add(readers.group.uid);
  }
  return groupUids;
}
