import { type Group, type LiteTopic, NONE, type Topic } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import type { LiteOffsetTarget } from './lite-shard.ts';
import { encodeOffsets, type QueueOffset } from './offset-records.ts';
import type { Offsets } from './offsets.ts';
import { RECORD } from './records.ts';

/** Lite topics in one record. */
const RECORDED_MAX = 1000;

/** Sets where a group goes on with lite topics. */
export class LiteOffsets {
  readonly #core: ShardCore;
  readonly #offsets: Offsets;

  constructor(core: ShardCore, offsets: Offsets) {
    this.#core = core;
    this.#offsets = offsets;
  }

  async set(group: Group, topic: Topic, names: readonly string[], target: LiteOffsetTarget): Promise<void> {
    const found = target.kind === 'time' ? await this.#atTime(topic, names, target.timestampMs) : NOTHING_FOUND;
    this.#core.checkRunning();
    const subscription = this.#core.subscription(group, topic);
    const moves: QueueOffset[] = [];
    for (const name of new Set(names)) {
      const liteTopic = this.#find(topic, name);
      if (liteTopic === undefined) continue;
      const nextOffset = this.#newOffset(group, liteTopic, target, found);
      if (this.#isMove(group, liteTopic, nextOffset)) moves.push({ queueUid: liteTopic.uid, nextOffset });
    }
    for (let from = 0; from < moves.length; from += RECORDED_MAX) {
      const queues = moves.slice(from, from + RECORDED_MAX);
      this.#core.append(RECORD.offsets, [encodeOffsets({ groupUid: group.uid, queues })]);
    }
    for (const { queueUid } of moves) this.#core.wake(subscription, queueUid);
    await this.#core.log.settled();
  }

  #find(topic: Topic, name: string): LiteTopic | undefined {
    return this.#core.state.metadata.liteTopics.find(topic.uid, name);
  }

  /** What takes reading, by queue uid. */
  async #atTime(topic: Topic, names: readonly string[], timestampMs: number): Promise<ReadonlyMap<number, number>> {
    const found = new Map<number, number>();
    for (const name of names) {
      const liteTopic = this.#find(topic, name);
      if (liteTopic !== undefined) found.set(liteTopic.uid, await this.#offsets.at(topic, liteTopic.id, timestampMs));
    }
    return found;
  }

  #newOffset(group: Group, { uid }: LiteTopic, target: LiteOffsetTarget, found: ReadonlyMap<number, number>): number {
    const { progress, index } = this.#core.state;
    const { minOffset, nextOffset: endOffset } = index.queue(uid)!;
    const cut = (offset: number): number => Math.min(Math.max(offset, minOffset), endOffset);
    switch (target.kind) {
      case 'earliest':
        return minOffset;
      case 'latest':
        return endOffset;
      case 'offset':
        return cut(target.offset);
      case 'tail': {
        const held = progress.find(group.uid, uid);
        return cut((held === undefined ? endOffset : progress.floorOffset(held)) - target.count);
      }
      case 'time':
        return cut(found.get(uid) ?? endOffset);
    }
  }

  /** Whether a record is needed for it. */
  #isMove(group: Group, { uid }: LiteTopic, offset: number): boolean {
    const held = this.#core.state.progress.find(group.uid, uid);
    if (held === undefined) return offset > this.#core.state.index.queue(uid)!.minOffset;
    return held.first !== NONE || held.nextOffset !== offset;
  }
}

const NOTHING_FOUND: ReadonlyMap<number, number> = new Map();
