import { assert, type Clock, type Timer } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { type ElectionTimes, mayAcknowledge, refusalToLead } from './election-rules.ts';
import {
  type Acknowledgement,
  isSameLease,
  type Lease,
  LeaseConflict,
  type LeaseStore,
  LeaseUnreachable,
  type Member,
  type StoredLease,
} from './lease.ts';

/** What the election asks of the member that it decides about. */
export interface Candidate {
  readonly member: Member;
  readonly acknowledge: Acknowledgement;
  /** `host:port` of this member's replication port. */
  readonly replicationAddress: string;
  /** Highest epoch in this member's log; 0 when the log is empty. */
  logEpoch(): number;
  /** It has a state to begin with, and all that it knows to be confirmed: another copy must not lead a shard that has data somewhere. */
  hasState(): boolean;
  /** See `TakeOverFacts.mayLackStored`. */
  mayLackStored(): boolean;
  /** When the leader of `epoch` was last heard, by the monotonic clock; undefined = never. Asked of a follower. */
  leaderHeardMs(epoch: number): number | undefined;
  /** See `GuardFacts.answeredMs`. Asked of a leader. */
  followersAnsweredMs(): number | undefined;
}

/** What the election decides. Called one after the other; each may read the election, none may throw. */
export interface ElectionEvents {
  /** This member leads from now on, in an epoch of its own; nobody else is in sync yet. */
  onLead(tenure: { readonly epoch: number }): void;
  /** Somebody else leads, or nobody does (holder undefined). Called when either changes. */
  onFollow(leader: {
    readonly holder: Member | undefined;
    readonly epoch: number;
    readonly replicationAddress: string;
  }): void;
  /** This member must acknowledge nothing more. The guard is false already. */
  onDeposed(reason: string): void;
}

export interface ElectionOptions {
  readonly store: LeaseStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly candidate: Candidate;
  readonly events: ElectionEvents;
  readonly times: ElectionTimes;
  /** This member may begin a shard of which nobody has data yet. */
  readonly mayCreate: () => boolean;
}

/** Renewals of a leader in the time that a Lease lasts. */
const RENEWALS = 3;
/** The Lease is looked at no more often than this for what others say. Milliseconds. */
const POKE_PAUSE_MS = 50;

/**
 * Decides over a Lease whether this member leads its shard. It reads the Lease all the time, takes it when the rules let
 * it, renews it while it leads, and gives it up on request. See docs/internals/replication.md for why it is safe.
 */
export class Election {
  readonly #options: ElectionOptions;
  #timer: Timer | undefined;
  #working: Promise<void> = Promise.resolve();
  #stopped = false;
  #stored: StoredLease | undefined;
  #seenMs = 0;
  /** Set while this member leads. */
  #tenure: { readonly epoch: number; renewedMs: number } | undefined;
  #told: string | undefined;
  #refusal: string | undefined;
  #unreachable = false;
  #isRoundWaiting = false;
  /** When the newest poke is, or was, heeded. */
  #pokedMs = Number.NEGATIVE_INFINITY;

  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  /** The Lease as it was last seen; undefined while it never was. */
  get lease(): Lease | undefined {
    return this.#stored?.lease;
  }

  /** Epoch in which this member leads; undefined when it does not. */
  get epoch(): number | undefined {
    return this.#tenure?.epoch;
  }

  /** Why this member does not take the Lease; undefined when it leads or was not asked yet. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** The store did not answer the last time. */
  get isUnreachable(): boolean {
    return this.#unreachable;
  }

  /** Begins. */
  start(): void {
    this.#schedule(0);
  }

  /** Looks at the Lease now: something happened that may change who leads. */
  poke(): void {
    if (this.#stopped) return;
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#pokedMs > nowMs) return;
    this.#pokedMs = Math.max(nowMs, this.#pokedMs + POKE_PAUSE_MS);
    this.#schedule(this.#pokedMs - nowMs);
  }

  /** This member may acknowledge what it leads. Cheap; asked at each batch. */
  guard(): boolean {
    const tenure = this.#tenure;
    const lease = this.#stored?.lease;
    if (tenure === undefined || lease === undefined) return false;
    const { candidate, clock, times } = this.#options;
    const facts = {
      acknowledge: candidate.acknowledge,
      othersInSync: lease.inSync.length - 1,
      renewedMs: tenure.renewedMs,
      answeredMs: candidate.followersAnsweredMs(),
      nowMs: clock.monotonicMs(),
    };
    if (mayAcknowledge(facts, lease.durationMs, times)) return true;
    this.#depose('its lease may have run out: it could not be renewed in time');
    return false;
  }

  /**
   * Changes the in-sync set of the shard that this member leads.
   * @param members ascending, with this member
   * @returns false when it is not known to be stored: until a later call gives true, both sets may be what others go by
   */
  changeInSync(members: readonly Member[]): Promise<boolean> {
    return this.#enqueue(async () => {
      const tenure = this.#tenure;
      if (tenure === undefined || this.#stored === undefined) return false;
      assert(members.includes(this.#options.candidate.member), 'a leader is in its own in-sync set');
      return await this.#renew(tenure, { ...this.#stored.lease, inSync: [...members] });
    }, false);
  }

  /**
   * Gives the Lease up in favour of another member. Before, the caller has stopped to append, and seen to it that the heir
   * has everything.
   * @returns false when this member goes on leading
   */
  handOver(heir: Member): Promise<boolean> {
    return this.#giveUp(heir);
  }

  /** Gives the Lease up, so that any in-sync member may take it at once. */
  release(): Promise<boolean> {
    return this.#giveUp(undefined);
  }

  /**
   * Takes the Lease whatever the rules say: an operator's word that a copy which may lack acknowledged messages is to lead,
   * because no better one will come back.
   * @throws LeaseConflict when somebody else changed it meanwhile; LeaseUnreachable
   */
  takeUncleanly(): Promise<boolean> {
    return this.#enqueue(async () => {
      if (this.#tenure !== undefined) return false;
      const stored = await this.#options.store.read();
      this.#options.logger.warn({ lease: stored?.lease }, 'the lease is taken without regard to the in-sync set');
      await this.#take(stored);
      return true;
    }, false);
  }

  /** Ends the election; a Lease that is held is kept until it runs out. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#working;
  }

  #giveUp(heir: Member | undefined): Promise<boolean> {
    return this.#enqueue(async () => {
      if (this.#tenure === undefined || this.#stored === undefined) return false;
      // While the store is away nobody could take what is given up.
      if (!(await this.#renew(this.#tenure, this.#stored.lease))) return false;
      const given = { ...this.#stored.lease, holder: undefined, heir };
      // Whether the write arrives or not: from here on somebody else may lead.
      this.#depose(heir === undefined ? 'it gave the lease up' : `it handed the lease over to member ${heir}`);
      try {
        this.#see(await this.#options.store.write(given, this.#stored), this.#options.clock.monotonicMs());
        return true;
      } catch (error) {
        this.#note(error);
        return false;
      }
    }, false);
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(delayMs, () => this.#startRound());
  }

  #startRound(): void {
    // One that waits behind a slow store sees all that this one would.
    if (this.#isRoundWaiting) return;
    this.#isRoundWaiting = true;
    void this.#enqueue(() => {
      this.#isRoundWaiting = false;
      return this.#round();
    }, undefined);
  }

  /** One thing after the other: each write needs to know what the one before did. */
  #enqueue<T>(work: () => Promise<T>, whenStopped: T): Promise<T> {
    const result = this.#working.then(() => (this.#stopped ? whenStopped : work()));
    this.#working = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  async #round(): Promise<void> {
    const { durationMs } = this.#options.times;
    try {
      if (this.#tenure !== undefined && this.#stored !== undefined) await this.#renew(this.#tenure, this.#stored.lease);
      else await this.#observe();
    } finally {
      const pauseMs = this.#tenure === undefined ? durationMs / RENEWALS / 2 : durationMs / RENEWALS;
      const pokedInMs = this.#pokedMs - this.#options.clock.monotonicMs();
      this.#schedule(pokedInMs > 0 ? pokedInMs : pauseMs);
    }
  }

  async #observe(): Promise<void> {
    const { store, clock } = this.#options;
    try {
      const stored = await store.read();
      this.#unreachable = false;
      if (stored === undefined) return await this.#createIfAllowed();
      this.#see(stored, clock.monotonicMs());
      await this.#takeIfAllowed(stored);
    } catch (error) {
      this.#note(error);
    }
  }

  async #createIfAllowed(): Promise<void> {
    this.#stored = undefined;
    if (this.#options.mayCreate()) return await this.#take(undefined);
    this.#refuse('there is no lease, and this member may not make one: it has data of which others may know more');
  }

  async #takeIfAllowed(stored: StoredLease): Promise<void> {
    const { candidate, clock, times } = this.#options;
    const { lease } = stored;
    if (isOfNothing(lease)) {
      // Its own beginning, of which it could not say any more that it came about: only it has data.
      const hasBegun = lease.holder === candidate.member && candidate.hasState();
      if (hasBegun || this.#options.mayCreate()) await this.#take(stored);
      else this.#refuse('the shard has no data yet, and this member may not begin it');
      return;
    }
    const refusal = refusalToLead(
      {
        member: candidate.member,
        lease,
        seenMs: this.#seenMs,
        heardMs: candidate.leaderHeardMs(lease.epoch),
        mayLackStored: candidate.mayLackStored(),
        nowMs: clock.monotonicMs(),
      },
      times,
    );
    if (refusal !== undefined) this.#refuse(refusal);
    else if (candidate.hasState()) await this.#take(stored);
    else this.#refuse('its copy is empty or incomplete, although the shard has data: it waits for one that is not');
  }

  async #take(expected: StoredLease | undefined): Promise<void> {
    const { candidate, clock, events, store, times, logger } = this.#options;
    const begunMs = clock.monotonicMs();
    const epoch = Math.max(expected?.lease.epoch ?? 0, candidate.logEpoch()) + 1;
    const lease: Lease = {
      holder: candidate.member,
      epoch,
      // Until its log has begun nobody is in sync, so that a member that loses an empty log then may begin again.
      inSync: expected === undefined || isOfNothing(expected.lease) ? [] : [candidate.member],
      acknowledge: candidate.acknowledge,
      replicationAddress: candidate.replicationAddress,
      durationMs: times.durationMs,
      heir: undefined,
    };
    this.#see(await store.write(lease, expected), begunMs);
    this.#tenure = { epoch, renewedMs: begunMs };
    this.#refusal = undefined;
    this.#told = undefined;
    logger.info({ member: candidate.member, epoch, before: expected?.lease }, 'this member leads the shard');
    events.onLead({ epoch });
  }

  /** Stores the Lease of a leader, as it is or changed. @returns false when it is not known to be stored */
  async #renew(tenure: { readonly epoch: number; renewedMs: number }, lease: Lease): Promise<boolean> {
    const { store, clock } = this.#options;
    const begunMs = clock.monotonicMs();
    try {
      this.#see(await store.write(lease, this.#stored), begunMs);
      tenure.renewedMs = begunMs;
      this.#unreachable = false;
      return true;
    } catch (error) {
      if (error instanceof LeaseConflict) return await this.#resolveConflict(tenure, lease, begunMs);
      this.#note(error);
      return false;
    }
  }

  /** Either an earlier write of this member was stored although nobody answered, or somebody else leads. */
  async #resolveConflict(
    tenure: { readonly epoch: number; renewedMs: number },
    wanted: Lease,
    begunMs: number,
  ): Promise<boolean> {
    const { store, candidate, clock } = this.#options;
    try {
      const current = await store.read();
      if (current?.lease.holder !== candidate.member || current.lease.epoch !== tenure.epoch) {
        this.#depose(
          current === undefined
            ? 'the lease has been deleted'
            : `member ${current.lease.holder ?? 'nobody'} leads in epoch ${current.lease.epoch}`,
        );
        if (current !== undefined) this.#see(current, clock.monotonicMs());
        return false;
      }
      this.#see(current, begunMs);
      this.#see(await store.write(wanted, current), begunMs);
      tenure.renewedMs = begunMs;
      return true;
    } catch (error) {
      this.#note(error);
      return false;
    }
  }

  #see(stored: StoredLease, atMs: number): void {
    const isNew = stored.version !== this.#stored?.version;
    const isChanged = this.#stored === undefined || !isSameLease(stored.lease, this.#stored.lease);
    this.#stored = stored;
    if (isNew) this.#seenMs = atMs;
    if (this.#tenure !== undefined || !isChanged) return;
    const { holder, epoch, replicationAddress } = stored.lease;
    if (holder === this.#options.candidate.member) return;
    const told = `${holder} ${epoch} ${replicationAddress}`;
    if (told === this.#told) return;
    this.#told = told;
    this.#options.events.onFollow({ holder, epoch, replicationAddress });
  }

  #depose(reason: string): void {
    const tenure = this.#tenure;
    if (tenure === undefined) return;
    this.#tenure = undefined;
    this.#options.logger.warn({ epoch: tenure.epoch, reason }, 'this member leads the shard no longer');
    this.#options.events.onDeposed(reason);
    this.#schedule(0);
  }

  #refuse(reason: string): void {
    if (reason === this.#refusal) return;
    this.#refusal = reason;
    this.#options.logger.info({ reason }, 'this member does not take the lease');
  }

  /** @throws what is no failure of the store */
  #note(error: unknown): void {
    if (error instanceof LeaseConflict) {
      this.poke();
      return;
    }
    if (!(error instanceof LeaseUnreachable)) throw error;
    if (!this.#unreachable) this.#options.logger.warn({ err: error }, 'the lease can not be reached');
    this.#unreachable = true;
  }
}

/** The Lease of a shard whose log has not begun. */
function isOfNothing(lease: Lease): boolean {
  return lease.inSync.length === 0;
}
