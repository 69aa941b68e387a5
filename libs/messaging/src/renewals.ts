import { crc32 } from 'node:zlib';
import { type Clock, HOUR_MS, MINUTE_MS, MqError, type Timer } from '@orbitmq/base';
import type { Delivery, LeaseRef, Shard } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';
import type { MessagingLimits, MessagingTimes } from './config.ts';
import type { MessagingEvents } from './events.ts';
import { LeftLeases } from './left-leases.ts';
import type { Session } from './session.ts';

/** By how much a lease is extended the first, second, … time. */
const STEPS_MS = [1, 3, 5, 10, 30, 60].map((minutes) => minutes * MINUTE_MS);
/** Leases are looked at in slots of this length. */
const SLOT_MS = 5_000;
/** Leases renewed by one record. */
const RENEW_BATCH_MAX = 1_024;
/** Receives of one client whose arrival may be in doubt. */
const RECENT_MAX = 256;
/** Calls that come while an answer is on its way say nothing about its arrival. */
const ARRIVAL_MS = 1_000;
/** The first renewal comes so early because it notes in the log who holds the message. */
const NOTED_AFTER_MS = 10_000;
/** What clients held before a restart is kept for them so long: two heartbeats and some. */
const RETURN_MS = 30_000;

/** What one receive handed out and the client has not settled yet. All of it has one lease id and one deadline. */
interface Held {
  readonly session: Session;
  readonly leaseId: number;
  readonly leases: LeaseRef[];
  readonly handedOutMs: number;
  /** Number of renewals so far. */
  renewals: number;
  slot: number;
}

interface SessionHeld {
  readonly held: Set<Held>;
  /** The newest of them, in the order in which they were handed out; may hold some that are settled. */
  recent: Held[];
  count: number;
}

/**
 * Keeps messages that were received with auto_renew invisible as long as their client lives: a lease is extended
 * shortly before it ends, by growing steps, for three hours at most; when the client goes, what it held is visible a
 * second later. Lease ids stay, so the first receipt handle of a message is valid all the time. One timer serves all.
 *
 * Renewals outlive a restart: the record of a renewal says for which client it is, once the client has given a sign of
 * life after the message was handed out (before that, the message may never have reached it). After a restart such
 * messages wait for their clients for half a minute; the three hours begin anew.
 */
export class Renewals {
  private readonly shard: Shard;
  private readonly clock: Clock;
  private readonly events: MessagingEvents;
  private readonly limits: MessagingLimits;
  private readonly times: MessagingTimes;
  private readonly byLease = new Map<number, Held>();
  private readonly bySession = new Map<Session, SessionHeld>();
  private readonly slots = new Map<number, Set<Held>>();
  private timer: Timer | undefined;
  private left: LeftLeases | undefined;
  private leftTimer: Timer | undefined;
  private total = 0;

  constructor(
    shard: Shard,
    clock: Clock,
    events: MessagingEvents,
    config: { readonly limits: MessagingLimits; readonly times: MessagingTimes },
  ) {
    this.shard = shard;
    this.clock = clock;
    this.events = events;
    this.limits = config.limits;
    this.times = config.times;
  }

  /** Messages that are being kept invisible. */
  get count(): number {
    return this.total;
  }

  /** Messages that are being kept invisible for one client. */
  countOf(session: Session): number {
    return this.bySession.get(session)?.count ?? 0;
  }

  /**
   * Makes sure that the client may hold more messages.
   * @throws MqError TOO_MANY_REQUESTS
   */
  checkRoom(session: Session): void {
    const own = this.countOf(session);
    if (own < this.limits.renewedPerClientMax && this.total < this.limits.renewedMax) return;
    throw new MqError(
      'TOO_MANY_REQUESTS',
      `a client holds at most ${this.limits.renewedPerClientMax} messages that it has not acknowledged, all clients ${this.limits.renewedMax}; found ${own} and ${this.total}; acknowledge some before receiving more`,
    );
  }

  /**
   * Takes over messages that have just been handed out for `renewedLeaseMs`.
   * @param handedOutMs monotonic time before they were handed out
   */
  add(session: Session, group: Group, topic: Topic, deliveries: readonly Delivery[], handedOutMs: number): void {
    const leasesById = new Map<number, LeaseRef[]>();
    for (const { leaseId, queueId, queueOffset } of deliveries) {
      const lease: LeaseRef = { group, topic, queueId, queueOffset, leaseId };
      const leases = leasesById.get(leaseId);
      if (leases) leases.push(lease);
      else leasesById.set(leaseId, [lease]);
    }
    for (const [leaseId, leases] of leasesById) {
      // an ordered receive that is repeated with its attempt id gets the same leases again
      const before = this.byLease.get(leaseId);
      if (before) this.drop(before);
      this.hold({ session, leaseId, leases, handedOutMs, renewals: 0, slot: 0 }, handedOutMs + NOTED_AFTER_MS);
    }
    if (session.ended) this.release(session);
  }

  /** Keeps what clients held before the restart invisible until they can be back. */
  start(): void {
    const held = this.shard.heldLeases();
    if (held.length === 0) return;
    this.left = new LeftLeases(held);
    const byHolder = new Map<number, LeaseRef[]>();
    for (const { lease, holder } of held) {
      const leases = byHolder.get(holder);
      if (leases) leases.push(lease);
      else byHolder.set(holder, [lease]);
    }
    for (const [holder, leases] of byHolder) this.renew(leases, RETURN_MS, holder);
    this.leftTimer = this.clock.setTimer(RETURN_MS, () => {
      this.left = undefined;
    });
  }

  /** A client has appeared: when it is one of before the restart, its messages are renewed again. */
  resume(session: Session): void {
    const nowMs = this.clock.monotonicMs();
    for (const [leaseId, leases] of this.left?.take(holderOf(session)) ?? []) {
      if (leases.length === 0 || this.byLease.has(leaseId)) continue;
      this.hold({ session, leaseId, leases, handedOutMs: nowMs - ARRIVAL_MS - 1, renewals: 0, slot: 0 }, nowMs);
    }
  }

  /** A message has been settled or given back: its lease is renewed no more. */
  remove(lease: LeaseRef): void {
    this.left?.remove(lease);
    const held = this.byLease.get(lease.leaseId);
    if (!held) return;
    const index = held.leases.findIndex(
      ({ queueId, queueOffset }) => queueOffset === lease.queueOffset && queueId === lease.queueId,
    );
    if (index < 0) return;
    held.leases[index] = held.leases.at(-1)!;
    held.leases.pop();
    this.countDown(held, 1);
    if (held.leases.length === 0) this.drop(held);
  }

  /**
   * The client's stream has ended, perhaps with its connection: what was handed out since its last sign of life may
   * never have arrived. It is renewed no more, so it comes again when its lease ends.
   */
  doubt(session: Session): void {
    const own = this.bySession.get(session);
    if (!own) return;
    const sinceMs = session.lastSeenMs - ARRIVAL_MS;
    for (const held of own.recent) {
      if (held.handedOutMs >= sinceMs && own.held.has(held)) this.drop(held);
    }
    own.recent = [];
  }

  /** The client is gone: what it held is visible again soon. */
  release(session: Session): void {
    const leases: LeaseRef[] = [];
    for (const held of [...(this.bySession.get(session)?.held ?? [])]) {
      leases.push(...held.leases);
      this.drop(held);
    }
    if (session.ended) this.bySession.delete(session);
    if (leases.length === 0) return;
    // what can't be released now comes again when its lease ends
    if (this.renew(leases, this.times.releaseMs)) this.events.leasesReleased(leases.length);
  }

  /** Renews nothing any more, but notes who holds what, for the time after the restart. */
  stop(): void {
    for (const [session, { held }] of this.bySession) {
      const noted = [...held].filter((one) => one.renewals === 0 && hasArrived(one));
      const leases = noted.flatMap((one) => one.leases);
      if (leases.length > 0) this.renew(leases, this.times.renewedLeaseMs, holderOf(session));
    }
    this.leftTimer?.cancel();
    this.left = undefined;
    this.timer?.cancel();
    this.timer = undefined;
    this.byLease.clear();
    this.bySession.clear();
    this.slots.clear();
    this.total = 0;
  }

  private hold(held: Held, dueMs: number): void {
    let own = this.bySession.get(held.session);
    if (!own) {
      own = { held: new Set(), recent: [], count: 0 };
      this.bySession.set(held.session, own);
      held.session.onEnd(() => this.release(held.session));
    }
    own.held.add(held);
    own.recent.push(held);
    if (own.recent.length > RECENT_MAX) own.recent = own.recent.slice(-RECENT_MAX / 2);
    own.count += held.leases.length;
    this.total += held.leases.length;
    this.byLease.set(held.leaseId, held);
    this.schedule(held, dueMs);
  }

  private drop(held: Held): void {
    this.slots.get(held.slot)?.delete(held);
    this.byLease.delete(held.leaseId);
    this.countDown(held, held.leases.length);
    this.bySession.get(held.session)?.held.delete(held);
  }

  private countDown(held: Held, count: number): void {
    this.total -= count;
    const own = this.bySession.get(held.session);
    if (own) own.count -= count;
  }

  private schedule(held: Held, dueMs: number): void {
    held.slot = Math.floor(dueMs / SLOT_MS);
    const slot = this.slots.get(held.slot);
    if (slot) slot.add(held);
    else this.slots.set(held.slot, new Set([held]));
    this.timer ??= this.clock.setTimer(SLOT_MS, () => this.tick());
  }

  private tick(): void {
    this.timer = undefined;
    const nowMs = this.clock.monotonicMs();
    const slotNow = Math.floor(nowMs / SLOT_MS);
    // all of them before any is renewed: a short last renewal falls into the slot of now again, and has to wait there
    const dueSlots = [...this.slots.keys()].filter((slot) => slot <= slotNow);
    const due = dueSlots.map((slot) => this.slots.get(slot)!);
    for (const slot of dueSlots) this.slots.delete(slot);
    for (const held of due) this.renewDue(held, nowMs);
    if (this.slots.size > 0) this.timer ??= this.clock.setTimer(SLOT_MS, () => this.tick());
  }

  private renewDue(due: ReadonlySet<Held>, nowMs: number): void {
    const bySession = new Map<Session | undefined, Map<number, Held[]>>();
    for (const held of due) {
      const leftMs = held.handedOutMs + this.times.renewTotalMs - nowMs;
      const extensionMs = Math.floor(Math.min(STEPS_MS[held.renewals] ?? HOUR_MS, leftMs));
      if (extensionMs <= this.times.renewAheadMs) {
        this.drop(held);
        continue;
      }
      // the last renewal is nobody's, so that a restart adds no other
      const session = hasArrived(held) && extensionMs + 1 < leftMs ? held.session : undefined;
      const byExtension = bySession.get(session) ?? new Map<number, Held[]>();
      bySession.set(session, byExtension);
      const sameStep = byExtension.get(extensionMs);
      if (sameStep) sameStep.push(held);
      else byExtension.set(extensionMs, [held]);
    }
    for (const [session, byExtension] of bySession) {
      const holder = session === undefined ? 0 : holderOf(session);
      for (const [extensionMs, all] of byExtension) this.extend(all, { extensionMs, holder, nowMs });
    }
  }

  private extend(
    all: readonly Held[],
    { extensionMs, holder, nowMs }: { extensionMs: number; holder: number; nowMs: number },
  ): void {
    const leases = all.flatMap((held) => held.leases);
    const renewed = this.renew(leases, extensionMs, holder);
    if (renewed) this.events.leasesRenewed(leases.length);
    for (const held of all) {
      // a log that is busy just now is asked again in the next slot, before the lease ends
      if (renewed) held.renewals++;
      this.schedule(held, renewed ? nowMs + extensionMs - this.times.renewAheadMs : nowMs + SLOT_MS);
    }
  }

  private renew(leases: readonly LeaseRef[], invisibleMs: number, holder = 0): boolean {
    try {
      for (let index = 0; index < leases.length; index += RENEW_BATCH_MAX) {
        this.shard.renew(leases.slice(index, index + RENEW_BATCH_MAX), invisibleMs, holder);
      }
      return true;
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      return false;
    }
  }
}

/** Whether the client has given a sign of life since it was handed these messages. */
function hasArrived({ session, handedOutMs }: Held): boolean {
  return session.lastSeenMs > handedOutMs + ARRIVAL_MS;
}

/** Stands for a client in the log; never 0. Client ids are those of processes, not of hosts. */
function holderOf({ clientId }: Session): number {
  return crc32(clientId) | 0 || 1;
}
