import type { Group, LiteTopic, Topic } from '@orbitmq/views';
import { ReadyLiteTopics } from './ready-lite-topics.ts';
import type { SubscribedQueue, WaitingReceive } from './subscription.ts';

/** Attempts that one reading remembers, to find what they were given. */
const ATTEMPTS_MAX = 256;
/** Lite topics that one search passes over while too many messages are handed out. */
const PASSED_OVER_MAX = 256;

/** How a group stands to lite topics. */
export interface LiteSource {
  readonly group: Group;
  /** The parent. */
  readonly topic: Topic;
  /** A lite topic as the group stands to it; undefined when its life is over. */
  queueOf(liteTopic: LiteTopic): SubscribedQueue | undefined;
  /** It has something that the group may be given; what is handed out holds up all behind it. */
  hasAny(queue: SubscribedQueue): boolean;
  /** The bound on what is handed out allows it. */
  mayTake(queue: SubscribedQueue): boolean;
  /** Nobody else takes of the lite topic until something has come from the disk. */
  hold(queue: SubscribedQueue, loaded: Promise<void>): Promise<void>;
}

/**
 * What receives draw from: the lite topics of one client, or of all clients that take everything. Which of them have
 * something to give is known beforehand, as whatever happens to a lite topic is told here.
 */
export class LiteReading {
  readonly source: LiteSource;
  readonly waiters = new Set<WaitingReceive>();
  readonly #ready = new ReadyLiteTopics();
  readonly #attempts = new Map<string, Set<LiteTopic>>();

  constructor(source: LiteSource) {
    this.source = source;
  }

  /** A lite topic of this reading has something to give, or may have. */
  add(liteTopic: LiteTopic): void {
    this.#ready.add(liteTopic);
  }

  remove(liteTopic: LiteTopic): void {
    this.#ready.remove(liteTopic);
  }

  clear(): void {
    this.#ready.clear();
    this.#attempts.clear();
  }

  /** A receive may find something. */
  hasAny(): boolean {
    const queue = this.take();
    if (queue === undefined) return false;
    this.putBack(queue);
    return true;
  }

  /** Something is there, and too many messages are handed out for more of it. */
  get isStarved(): boolean {
    return this.#ready.count > 0;
  }

  /** Takes out the next lite topic that has something to give now; those that have nothing (any more) drop out. */
  take(): SubscribedQueue | undefined {
    for (let passedOver = 0; passedOver < PASSED_OVER_MAX; ) {
      const liteTopic = this.#ready.take();
      if (liteTopic === undefined) return undefined;
      const queue = this.source.queueOf(liteTopic);
      if (queue === undefined || !this.source.hasAny(queue)) continue;
      if (this.source.mayTake(queue)) return queue;
      // It has to wait until less is handed out; one behind it may have something to be handed out again.
      this.#ready.add(liteTopic);
      passedOver++;
      if (passedOver >= this.#ready.count) return undefined;
    }
    return undefined;
  }

  /** What was taken stays the next. */
  putBack(queue: SubscribedQueue): void {
    this.#ready.putBack(queue.queue as LiteTopic);
  }

  /** What an attempt was given, as far as it is remembered. */
  givenTo(attemptId: string): LiteTopic[] {
    return [...(this.#attempts.get(attemptId) ?? [])];
  }

  /** An attempt was given messages of these lite topics. */
  remember(attemptId: string, liteTopics: readonly LiteTopic[]): void {
    const known = this.#attempts.get(attemptId);
    if (known !== undefined) {
      for (const liteTopic of liteTopics) known.add(liteTopic);
      return;
    }
    this.#attempts.set(attemptId, new Set(liteTopics));
    if (this.#attempts.size > ATTEMPTS_MAX) this.#attempts.delete(this.#attempts.keys().next().value!);
  }

  /** An attempt holds nothing (any more). */
  forget(attemptId: string): void {
    this.#attempts.delete(attemptId);
  }
}
