import { type Clock, MqError, type Timer } from '@orbitmq/base';
import {
  type FollowerMessage,
  type FollowerMessage_Hello,
  type LeaderMessage_Refusal,
  LeaderMessage_Refusal_Reason as Reason,
  type SettleRequest,
  type SettleResponse,
} from '@orbitmq/protocol/orbitmq.replication.v1';
import type { Logger } from '@orbitmq/runtime';
import type { ReplicatedLog } from '@orbitmq/storage';
import { commonEnd, continuationOf } from './divergence.ts';
import { FollowerReads } from './follower-reads.ts';
import { FollowerSession, InvalidClaim } from './follower-session.ts';
import { EPOCHS_MAX, foreignRefusal, INVALID_HELLO, spanOf, spanOfLog } from './hello.ts';
import { InSyncSet } from './in-sync-set.ts';
import type { SettlementSink } from './settlement-sink.ts';
import type { LeaderStream } from './stream.ts';
import type { ReplicationSettings } from './times.ts';

/** What a leader's replication works with. */
export interface LeaderReplicationOptions {
  readonly cluster: string;
  readonly shard: string;
  /** `brokerId` of this member. */
  readonly member: number;
  /** `host:port` at which this member serves clients. */
  readonly clientAddress: string;
  readonly log: ReplicatedLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: ReplicationSettings;
  /** See `InSyncSetOptions.publish`; always true where roles are static. */
  publish(members: readonly number[]): Promise<boolean>;
  /** A follower knows of a newer epoch: somebody else leads. */
  onNewerEpoch(epoch: number): void;
  /** Takes over what members have settled that stood in for this leader; undefined = none ever does. */
  readonly settlements?: SettlementSink;
  /** The in-sync set has changed. */
  onInSyncChange?(members: readonly number[]): void;
}

/** How a follower stands, for people. */
export interface FollowerStanding {
  readonly member: number;
  readonly storedOffset: number;
  readonly appliedOffset: number;
  readonly inSync: boolean;
  /** For how long it has not had everything; milliseconds. */
  readonly behindMs: number;
  readonly version: string;
}

/** How far a member has come. */
interface MemberStanding {
  readonly storedOffset: number;
  /** When it was last known to have everything. */
  readonly caughtUpMs: number;
}

interface LostMember extends MemberStanding {
  /** When its stream ended. */
  readonly lostMs: number;
}

/** Wait until what was just confirmed is told when nothing else is said. */
const TELL_CONFIRMED_MS = 5;
/** Followers at a time. */
const FOLLOWERS_MAX = 64;
/** The same refusal is in the log no more often than this. Milliseconds. */
const REFUSAL_TOLD_MS = 60_000;

/** The replication of one tenure of a leader: its followers, the in-sync set, and what is confirmed. */
export class LeaderReplication {
  /** What followers read for this leader. */
  readonly copies: FollowerReads;
  readonly #options: LeaderReplicationOptions;
  readonly #inSync: InSyncSet;
  readonly #sessions = new Map<number, FollowerSession>();
  /** Members whose stream has ended, and who are not back. */
  readonly #lost = new Map<number, LostMember>();
  readonly #stops: (() => void)[] = [];
  readonly #waiters = new Set<() => void>();
  readonly #epochStart: number;
  #heartbeatTimer: Timer | undefined;
  #confirmedTimer: Timer | undefined;
  #closed = false;
  /** The refusal that the log has told last, and when. */
  #refusalTold = { message: '', atMs: 0 };

  constructor(options: LeaderReplicationOptions) {
    this.#options = options;
    const { log } = options;
    this.#epochStart = log.epochs().at(-1)?.startOffset ?? log.endOffset;
    this.#inSync = new InSyncSet({
      self: options.member,
      clock: options.clock,
      publish: (members) => options.publish(members),
      onChange: () => {
        this.#confirm();
        options.onInSyncChange?.(this.#inSync.members);
        this.#wake();
      },
    });
    this.copies = new FollowerReads({
      clock: options.clock,
      followers: () => [...this.#sessions.values()],
      isInSync: ({ member }) => this.#inSync.members.includes(member),
    });
    this.#stops.push(
      log.onTaken(() => {
        for (const session of this.#sessions.values()) session.pump();
      }),
      log.onConfirmed(() => this.#confirmedChanged()),
    );
    this.#schedule();
  }

  /** Members of the in-sync set, as others know them. */
  get inSync(): readonly number[] {
    return this.#inSync.members;
  }

  /** See `GuardFacts.answeredMs` of coordination. */
  answeredMs(): number | undefined {
    let oldest = Number.POSITIVE_INFINITY;
    for (const member of this.#inSync.requiredOthers()) {
      const answeredMs = this.#sessions.get(member)?.answeredMs;
      if (answeredMs === undefined) return undefined;
      oldest = Math.min(oldest, answeredMs);
    }
    return oldest === Number.POSITIVE_INFINITY ? undefined : oldest;
  }

  followers(): FollowerStanding[] {
    const nowMs = this.#options.clock.monotonicMs();
    return [...this.#sessions.values()].map((session) => ({
      member: session.member,
      storedOffset: session.storedOffset,
      appliedOffset: session.appliedOffset,
      inSync: this.#inSync.members.includes(session.member),
      behindMs: session.storedOffset >= this.#options.log.endOffset ? 0 : nowMs - session.caughtUpMs,
      version: session.version,
    }));
  }

  /** Resolves when a member has stored everything that the log has now, is in sync, and is connected; false when not in time. */
  async caughtUp(member: number, timeoutMs: number): Promise<boolean> {
    const { clock, log } = this.#options;
    const target = log.endOffset;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const session = this.#sessions.get(member);
      if (session !== undefined && session.storedOffset >= target && this.#inSync.members.includes(member)) return true;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || this.#closed) return false;
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(leftMs, resolve);
        this.#waiters.add(() => {
          timer.cancel();
          resolve();
        });
      });
    }
  }

  /** Serves one follower until its stream ends. Never throws. */
  async accept(stream: LeaderStream): Promise<void> {
    let session: FollowerSession | undefined;
    const silence = this.#options.clock.setTimer(this.#options.settings.silenceMs, () => stream.close());
    try {
      for await (const message of stream.incoming) {
        silence.cancel();
        if (this.#closed) break;
        if (session !== undefined) this.#take(session, message);
        else session = this.#welcome(message, stream);
        if (session === undefined) return;
      }
    } catch (error) {
      const { logger } = this.#options;
      const fields = { err: error, member: session?.member };
      if (error instanceof InvalidClaim) {
        logger.error(fields, 'a follower says what can not be, its stream is closed');
        session?.refuse(Reason.REASON_INVALID, error.message);
      } else {
        logger.info(fields, 'the stream of a follower has ended');
      }
    } finally {
      silence.cancel();
      stream.close();
      if (session !== undefined) this.#lose(session);
    }
  }

  /**
   * Takes over what a member has settled that stood in for this leader. Resolves when that is settled here.
   * @throws MqError when it can't be, or not now
   */
  async settle({ hello, settlements, complete }: SettleRequest): Promise<SettleResponse> {
    const { log, logger, settlements: sink } = this.#options;
    const refusal = hello === undefined ? INVALID_HELLO : this.#refusalOf(hello);
    if (hello === undefined || refusal !== undefined || sink === undefined) {
      this.#tellRefusal(hello?.member, refusal ?? NO_STAND_INS);
      return { epoch: BigInt(log.epoch), refusal: refusal ?? NO_STAND_INS, commonOffset: 0n };
    }
    const commonOffset = commonEnd(spanOfLog(log), spanOf(hello)) ?? 0;
    sink.onStandIn(hello.member, false);
    // What this leader did before it went away was before the other did anything.
    const ownFrom = Math.max(commonOffset, this.#epochStart);
    for (const settlement of settlements) sink.take(settlement, ownFrom);
    if (settlements.length > 0) await sink.settled();
    if (complete) {
      logger.info({ member: hello.member, commonOffset }, 'a slave that stood in has handed over what it settled');
      sink.onStandIn(hello.member, true);
    }
    return { epoch: BigInt(log.epoch), refusal: undefined, commonOffset: BigInt(commonOffset) };
  }

  /** Ends all streams; nothing is confirmed by it any more. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.#heartbeatTimer?.cancel();
    this.#confirmedTimer?.cancel();
    this.#inSync.close();
    for (const session of this.#sessions.values()) session.close();
    this.#wake();
  }

  #welcome({ hello }: FollowerMessage, stream: LeaderStream): FollowerSession | undefined {
    const { log, clock, logger, settings, member, clientAddress } = this.#options;
    const refusal = hello === undefined ? INVALID_HELLO : this.#refusalOf(hello);
    if (hello === undefined || refusal !== undefined) {
      this.#tellRefusal(hello?.member, refusal ?? INVALID_HELLO);
      stream.write({
        sequence: 1n,
        epoch: BigInt(log.epoch),
        confirmedOffset: 0n,
        refusal: refusal ?? INVALID_HELLO,
      });
      return undefined;
    }
    const continuation = continuationOf(spanOfLog(log), spanOf(hello));
    // It had all that was confirmed, and has not any more: whoever leads next must not count on it.
    if (continuation.cutOffset < log.confirmedOffset) this.#inSync.leave(hello.member);
    const last = this.#inSync.requires(hello.member) ? this.#standingOf(hello.member) : undefined;
    this.#sessions.get(hello.member)?.close();
    this.#lost.delete(hello.member);
    const session = new FollowerSession(
      {
        hello,
        stream,
        log,
        clock,
        logger,
        settings,
        self: member,
        clientAddress,
        members: () => this.#inSync.members,
        onPosition: () => this.#positionChanged(),
      },
      continuation,
      last?.caughtUpMs,
    );
    this.#sessions.set(hello.member, session);
    logger.info({ member: hello.member, ...continuation, end: Number(hello.endOffset) }, 'a follower follows');
    session.heartbeat();
    session.pump();
    return session;
  }

  #refusalOf(hello: FollowerMessage_Hello): LeaderMessage_Refusal | undefined {
    const { cluster, shard, member, log, onNewerEpoch } = this.#options;
    const foreign = foreignRefusal(hello, { cluster, shard, member, logId: log.logId });
    if (foreign !== undefined) return foreign;
    const isCrowded = this.#sessions.size >= FOLLOWERS_MAX && !this.#sessions.has(hello.member);
    if (hello.epochs.length > EPOCHS_MAX || isCrowded) {
      const message = isCrowded
        ? `${FOLLOWERS_MAX} followers are connected`
        : `more than ${EPOCHS_MAX} epochs are named`;
      return { reason: Reason.REASON_INVALID, message };
    }
    if (Number(hello.epochSeen) > log.epoch) {
      onNewerEpoch(Number(hello.epochSeen));
      return { reason: Reason.REASON_OLD_EPOCH, message: `this leader leads in epoch ${log.epoch} only` };
    }
    return undefined;
  }

  /** A follower that is refused comes again several times a second. */
  #tellRefusal(follower: number | undefined, refusal: { readonly reason: Reason; readonly message: string }): void {
    const { clock, logger } = this.#options;
    const { message, atMs } = this.#refusalTold;
    const nowMs = clock.monotonicMs();
    const isNews = refusal.message !== message || nowMs - atMs >= REFUSAL_TOLD_MS;
    if (isNews) this.#refusalTold = { message: refusal.message, atMs: nowMs };
    logger[isNews ? 'warn' : 'debug']({ member: follower, ...refusal }, 'a follower is refused');
  }

  /** @throws InvalidClaim */
  #take(session: FollowerSession, { position, readAnswer }: FollowerMessage): void {
    if (readAnswer !== undefined) {
      session.reads.take(readAnswer);
      return;
    }
    if (position === undefined) throw new InvalidClaim('a message without a position');
    // A process that was replaced may still be heard: it counts for nothing.
    if (this.#sessions.get(session.member) === session) session.take(position);
  }

  #positionChanged(): void {
    this.#admit();
    this.#confirm();
    this.#wake();
  }

  /**
   * Takes followers in that have all that is confirmed, and the beginning of this epoch. Nothing more is confirmed while a
   * member that stands still is on its way out: by its offset alone it would be back before its leaving is known.
   */
  #admit(): void {
    const { log } = this.#options;
    const least = Math.max(log.confirmedOffset, Math.min(this.#epochStart + 1, log.endOffset));
    for (const session of this.#sessions.values()) {
      if (session.storedOffset >= least && !this.#isTooFarBehind(session)) this.#inSync.join(session.member);
    }
  }

  #isTooFarBehind({ storedOffset, caughtUpMs }: MemberStanding): boolean {
    const { clock, settings, log } = this.#options;
    return storedOffset < log.endOffset && clock.monotonicMs() - caughtUpMs > settings.notCaughtUpMs;
  }

  #confirm(): void {
    if (this.#closed) return;
    let limit = Number.POSITIVE_INFINITY;
    for (const member of this.#inSync.requiredOthers()) {
      const stored = this.#sessions.get(member)?.storedOffset ?? this.#lost.get(member)?.storedOffset ?? 0;
      limit = Math.min(limit, stored);
    }
    this.#options.log.confirm(limit);
  }

  #confirmedChanged(): void {
    this.#confirmedTimer ??= this.#options.clock.setTimer(TELL_CONFIRMED_MS, () => {
      this.#confirmedTimer = undefined;
      for (const session of this.#sessions.values()) session.tellConfirmed();
    });
  }

  #lose(session: FollowerSession): void {
    const { member } = session;
    session.close();
    if (this.#sessions.get(member) !== session) return;
    const { storedOffset, caughtUpMs } = this.#standingOf(member)!;
    this.#sessions.delete(member);
    this.copies.lost();
    // Of others nothing is waited for.
    if (!this.#inSync.requires(member)) return;
    this.#lost.set(member, { storedOffset, caughtUpMs, lostMs: this.#options.clock.monotonicMs() });
  }

  /** How a member stands, or stood when its stream ended: a new stream alone is no progress. */
  #standingOf(member: number): MemberStanding | undefined {
    const { clock, log } = this.#options;
    const session = this.#sessions.get(member);
    if (session === undefined || session.storedOffset < log.endOffset) return session ?? this.#lost.get(member);
    return { storedOffset: session.storedOffset, caughtUpMs: clock.monotonicMs() };
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#heartbeatTimer = this.#options.clock.setTimer(this.#options.settings.heartbeatIntervalMs, () => {
      this.#beat();
      this.#schedule();
    });
  }

  #beat(): void {
    const { clock, settings, logger, log } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const session of this.#sessions.values()) {
      const { member } = session;
      if (nowMs - session.heardMs > settings.silenceMs) {
        logger.warn({ member }, 'nothing is heard of a follower, its stream is closed');
        session.close();
        this.#lose(session);
      } else {
        session.heartbeat();
        if (this.#inSync.isWanted(member) && this.#isTooFarBehind(session)) {
          logger.warn(
            { member, storedOffset: session.storedOffset, endOffset: log.endOffset },
            'a follower is too far behind',
          );
          this.#inSync.leave(member);
        }
      }
    }
    for (const [member, lost] of this.#lost) {
      if (nowMs - lost.lostMs >= settings.graceMs || this.#isTooFarBehind(lost)) this.#inSync.leave(member);
      // What it had counts until others know that it has left.
      if (!this.#inSync.requires(member)) this.#lost.delete(member);
    }
  }

  #wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter();
  }
}

const NO_STAND_INS = { reason: Reason.REASON_INVALID, message: 'no member stands in for the leader of this shard' };

/** What a send is refused with while the shard has too few copies. */
export function tooFewInSync(shard: string, members: readonly number[], least: number): MqError {
  return new MqError(
    'HA_NOT_AVAILABLE',
    `broker ${shard} has ${members.length} copies in sync, and a send needs ${least} (minInSyncReplicas): nothing was stored, ` +
      'send to another broker or try again',
  );
}
