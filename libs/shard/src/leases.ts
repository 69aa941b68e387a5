import { assert, type Timer } from '@orbitmq/base';
import { type GroupQueue, LiteTopic, NONE, type SpentRule, UINT48_MAX } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import type { DeadLetters } from './dead-letters.ts';
import { encodeAcks, encodeHeld, encodeLeaseKey, encodeRenewal, type LeaseKey, RECORD } from './records.ts';
import type { HeldLease, LeaseOutcome, LeaseRef } from './shard.ts';

/** Expired leases are looked for at most this often. */
const EXPIRY_SPACING_MS = 10;

/** A lease that was looked up. */
interface Found {
  readonly outcome: LeaseOutcome;
  /** Set when the outcome is `done`. */
  readonly key: LeaseKey | undefined;
}

/** What consumers do with what they were given, and what becomes of it when they don't. */
export class Leases {
  readonly #core: ShardCore;
  readonly #deadLetters: DeadLetters;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** After `retryMaxTimes` deliveries beside the first there is no other. */
  readonly #isSpent: SpentRule = (groupUid, attempt) => {
    const group = this.#core.state.metadata.groupByUid(groupUid);
    return group !== undefined && attempt > group.retryMaxTimes;
  };

  constructor(core: ShardCore, deadLetters: DeadLetters) {
    this.#core = core;
    this.#deadLetters = deadLetters;
  }

  acknowledge(lease: LeaseRef): LeaseOutcome {
    const { outcome, key } = this.#find(lease);
    if (key === undefined) return outcome;
    this.#core.append(RECORD.ack, [encodeLeaseKey(key)]);
    const subscription = this.#core.subscription(lease.group, lease.topic);
    subscription.counters.acknowledgedCount++;
    this.#core.wake(subscription, key.queueUid);
    return outcome;
  }

  acknowledgeAll(leases: readonly LeaseRef[]): LeaseOutcome[] {
    if (leases.length === 1) return [this.acknowledge(leases[0]!)];
    const outcomes: LeaseOutcome[] = [];
    const keys: LeaseKey[] = [];
    for (const lease of leases) {
      const { outcome, key } = this.#find(lease);
      if (key !== undefined) keys.push(key);
      outcomes.push(outcome === 'superseded' && this.#isAmong(keys, lease) ? 'settled' : outcome);
    }
    if (keys.length > 0) this.#settle(leases[0]!, keys);
    return outcomes;
  }

  /** Whether the message is settled together with it, by its newer lease. */
  #isAmong(keys: readonly LeaseKey[], { topic, queueId, queueOffset }: LeaseRef): boolean {
    const queueUid = this.#core.state.metadata.queueById(topic.uid, queueId)?.uid;
    return keys.some((key) => key.queueUid === queueUid && key.queueOffset === queueOffset);
  }

  /** @param keys of messages of one topic that are handed out to one group; the same one may be there twice */
  #settle({ group, topic }: LeaseRef, keys: readonly LeaseKey[]): void {
    const { progress } = this.#core.state;
    const heldCount = progress.entryCount;
    this.#core.append(RECORD.acks, [encodeAcks(keys)]);
    const subscription = this.#core.subscription(group, topic);
    subscription.counters.acknowledgedCount += heldCount - progress.entryCount;
    let wokenUid = 0;
    for (const { queueUid } of keys) {
      if (queueUid !== wokenUid) this.#core.wake(subscription, queueUid);
      wokenUid = queueUid;
    }
  }

  /** Makes a message a dead letter of its group, as its consumer wishes. Await `settled()` before answering. */
  async deadLetter(lease: LeaseRef): Promise<LeaseOutcome> {
    const { outcome, key } = this.#find(lease);
    const indexed = key === undefined ? undefined : this.#core.state.index.queue(key.queueUid);
    if (indexed === undefined) return outcome;
    const letter = await this.#deadLetters.read(indexed, lease.queueOffset);
    this.#core.checkRunning();
    // Meanwhile it may have been settled, or handed out again.
    const now = this.#find(lease);
    if (now.key !== undefined) this.#deadLetters.move(now.key, lease.topic, letter);
    return now.outcome;
  }

  changeInvisible(lease: LeaseRef, invisibleMs: number, suspends: boolean): { outcome: LeaseOutcome; leaseId: number } {
    const { outcome, key } = this.#find(lease);
    if (key === undefined) return { outcome, leaseId: lease.leaseId };
    const type = suspends ? RECORD.suspension : RECORD.change;
    const record = this.#core.append(type, [encodeLeaseKey(key, invisibleDuration(invisibleMs))]);
    this.expire();
    return { outcome, leaseId: record.physicalOffset };
  }

  renew(leases: readonly LeaseRef[], invisibleMs: number, holder: number): void {
    const keys = leases.map((lease) => this.#find(lease).key).filter((key) => key !== undefined);
    const durationMs = invisibleDuration(invisibleMs);
    for (let from = 0; from < keys.length; from += RENEWED_MAX) {
      const some = keys.slice(from, from + RENEWED_MAX);
      if (holder === 0) this.#core.append(RECORD.renewal, [encodeRenewal(some, durationMs)]);
      else this.#core.append(RECORD.held, [encodeHeld(holder, some, durationMs)]);
    }
    this.arm();
  }

  /** Leases that are renewed for a client, as the log tells it. */
  held(): HeldLease[] {
    const { metadata, progress } = this.#core.state;
    return Array.from(progress.held(), ({ queue, slot }) => {
      const { topicUid, id: queueId } = metadata.queueByUid(queue.queueUid)!;
      const [group, topic] = [metadata.groupByUid(queue.groupUid)!, metadata.topicByUid(topicUid)!];
      const lease = { group, topic, queueId, queueOffset: progress.offset(slot), leaseId: progress.leaseId(slot) };
      return { lease, holder: progress.holder(slot) };
    });
  }

  /** Makes ready again what has expired by now and wakes those who wait for it; moves dead letters away. */
  expire(): void {
    const { log, state } = this.#core;
    const touched = new Set<GroupQueue>();
    state.progress.advance(log.shardTimeMs(), (queue) => touched.add(queue), this.#isSpent);
    this.#tell(touched);
    this.arm();
  }

  /** The group has changed: what has expired is judged by its new number of attempts, and who waits by its new order. */
  judgeAgain(groupUid: number): void {
    const { state, subscriptions, waiters } = this.#core;
    const touched = new Set<GroupQueue>();
    state.progress.judgeAgain(groupUid, this.#isSpent, (queue) => touched.add(queue));
    this.#tell(touched);
    for (const subscription of subscriptions.all()) {
      if (subscription.groupUid === groupUid) waiters.wake(subscription);
    }
  }

  /** These queues have expired entries. */
  #tell(queues: ReadonlySet<GroupQueue>): void {
    const { lite, state, subscriptions, waiters } = this.#core;
    for (const progress of queues) {
      this.#deadLetters.collect(progress);
      const queue = state.metadata.queueByUid(progress.queueUid);
      if (queue === undefined) continue;
      if (queue instanceof LiteTopic) {
        lite.offer(progress.groupUid, queue);
        continue;
      }
      const subscription = subscriptions.find(progress.groupUid, queue.topicUid);
      if (subscription !== undefined) waiters.wake(subscription);
    }
  }

  /** Sees to it that `expire` runs when the next lease ends. */
  arm(): void {
    const deadlineMs = this.#core.state.progress.nextDeadlineMs();
    if (deadlineMs === undefined || deadlineMs >= this.#timerAtMs || this.#core.isStopping) return;
    this.#timer?.cancel();
    const delayMs = Math.max(EXPIRY_SPACING_MS, deadlineMs - this.#core.log.shardTimeMs());
    this.#timerAtMs = deadlineMs;
    this.#timer = this.#core.clock.setTimer(delayMs, () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.expire();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #find(lease: LeaseRef): Found {
    const { state } = this.#core;
    const queue = state.metadata.queueById(lease.topic.uid, lease.queueId);
    if (queue === undefined || state.metadata.groupByUid(lease.group.uid) === undefined) return UNKNOWN;
    const progress = state.progress.find(lease.group.uid, queue.uid);
    const { queueOffset, leaseId } = lease;
    if (progress === undefined || !isOffset(queueOffset) || queueOffset >= progress.nextOffset) return UNKNOWN;
    if (leaseId < progress.resetPosition) return UNKNOWN;
    const slot = state.progress.entry(progress, queueOffset);
    if (slot === NONE) return SETTLED;
    const current = state.progress.leaseId(slot);
    if (current !== leaseId) return isOffset(leaseId) && leaseId < current ? SUPERSEDED : UNKNOWN;
    return { outcome: 'done', key: { groupUid: lease.group.uid, queueUid: queue.uid, queueOffset, leaseId } };
  }
}

/** Leases in one renewal record. */
const RENEWED_MAX = 1000;

const UNKNOWN: Found = { outcome: 'unknown', key: undefined };
const SETTLED: Found = { outcome: 'settled', key: undefined };
const SUPERSEDED: Found = { outcome: 'superseded', key: undefined };

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/**
 * Checks a duration from above and makes it fit a record: whole milliseconds, 100 years at most. Shard time is cut to
 * milliseconds, so that a lease gets one more, lest it end before its time.
 */
export function invisibleDuration(invisibleMs: number): number {
  assert(invisibleMs >= 0, 'an invisible duration is negative or not a number');
  return invisibleMs === 0 ? 0 : Math.min(Math.ceil(invisibleMs) + 1, INVISIBLE_MS_MAX);
}

/** No lease lasts longer. Milliseconds. */
export const INVISIBLE_MS_MAX = 100 * 365 * 24 * 3_600_000;
assert(INVISIBLE_MS_MAX * 2 < UINT48_MAX, 'a deadline fits 48 bits');
