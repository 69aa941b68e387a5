import { javaStringHash } from '@orbitmq/base';
import { readMessageGroup, WireError } from '@orbitmq/protocol';
import { type Group, type GroupQueue, NONE, type ProgressView } from '@orbitmq/views';
import type { MessageBytes } from './common-types.ts';

/** What holds an ordered group up while a message is not settled: all behind it in its queue, or of its message group. */
export type Blocking = 'queue' | 'message group';

/** Attribute of an ordered group: QUEUE (as in the original, the default) or MESSAGE_GROUP. */
export const BLOCKING_ATTRIBUTE = 'fifo.blocking';

/** Messages of a queue that a group may have outstanding where message groups block: how far it looks ahead. */
export const LOOK_AHEAD_MAX = 1024;

/** How order is kept for a group; undefined = not at all. */
export function blockingOf(group: Group | undefined): Blocking | undefined {
  if (group?.consumeMessageOrderly !== true) return undefined;
  return group.attributes.get(BLOCKING_ATTRIBUTE)?.toUpperCase() === 'MESSAGE_GROUP' ? 'message group' : 'queue';
}

/** Hash of a message's group, never 0. All messages without one are of one group. */
export function messageGroupHash({ system }: MessageBytes): number {
  return javaStringHash(messageGroupOf(system)) || 1;
}

function messageGroupOf(system: Uint8Array): string {
  try {
    return readMessageGroup(system) ?? '';
  } catch (error) {
    if (error instanceof WireError) return '';
    throw error;
  }
}

/** Message groups with an entry that nobody may have now. When one of them is not known, 0 is among them. */
export function busyGroups(progress: ProgressView, held: GroupQueue | undefined): Set<number> {
  const busy = new Set<number>();
  if (held === undefined || held.leasedCount === 0) return busy;
  for (let slot = held.first; slot !== NONE; slot = progress.next(slot)) {
    if (!progress.isReady(slot)) busy.add(progress.messageGroup(slot));
  }
  return busy;
}

/**
 * What a group may be given of a queue: an entry that was handed out before, new messages, or nothing. An entry whose
 * message group is not known (it was handed out while queues blocked) gets in the way of all others.
 * @param endOffset entries from here on wait for what is in front of a change in the number of queues
 */
export function nextTurn(
  progress: ProgressView,
  held: GroupQueue,
  busy: ReadonlySet<number>,
  endOffset: number,
): 'again' | 'new' | 'nothing' {
  if (busy.has(0)) return 'nothing';
  if (held.readyCount === 0) return 'new';
  for (let slot = held.first; slot !== NONE && progress.offset(slot) < endOffset; slot = progress.next(slot)) {
    if (!progress.isReady(slot)) continue;
    const messageGroup = progress.messageGroup(slot);
    if (messageGroup === 0) return busy.size === 0 ? 'again' : 'nothing';
    if (!busy.has(messageGroup)) return 'again';
  }
  return 'new';
}
