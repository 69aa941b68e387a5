import type { SegmentInfo } from '@orbitmq/storage';
import type { Pin, SegmentQueue, Topic } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { readersOf } from './queue-readers.ts';
import { encodeTrim, type QueueTrim, RECORD } from './records.ts';

/** Queues in one trim record. */
const TRIMMED_MAX = 1000;

/** What one round found. */
export interface RetentionRound {
  /** Segments that end at or before this hold nothing that is wanted any more. */
  readonly removableBefore: number;
  /** The segment behind them, when only pending bodies keep it: they are to be carried forward. */
  readonly carry: SegmentInfo | undefined;
}

/** How much of each topic lies in newer segments; only for topics that have a limit of their own. */
type NewerBytes = ReadonlyMap<number, number>;

/**
 * Decides which messages may go, a segment at a time: those older than their topic's or the cluster's time, those
 * beyond their topic's bytes, and the oldest of all when the log has too many. When the disk is nearly full the oldest go
 * before their time, but only those that every group of their topic has settled, wherever their bodies lie: room is
 * never made at the cost of what was acknowledged to a producer. Their queues begin behind them from then on (trim records). A segment may go when no
 * queue wants anything of it.
 */
export class Retention {
  readonly #core: ShardCore;

  constructor(core: ShardCore) {
    this.#core = core;
  }

  /** @param crowded the disk is nearly full: what is consumed of the oldest segment goes before its time */
  async round(crowded: boolean): Promise<RetentionRound> {
    const { log, clock, state } = this.#core;
    const sealed = log.segments().filter((segment) => segment.sealed);
    const overSizeCount = this.#overSize(sealed);
    const forcedCount = Math.max(crowded ? 1 : 0, overSizeCount);
    const newerBytes = await this.#newerBytes(sealed);
    const wanted: boolean[] = [];
    for (const [index, segment] of sealed.entries()) {
      const forced = index < forcedCount;
      if (!forced && newerBytes.length === 0 && segment.newestTimestampMs + this.#shortestMs() > clock.wallMs()) break;
      const rows = await state.index.queuesOf(segment.startOffset);
      const expired = (topic: Topic): boolean =>
        index < overSizeCount ||
        segment.newestTimestampMs + (topic.retentionMs ?? this.#core.settings.retentionMs) < clock.wallMs() ||
        (topic.retentionBytes !== undefined && (newerBytes[index]?.get(topic.uid) ?? 0) >= topic.retentionBytes);
      wanted.push(this.#trim(rows, expired, forced));
    }
    const consumedBefore = crowded && wanted[0] === false ? await this.#consumedBefore(sealed[0]!) : 0;
    return this.#removable(sealed, wanted, { overSizeCount, consumedBefore });
  }

  /**
   * @param wanted of the oldest segments, whether a queue wants messages of them; the others are too young to go
   * @param limits segments that go whatever points at them; pointers before `consumedBefore` hold nothing
   */
  #removable(
    sealed: readonly SegmentInfo[],
    wanted: readonly boolean[],
    limits: { readonly overSizeCount: number; readonly consumedBefore: number },
  ): RetentionRound {
    const { log, state, clock, settings } = this.#core;
    let removableBefore = log.startOffset;
    for (const [index, isWanted] of wanted.entries()) {
      const segment = sealed[index]!;
      const pin = state.pins.pin(segment.startOffset);
      const isPinned =
        pin !== undefined && isPointedAt(pin, sealed, wanted) && pin.newestPointer >= limits.consumedBefore;
      if (isWanted || (isPinned && index >= limits.overSizeCount)) break;
      if (pin !== undefined && pin.pendingCount > 0) {
        // Carrying makes no room when nearly all of the segment is pending: then only its age is a reason.
        const isOld = segment.newestTimestampMs + settings.retentionMs < clock.wallMs();
        const makesRoom = pin.pendingBytes * 2 <= segment.endOffset - segment.startOffset;
        return { removableBefore, carry: isOld || makesRoom ? segment : undefined };
      }
      removableBefore = segment.endOffset;
    }
    return { removableBefore, carry: undefined };
  }

  /** Oldest segments beyond the size that the log may have. */
  #overSize(sealed: readonly SegmentInfo[]): number {
    const { log, settings } = this.#core;
    let bytes = log.endOffset - log.startOffset;
    let count = 0;
    while (count < sealed.length && bytes > settings.retentionBytes) {
      bytes -= sealed[count]!.endOffset - sealed[count]!.startOffset;
      count++;
    }
    return count;
  }

  /** Shortest time that any topic is kept. */
  #shortestMs(): number {
    let shortest = this.#core.settings.retentionMs;
    for (const topic of this.#core.state.metadata.topics())
      shortest = Math.min(shortest, topic.retentionMs ?? shortest);
    return shortest;
  }

  /** For each segment, what topics with a limit have in newer ones; empty when no topic has a limit. */
  async #newerBytes(sealed: readonly SegmentInfo[]): Promise<NewerBytes[]> {
    const { index, metadata } = this.#core.state;
    const isLimited = (topic: Topic | undefined): boolean => topic?.retentionBytes !== undefined;
    if (![...metadata.topics()].some(isLimited)) return [];
    const sums = new Map<number, number>();
    const result: NewerBytes[] = [];
    for (const segment of sealed.toReversed()) {
      result.unshift(new Map(sums));
      for (const row of await index.queuesOf(segment.startOffset)) {
        const topicUid = metadata.queueByUid(row.queueUid)?.topicUid;
        if (topicUid === undefined || !isLimited(metadata.topicByUid(topicUid))) continue;
        sums.set(topicUid, (sums.get(topicUid) ?? 0) + row.bytes);
      }
    }
    return result;
  }

  /**
   * Trims the queues of a segment whose messages have expired. What is leased, or was until a short while ago, holds
   * its queue back.
   * @param crowded what has not expired goes too as far as it is consumed
   * @returns whether any queue still wants something of the segment
   */
  #trim(rows: readonly SegmentQueue[], expired: (topic: Topic) => boolean, crowded: boolean): boolean {
    const { state, log, settings } = this.#core;
    const heldAfterMs = log.shardTimeMs() - settings.heldAfterExpiryMs;
    const trims: QueueTrim[] = [];
    let wanted = false;
    for (const row of rows) {
      const queue = state.index.queue(row.queueUid);
      const topic = state.metadata.topicByUid(state.metadata.queueByUid(row.queueUid)?.topicUid ?? 0);
      const end = row.firstOffset + row.count;
      if (queue === undefined || topic === undefined || queue.minOffset >= end) continue;
      if (queue.minOffset < row.firstOffset || !(expired(topic) || crowded)) {
        wanted = true;
        continue;
      }
      const mayGoTo = expired(topic) ? end : Math.min(end, this.#consumedTo(topic, row.queueUid));
      const minOffset = Math.min(mayGoTo, state.progress.heldFrom(row.queueUid, heldAfterMs) ?? end);
      if (minOffset < end) wanted = true;
      if (minOffset > queue.minOffset) trims.push({ queueUid: row.queueUid, minOffset });
    }
    for (let from = 0; from < trims.length; from += TRIMMED_MAX) {
      this.#core.append(RECORD.trim, [encodeTrim(trims.slice(from, from + TRIMMED_MAX))]);
    }
    return wanted;
  }

  /** Byte of the log before which all messages behind `oldest` are consumed, as far as pointers to its bodies may lie. */
  async #consumedBefore(oldest: SegmentInfo): Promise<number> {
    const { log, state } = this.#core;
    const newestPointer = state.pins.pin(oldest.startOffset)?.newestPointer ?? NOTHING;
    let reached = oldest.endOffset;
    for (const segment of log.segments()) {
      if (segment.startOffset < reached) continue;
      if (segment.startOffset > newestPointer) break;
      // What is appended from here on, such as a dead letter, is not looked at.
      const end = Math.min(segment.endOffset, log.endOffset);
      const rows = await state.index.queuesOf(segment.startOffset);
      if (rows.some((row) => this.#isUnconsumed(row))) break;
      reached = end;
    }
    return reached;
  }

  #isUnconsumed({ queueUid, firstOffset, count }: SegmentQueue): boolean {
    const { state } = this.#core;
    const queue = state.index.queue(queueUid);
    const topic = state.metadata.topicByUid(state.metadata.queueByUid(queueUid)?.topicUid ?? 0);
    const end = firstOffset + count;
    return (
      queue !== undefined && topic !== undefined && queue.minOffset < end && this.#consumedTo(topic, queueUid) < end
    );
  }

  /**
   * Every group that reads the topic has settled the queue up to here; nothing is consumed where no group reads it. Of a lite
   * topic those count that have begun it, or whose clients have named it.
   */
  #consumedTo(topic: Topic, queueUid: number): number {
    const { progress } = this.#core.state;
    const groupUids = readersOf(this.#core, topic, queueUid);
    let lowest = groupUids.size === 0 ? NOTHING : Number.POSITIVE_INFINITY;
    for (const groupUid of groupUids) {
      const queue = progress.find(groupUid, queueUid);
      lowest = Math.min(lowest, queue === undefined ? NOTHING : progress.floorOffset(queue));
    }
    return lowest;
  }
}

/** Nothing of a queue is consumed. */
const NOTHING = -1;

/** Whether a queue wants a pointer to a body in the pinned segment. */
function isPointedAt(pin: Pin, sealed: readonly SegmentInfo[], wanted: readonly boolean[]): boolean {
  if (pin.newestPointer < 0) return false;
  const index = sealed.findLastIndex((segment) => segment.startOffset <= pin.newestPointer);
  const isOpen = index >= 0 && pin.newestPointer >= sealed[index]!.endOffset;
  return isOpen || (wanted[index] ?? true);
}
