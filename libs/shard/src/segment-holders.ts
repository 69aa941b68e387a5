import { MINUTE_MS } from '@orbitmq/base';
import type { SegmentInfo } from '@orbitmq/storage';
import type { SegmentQueue } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { readersOf } from './queue-readers.ts';

/** The log says it no more often. */
const SAID_MS = 10 * MINUTE_MS;
/** Topics, and groups of each, that one line names. */
const NAMED_MAX = 8;

/** A topic that still wants messages of a segment. */
interface Holder {
  readonly topic: string;
  /** Groups that have not settled them; none when no group reads the topic. */
  readonly groups: readonly string[];
}

/** Tells operators which topics and groups keep a crowded disk from getting room. */
export class SegmentHolders {
  readonly #core: ShardCore;
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(core: ShardCore) {
    this.#core = core;
  }

  /** @param oldest segment that should go and can't */
  async tell(oldest: SegmentInfo): Promise<void> {
    const { clock, logger } = this.#core;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#saidMs < SAID_MS) return;
    this.#saidMs = nowMs;
    const holders = await this.#of(oldest);
    const waitsFor = holders.map(({ topic, groups }) => `${topic}: ${groups.join(', ') || 'no group reads it'}`);
    logger.warn(
      { segment: oldest.startOffset, waitsFor },
      'the disk is nearly full, and the oldest messages are not consumed: consume, skip or expire them',
    );
  }

  /** By its own messages, else by those whose bodies it holds. */
  async #of(oldest: SegmentInfo): Promise<Holder[]> {
    const { log, state } = this.#core;
    const own = this.#holdersIn(await state.index.queuesOf(oldest.startOffset));
    if (own.length > 0) return own;
    const newestPointer = state.pins.pin(oldest.startOffset)?.newestPointer ?? -1;
    for (const segment of log.segments()) {
      if (segment.startOffset <= oldest.startOffset) continue;
      if (segment.startOffset > newestPointer) break;
      const pointing = this.#holdersIn(await state.index.queuesOf(segment.startOffset));
      if (pointing.length > 0) return pointing;
    }
    return [];
  }

  #holdersIn(rows: readonly SegmentQueue[]): Holder[] {
    const { index, metadata, progress } = this.#core.state;
    const groupsByTopic = new Map<string, Set<string>>();
    for (const { queueUid, firstOffset, count } of rows) {
      const queue = index.queue(queueUid);
      const topic = metadata.topicByUid(metadata.queueByUid(queueUid)?.topicUid ?? 0);
      const end = firstOffset + count;
      if (queue === undefined || topic === undefined || queue.minOffset >= end) continue;
      const readers = readersOf(this.#core, topic, queueUid);
      const late = [...readers].filter((groupUid) => {
        const held = progress.find(groupUid, queueUid);
        return held === undefined || progress.floorOffset(held) < end;
      });
      if (readers.size > 0 && late.length === 0) continue;
      const groups = groupsByTopic.get(topic.name) ?? new Set<string>();
      if (groups.size === 0 && groupsByTopic.size >= NAMED_MAX) continue;
      groupsByTopic.set(topic.name, groups);
      for (const uid of late.slice(0, NAMED_MAX)) groups.add(metadata.groupByUid(uid)?.name ?? '');
    }
    return Array.from(groupsByTopic, ([topic, groups]) => ({ topic, groups: [...groups].sort() }));
  }
}
