import type {
  Group,
  GroupQueue,
  IndexedQueue,
  MetadataView,
  ProgressView,
  Queue,
  QueueIndex,
  Topic,
} from '@orbitmq/views';
import type { Waiter } from './common-types.ts';

/** One queue as a group sees it: what receives need of it, looked up once. */
export interface SubscribedQueue {
  readonly queue: Queue;
  readonly indexed: IndexedQueue;
  /** Absent until something was handed out. */
  progress: GroupQueue | undefined;
  /** A receive is looking at its messages and waits for the disk; others leave it alone. */
  picking: boolean;
  /** The disk could not read its next message: others leave it alone for a moment. */
  resting: boolean;
}

/** Counts since the start of the process. */
export interface SubscriptionCounters {
  deliveredCount: number;
  deliveredBytes: number;
  redeliveredCount: number;
  acknowledgedCount: number;
  /** Removed by retention before this group had settled them. */
  unconsumedCount: number;
  /** Could not be read back; counted as settled. */
  unreadableCount: number;
  /** Moved to the group's dead letters. */
  deadLetterCount: number;
  /** Dead letters handed back to the group. */
  redrivenCount: number;
}

/** A receive that waits. */
export class WaitingReceive implements Waiter {
  readonly ready: Promise<boolean>;
  readonly #resolve: (found: boolean) => void;
  readonly #onCancel: (waiter: WaitingReceive) => void;
  #waiting = true;

  constructor(onCancel: (waiter: WaitingReceive) => void) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.ready = promise;
    this.#resolve = resolve;
    this.#onCancel = onCancel;
  }

  settle(found: boolean): void {
    this.#waiting = false;
    this.#resolve(found);
  }

  cancel(): void {
    if (this.#waiting) this.settle(false);
    this.#onCancel(this);
  }
}

/** A group's reading of a topic while this process lives: whose turn it is, who waits, what has been counted. */
export class Subscription {
  readonly groupUid: number;
  readonly topicUid: number;
  readonly waiters = new Set<WaitingReceive>();
  readonly counters: SubscriptionCounters = {
    deliveredCount: 0,
    deliveredBytes: 0,
    redeliveredCount: 0,
    acknowledgedCount: 0,
    unconsumedCount: 0,
    unreadableCount: 0,
    deadLetterCount: 0,
    redrivenCount: 0,
  };
  /** Queue at which the next receive begins. */
  rotation = 0;
  #topic: Topic | undefined;
  #queues: SubscribedQueue[] = [];

  constructor(groupUid: number, topicUid: number) {
    this.groupUid = groupUid;
    this.topicUid = topicUid;
  }

  /** Queues that consumers see, by id; empty when the topic is gone. */
  queues(views: { metadata: MetadataView; index: QueueIndex; progress: ProgressView }): readonly SubscribedQueue[] {
    const topic = views.metadata.topicByUid(this.topicUid);
    if (topic !== this.#topic) this.#refresh(topic, views.index);
    for (const queue of this.#queues) queue.progress ??= views.progress.find(this.groupUid, queue.queue.uid);
    return this.#queues;
  }

  #refresh(topic: Topic | undefined, index: QueueIndex): void {
    const known = new Map(this.#queues.map((queue) => [queue.queue.uid, queue]));
    this.#topic = topic;
    this.#queues = (topic?.queues ?? []).slice(0, topic?.readQueueCount).map(
      (queue) =>
        known.get(queue.uid) ?? {
          queue,
          indexed: index.queue(queue.uid)!,
          progress: undefined,
          picking: false,
          resting: false,
        },
    );
  }
}

/** All subscriptions of this process, by topic and group. */
export class Subscriptions {
  readonly #byTopic = new Map<number, Map<number, Subscription>>();

  find(groupUid: number, topicUid: number): Subscription | undefined {
    return this.#byTopic.get(topicUid)?.get(groupUid);
  }

  obtain(group: Group, topic: Topic): Subscription {
    let byGroup = this.#byTopic.get(topic.uid);
    if (byGroup === undefined) {
      byGroup = new Map();
      this.#byTopic.set(topic.uid, byGroup);
    }
    let subscription = byGroup.get(group.uid);
    if (subscription === undefined) {
      subscription = new Subscription(group.uid, topic.uid);
      byGroup.set(group.uid, subscription);
    }
    return subscription;
  }

  ofTopic(topicUid: number): Iterable<Subscription> {
    return this.#byTopic.get(topicUid)?.values() ?? [];
  }

  *all(): IterableIterator<Subscription> {
    for (const byGroup of this.#byTopic.values()) yield* byGroup.values();
  }

  /** Takes out those of a topic that is gone. */
  removeTopic(topicUid: number): Subscription[] {
    const removed = [...this.ofTopic(topicUid)];
    this.#byTopic.delete(topicUid);
    return removed;
  }

  /** Takes out those of a group that is gone. */
  removeGroup(groupUid: number): Subscription[] {
    const removed: Subscription[] = [];
    for (const byGroup of this.#byTopic.values()) {
      const subscription = byGroup.get(groupUid);
      if (subscription === undefined) continue;
      removed.push(subscription);
      byGroup.delete(groupUid);
    }
    return removed;
  }
}
