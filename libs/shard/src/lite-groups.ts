import type { Group, LiteTopic, Topic } from '@orbitmq/views';
import { LiteGroup, type LiteSurroundings } from './lite-group.ts';
import { LiteReader, type LiteReaderParts } from './lite-reader.ts';

/** All readers of lite topics in this process, by parent and group. */
export class LiteGroups {
  readonly #surroundings: LiteSurroundings;
  readonly #byTopic = new Map<number, Map<number, LiteGroup>>();

  constructor(surroundings: LiteSurroundings) {
    this.#surroundings = surroundings;
  }

  /** Names that readers hold, of all groups. */
  get nameCount(): number {
    let count = 0;
    for (const group of this.#all()) count += group.nameCount;
    return count;
  }

  find(groupUid: number, topicUid: number): LiteGroup | undefined {
    return this.#byTopic.get(topicUid)?.get(groupUid);
  }

  /** Groups with readers of a parent's lite topics. */
  ofTopic(topicUid: number): Iterable<LiteGroup> {
    return this.#byTopic.get(topicUid)?.values() ?? [];
  }

  open(group: Group, topic: Topic, isWildcard: boolean, parts: Omit<LiteReaderParts, 'onClosed'>): LiteReader {
    const liteGroup = this.#obtain(group, topic);
    return new LiteReader(liteGroup, isWildcard, {
      ...parts,
      onClosed: () => {
        if (liteGroup.isEmpty) this.#remove(liteGroup);
      },
    });
  }

  /** A lite topic has something new for all groups. */
  arrived(liteTopic: LiteTopic): void {
    const byGroup = this.#byTopic.get(liteTopic.topicUid);
    if (byGroup === undefined) return;
    for (const group of byGroup.values()) group.offer(liteTopic);
  }

  /** A group may be given more of a lite topic than before. */
  offer(groupUid: number, liteTopic: LiteTopic): void {
    this.find(groupUid, liteTopic.topicUid)?.offer(liteTopic);
  }

  /** The topic is gone: so are all who read its lite topics. */
  closeTopic(topicUid: number): void {
    close([...this.ofTopic(topicUid)]);
  }

  /** The group is gone. */
  closeGroup(groupUid: number): void {
    close([...this.#all()].filter(({ group }) => group.uid === groupUid));
  }

  /** The shard stops. */
  closeAll(): void {
    close([...this.#all()]);
  }

  *#all(): IterableIterator<LiteGroup> {
    for (const byGroup of this.#byTopic.values()) yield* byGroup.values();
  }

  #obtain(group: Group, topic: Topic): LiteGroup {
    let byGroup = this.#byTopic.get(topic.uid);
    if (byGroup === undefined) {
      byGroup = new Map();
      this.#byTopic.set(topic.uid, byGroup);
    }
    let found = byGroup.get(group.uid);
    if (found === undefined) {
      found = new LiteGroup(group, topic, this.#surroundings);
      byGroup.set(group.uid, found);
    }
    return found;
  }

  #remove({ group, topic }: LiteGroup): void {
    const byGroup = this.#byTopic.get(topic.uid);
    byGroup?.delete(group.uid);
    if (byGroup?.size === 0) this.#byTopic.delete(topic.uid);
  }
}

function close(groups: readonly LiteGroup[]): void {
  for (const group of groups) for (const reader of [...group.readers()]) reader.close();
}
