import type { Group, LiteTopic, Topic } from '@orbitmq/views';
import type { Availability } from './availability.ts';
import { LiteReading, type LiteSource } from './lite-reading.ts';
import type { LiteSubscriber } from './lite-shard.ts';
import type { ShardState } from './state.ts';
import type { SubscribedQueue } from './subscription.ts';
import type { Waiters } from './waiters.ts';

/** What a group of readers needs of its shard. */
export interface LiteSurroundings {
  readonly state: ShardState;
  readonly availability: Availability;
  readonly waiters: Waiters;
}

/** A client as its group sees it. */
export interface LiteMember extends LiteSubscriber {
  /** What its receives draw from. */
  readonly reading: LiteReading;
}

const NOBODY: readonly LiteMember[] = [];

/** A group's reading of a parent's lite topics while this process lives: who has named which. */
export class LiteGroup implements LiteSource {
  readonly group: Group;
  readonly topic: Topic;
  readonly #surroundings: LiteSurroundings;
  /** Most lite topics have one reader, which needs no list. */
  readonly #byName = new Map<string, LiteMember | readonly LiteMember[]>();
  readonly #readers = new Set<LiteMember>();
  /** Lite topics whose index comes from the disk: nobody else looks at them meanwhile. */
  readonly #loading = new Set<LiteTopic>();
  /** Shared by those who take everything. */
  #everything: LiteReading | undefined;
  #wildcardCount = 0;
  #nameCount = 0;

  constructor(group: Group, topic: Topic, surroundings: LiteSurroundings) {
    this.group = group;
    this.topic = topic;
    this.#surroundings = surroundings;
  }

  /** Names that its readers hold. */
  get nameCount(): number {
    return this.#nameCount;
  }

  get isEmpty(): boolean {
    return this.#readers.size === 0;
  }

  /** Somebody takes everything. */
  get takesAll(): boolean {
    return this.#everything !== undefined;
  }

  /** Receives that wait. */
  get waitingCount(): number {
    let count = this.#everything?.waiters.size ?? 0;
    for (const { isWildcard, reading } of this.#readers) if (!isWildcard) count += reading.waiters.size;
    return count;
  }

  readers(): Iterable<LiteMember> {
    return this.#readers;
  }

  /** Names that anybody holds. */
  names(): Iterable<string> {
    return this.#byName.keys();
  }

  readersOf(name: string): readonly LiteMember[] {
    const found = this.#byName.get(name);
    if (found === undefined) return NOBODY;
    return Array.isArray(found) ? found : [found as LiteMember];
  }

  /** Somebody is here to read the lite topic. */
  isRead({ name }: LiteTopic): boolean {
    return this.#everything !== undefined || this.#byName.has(name);
  }

  join(reader: LiteMember): void {
    this.#readers.add(reader);
    if (reader.isWildcard) this.#wildcardCount++;
  }

  leave(reader: LiteMember): void {
    this.#readers.delete(reader);
    if (reader.isWildcard && --this.#wildcardCount === 0) this.#everything = undefined;
  }

  /** What those who take everything share; made by the first of them, who finds all that is there. */
  everything(): LiteReading {
    if (this.#everything !== undefined) return this.#everything;
    this.#everything = new LiteReading(this);
    for (const liteTopic of this.#surroundings.state.metadata.liteTopics.of(this.topic.uid)) {
      this.bring(this.#everything, liteTopic);
    }
    return this.#everything;
  }

  addName(name: string, reader: LiteMember): void {
    const readers = this.readersOf(name);
    this.#byName.set(name, readers.length === 0 ? reader : [...readers, reader]);
    this.#nameCount++;
    const liteTopic = this.#surroundings.state.metadata.liteTopics.find(this.topic.uid, name);
    if (liteTopic === undefined) return;
    this.bring(reader.reading, liteTopic);
    this.#surroundings.waiters.wake(reader.reading);
  }

  removeName(name: string, reader: LiteMember): void {
    const left = this.readersOf(name).filter((each) => each !== reader);
    if (left.length === 0) this.#byName.delete(name);
    else this.#byName.set(name, left.length === 1 ? left[0]! : left);
    this.#nameCount--;
    const liteTopic = this.#surroundings.state.metadata.liteTopics.find(this.topic.uid, name);
    if (liteTopic !== undefined) reader.reading.remove(liteTopic);
  }

  /** Something has happened to a lite topic: tells those who read it when it has something to give. */
  offer(liteTopic: LiteTopic): void {
    const found = this.#byName.get(liteTopic.name);
    if (found === undefined && this.#everything === undefined) return;
    const queue = this.queueOf(liteTopic);
    if (queue === undefined || !this.hasAny(queue)) return;
    if (this.#everything !== undefined) this.#offerTo(this.#everything, liteTopic);
    if (found === undefined) return;
    if (!Array.isArray(found)) this.#offerTo((found as LiteMember).reading, liteTopic);
    else for (const { reading } of found as readonly LiteMember[]) this.#offerTo(reading, liteTopic);
  }

  queueOf(liteTopic: LiteTopic): SubscribedQueue | undefined {
    const { index, progress } = this.#surroundings.state;
    const indexed = index.queue(liteTopic.uid);
    if (indexed === undefined) return undefined;
    const progressOfIt = progress.find(this.group.uid, liteTopic.uid);
    return { queue: liteTopic, indexed, progress: progressOfIt, picking: false, resting: false };
  }

  hasAny(queue: SubscribedQueue): boolean {
    const { availability } = this.#surroundings;
    if (this.#loading.has(queue.queue as LiteTopic) || availability.isBlocked(queue, 'queue')) return false;
    return hasReady(queue) || availability.nextOffset(queue) < queue.indexed.visibleOffset;
  }

  mayTake(queue: SubscribedQueue): boolean {
    return hasReady(queue) || !this.#surroundings.availability.isFull();
  }

  async hold(queue: SubscribedQueue, loaded: Promise<void>): Promise<void> {
    const liteTopic = queue.queue as LiteTopic;
    this.#loading.add(liteTopic);
    try {
      await loaded;
    } finally {
      this.#loading.delete(liteTopic);
      this.offer(liteTopic);
    }
  }

  /** A reading begins with a lite topic: with what it has to give, and with what an attempt holds of it already. */
  bring(reading: LiteReading, liteTopic: LiteTopic): void {
    const queue = this.queueOf(liteTopic);
    if (queue === undefined) return;
    if (this.hasAny(queue)) reading.add(liteTopic);
    const held = queue.progress;
    if (held === undefined || held.leasedCount === 0) return;
    for (const { id } of held.attempts) reading.remember(id, [liteTopic]);
  }

  #offerTo(reading: LiteReading, liteTopic: LiteTopic): void {
    reading.add(liteTopic);
    this.#surroundings.waiters.wake(reading);
  }
}

function hasReady(queue: SubscribedQueue): boolean {
  return queue.progress !== undefined && queue.progress.readyCount > 0;
}
