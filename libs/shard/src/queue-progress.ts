import { type Group, NONE, type Queue } from '@orbitmq/views';
import type { QueueProgress } from './common-types.ts';
import type { ShardState } from './state.ts';

/** How a group stands to a queue that is there. */
export function queueProgress(state: ShardState, group: Group, queue: Queue): QueueProgress {
  const { minOffset, nextOffset: maxOffset } = state.index.queue(queue.uid)!;
  const progress = state.progress.find(group.uid, queue.uid);
  const nextOffset = Math.max(progress?.nextOffset ?? 0, minOffset);
  return {
    queueId: queue.id,
    minOffset,
    maxOffset,
    floorOffset: progress === undefined || progress.first === NONE ? nextOffset : state.progress.floorOffset(progress),
    nextOffset,
    inflightCount: progress?.leasedCount ?? 0,
    readyAgainCount: progress?.readyCount ?? 0,
    begun: progress !== undefined,
  };
}
