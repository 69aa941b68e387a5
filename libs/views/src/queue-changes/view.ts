import { ByteReader, ByteWriter } from '../bytes.ts';

/**
 * How far each queue of a topic had come when the number of queues that take writes changed, by queue id: from there on
 * message groups may be in other queues than before.
 */
export type QueueChange = readonly number[];

const NO_CHANGES: readonly QueueChange[] = [];

/**
 * Changes in the number of queues of each topic. Ordered groups are given nothing from behind a change before all from
 * in front of it is settled, so that order within a message group outlives its move to another queue.
 */
export class QueueChangesView {
  readonly #changes = new Map<number, QueueChange[]>();

  /** Changes of a topic that may matter to somebody, oldest first. */
  of(topicUid: number): readonly QueueChange[] {
    return this.#changes.get(topicUid) ?? NO_CHANGES;
  }

  /** @param reached next offset of each queue of the topic, by queue id */
  applyChange(topicUid: number, reached: QueueChange): void {
    const changes = this.#changes.get(topicUid) ?? [];
    const isSame = (last: QueueChange | undefined): boolean =>
      reached.every((offset, queueId) => offset === (last?.[queueId] ?? 0));
    // Nothing was sent since the last change, or ever.
    if (isSame(changes.at(-1))) return;
    changes.push(reached);
    this.#changes.set(topicUid, changes);
  }

  /** What lies before `minOffsets` is gone, by queue id: changes that only it is in front of don't matter any more. */
  applyTrim(topicUid: number, minOffsets: readonly number[]): void {
    const changes = this.#changes.get(topicUid);
    if (changes === undefined) return;
    const kept = changes.filter((change) => change.some((offset, queueId) => offset > minOffsets[queueId]!));
    if (kept.length === 0) this.#changes.delete(topicUid);
    else this.#changes.set(topicUid, kept);
  }

  applyTopicDeletion(topicUid: number): void {
    this.#changes.delete(topicUid);
  }

  // Snapshot: u32 count of topics, then each as u32 uid, u32 count of changes, each u16 count of queues, each u48 offset.

  /** The same state gives the same bytes. */
  snapshot(): Uint8Array {
    const writer = new ByteWriter();
    writer.u32(this.#changes.size);
    for (const [topicUid, changes] of [...this.#changes].sort(([a], [b]) => a - b)) {
      writer.u32(topicUid);
      writer.u32(changes.length);
      for (const change of changes) {
        writer.u16(change.length);
        for (const offset of change) writer.u48(offset);
      }
    }
    return writer.view();
  }

  /** Fills a new, empty view. */
  restore(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    for (let remaining = reader.u32(); remaining > 0; remaining--) {
      const topicUid = reader.u32();
      const changes = Array.from({ length: reader.u32() }, () =>
        Array.from({ length: reader.u16() }, () => reader.u48()),
      );
      this.#changes.set(topicUid, changes);
    }
  }
}
