import { assert } from '@orbitmq/base';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { LITE_QUEUE_ID_MIN, LiteTopic } from './lite-topic.ts';

/** Lite topics of one parent: by name, and linked in the order in which they were sent to last. */
class Parent {
  readonly byName = new Map<string, LiteTopic>();
  oldest: LiteTopic | undefined;
  newest: LiteTopic | undefined;

  /** Puts one that is in no list at the newest end. */
  append(liteTopic: LiteTopic): void {
    liteTopic.older = this.newest;
    if (this.newest === undefined) this.oldest = liteTopic;
    else this.newest.newer = liteTopic;
    this.newest = liteTopic;
  }

  takeOut(liteTopic: LiteTopic): void {
    const { older, newer } = liteTopic;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.newest = older;
    else newer.older = older;
    liteTopic.older = undefined;
    liteTopic.newer = undefined;
  }
}

/**
 * Very many queues below topics, each known by a name: made by their first message, gone when nothing has been sent to
 * them for a while. One object each, and no more; which have been quiet the longest is known without a search.
 */
export class LiteTopicsView {
  readonly #byUid = new Map<number, LiteTopic>();
  readonly #parents = new Map<number, Parent>();

  get count(): number {
    return this.#byUid.size;
  }

  countOf(topicUid: number): number {
    return this.#parents.get(topicUid)?.byName.size ?? 0;
  }

  get(uid: number): LiteTopic | undefined {
    return this.#byUid.get(uid);
  }

  find(topicUid: number, name: string): LiteTopic | undefined {
    return this.#parents.get(topicUid)?.byName.get(name);
  }

  /** By queue id; undefined when that life is over, or belongs to another topic. */
  ofQueueId(topicUid: number, queueId: number): LiteTopic | undefined {
    const liteTopic = this.#byUid.get(queueId - LITE_QUEUE_ID_MIN);
    return liteTopic?.topicUid === topicUid ? liteTopic : undefined;
  }

  /** Topics that have lite topics. */
  parentUids(): IterableIterator<number> {
    return this.#parents.keys();
  }

  names(topicUid: number): IterableIterator<string> {
    return (this.#parents.get(topicUid)?.byName ?? NO_NAMES).keys();
  }

  /** Those of a parent, the one that was quiet the longest first. Ends early when the one it is at goes meanwhile. */
  *of(topicUid: number): IterableIterator<LiteTopic> {
    for (let at = this.#parents.get(topicUid)?.oldest; at !== undefined; at = at.newer) yield at;
  }

  // The state machine.

  applyMade(topicUid: number, uid: number, name: string, nowMs: number): LiteTopic {
    let parent = this.#parents.get(topicUid);
    if (parent === undefined) {
      parent = new Parent();
      this.#parents.set(topicUid, parent);
    }
    assert(!parent.byName.has(name), 'a lite topic is made twice');
    const liteTopic = new LiteTopic(uid, topicUid, name, nowMs);
    parent.byName.set(name, liteTopic);
    parent.append(liteTopic);
    this.#byUid.set(uid, liteTopic);
    return liteTopic;
  }

  /** It was sent to. */
  applySent(liteTopic: LiteTopic, nowMs: number): void {
    liteTopic.lastSentMs = nowMs;
    const parent = this.#parents.get(liteTopic.topicUid)!;
    if (parent.newest === liteTopic) return;
    parent.takeOut(liteTopic);
    parent.append(liteTopic);
  }

  /** Its life is over. */
  applyEnd(liteTopic: LiteTopic): void {
    const parent = this.#parents.get(liteTopic.topicUid)!;
    parent.takeOut(liteTopic);
    parent.byName.delete(liteTopic.name);
    if (parent.byName.size === 0) this.#parents.delete(liteTopic.topicUid);
    this.#byUid.delete(liteTopic.uid);
  }

  /** Returns those that are gone with their parent. */
  applyTopicDeletion(topicUid: number): LiteTopic[] {
    const gone = [...this.of(topicUid)];
    for (const liteTopic of gone) this.#byUid.delete(liteTopic.uid);
    this.#parents.delete(topicUid);
    return gone;
  }

  // Snapshot: u32 count of parents, then each by uid as u32 uid, u32 count of lite topics, each from the one that was quiet the
  // longest on as u32 uid, u48 shard time of its last message, text name.

  /** The same state gives the same bytes. */
  snapshot(): Uint8Array {
    const writer = new ByteWriter(4 + this.#parents.size * 8 + this.count * SNAPSHOT_BYTES_GUESS);
    writer.u32(this.#parents.size);
    for (const [topicUid, parent] of [...this.#parents].sort(([a], [b]) => a - b)) {
      writer.u32(topicUid);
      writer.u32(parent.byName.size);
      for (const { uid, lastSentMs, name } of this.of(topicUid)) {
        writer.u32(uid);
        writer.u48(lastSentMs);
        writer.text(name);
      }
    }
    return writer.view();
  }

  /** Fills a new, empty view. */
  restore(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    for (let parents = reader.u32(); parents > 0; parents--) {
      const topicUid = reader.u32();
      for (let remaining = reader.u32(); remaining > 0; remaining--) {
        const [uid, lastSentMs, name] = [reader.u32(), reader.u48(), reader.text()];
        this.applyMade(topicUid, uid, name, lastSentMs);
      }
    }
  }
}

const NO_NAMES: ReadonlyMap<string, LiteTopic> = new Map();
const SNAPSHOT_BYTES_GUESS = 32;
