import type { Clock } from '@orbitmq/base';
import type { Acknowledgement, ElectionTimes, LeaseStore } from '@orbitmq/coordination';
import type { FollowerIdentity, FollowerStream, LeaderReplication, ReplicationSettings } from '@orbitmq/replication';
import type { Logger } from '@orbitmq/runtime';
import type { ActingShard, FollowerShard, OpenedShard } from '@orbitmq/shard';
import type { LeadOptions } from '@orbitmq/storage';
import type { DeliveryHold } from './delivery-hold.ts';
import type { InSyncFile } from './in-sync-file.ts';
import type { StandInRules } from './stand-in.ts';

/** The shard's data directory. Each of these has it alone; what was opened is closed before. */
export interface ShardFiles {
  /** See `LeaderArguments.holdsDeadLetters`. */
  openLeader(lead: LeadOptions, options?: { readonly holdsDeadLetters?: boolean }): Promise<OpenedShard>;
  openFollower(): Promise<FollowerShard>;
  /** @param confirmedOffset see `openActing` */
  openActing(confirmedOffset: number): Promise<ActingShard>;
  /** The log of an open copy ends with what it did while it stood in for its leader. */
  hasBranch(copy: FollowerShard): Promise<boolean>;
  cutBranch(): Promise<void>;
  /** Keeps what a copy has from `from` on in a file. @returns its path; undefined when there was nothing */
  setAside(copy: FollowerShard, from: number): Promise<string | undefined>;
  /** @throws when that would take back what is confirmed */
  truncate(to: number, confirmedOffset: number): Promise<void>;
  wipe(): Promise<void>;
}

/** Who leads the shard, and where it serves clients. */
export interface LeaderPlace {
  readonly member: number;
  readonly epoch: number;
  /** `host:port`. */
  readonly clientAddress: string;
}

/** What a member does in its role, called one after the other. */
export interface MemberEvents {
  /** This member leads: it serves from now on. Nothing has been served from `shard` before. */
  onLeading(tenure: Tenure): void;
  /** It leads no longer; `shard` is fenced, or about to be closed. When this returns nobody uses it any more. */
  onLeadingEnds(): void;
  /** This member has a copy, and follows whoever leads. */
  onFollowing(copy: FollowerShard): void;
  /** This member stands in for its leader: consumers are served from `shard` from now on. */
  onActing?(shard: OpenedShard): void;
  /** It stands in no longer. When this returns nobody uses its shard any more. */
  onActingEnds?(): void;
  /** The leader that is followed is known, or is not any more. */
  onLeaderKnown(leader: LeaderPlace | undefined): void;
}

/** A time in which this member leads. */
export interface Tenure {
  readonly shard: OpenedShard;
  readonly replication: LeaderReplication;
  readonly epoch: number;
  /** Consumers are to wait until then. */
  readonly hold: DeliveryHold;
}

export interface ShardMemberOptions {
  readonly identity: FollowerIdentity;
  readonly clientAddress: string;
  readonly replicationAddress: string;
  readonly acknowledge: Acknowledgement;
  /** Copies in sync, this one included, with fewer of which sends are refused. */
  readonly inSyncMin: number;
  /** Longest that an answer waits for other members. Milliseconds. */
  readonly settleMs: number;
  /**
   * A power loss may cost the leader what was confirmed, as under ASYNC_FLUSH: then its followers give it up, too. Else a follower refuses
   * a leader that lacks something of it.
   */
  readonly mayLoseConfirmed: boolean;
  readonly files: ShardFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly replication: ReplicationSettings;
  readonly events: MemberEvents;
  connect(address: string): FollowerStream;
  /** Who decides which member leads. */
  readonly role: StaticRole | ElectedRole;
  /** Something that nobody expects happened: the process must end. */
  onFatal(error: Error): void;
}

/** Roles that never change. */
export interface StaticRole {
  readonly kind: 'static';
  readonly isLeader: boolean;
  /** Replication port of the leader, as far as it is known; asked again whenever the stream has ended. */
  leaderAddress(): Promise<string | undefined>;
  /** Members that stand in for this leader now, as far as anybody knows. Default: none. */
  actingMembers?(): Promise<readonly number[]>;
  /** How this follower stands in for its leader; undefined = never. */
  readonly standIn?: StandInRules;
  /** What a leader keeps for its next start: who had all that was confirmed. */
  readonly inSync: InSyncFile;
  /** Longest that a leader which may lack something waits for one of those. Milliseconds. */
  readonly catchUpMs: number;
  /** The log may lack what it had: the machine went down. Asked once, of a leader. */
  mayLackStored(): boolean;
  /** See `ElectedRole.onComplete`. */
  onComplete(): void;
}

/** Roles by a Lease. */
export interface ElectedRole {
  readonly kind: 'elected';
  readonly store: LeaseStore;
  readonly times: ElectionTimes;
  /** This member may make the Lease of a shard that has none. */
  mayCreate(isEmpty: boolean): boolean;
  /** See `Candidate.mayLackStored`. Asked until this member is complete. */
  mayLackStored(): boolean;
  /** This member has all again that its leader had confirmed, or leads: it lacks nothing of what it had before it started. Called once. */
  onComplete(): void;
}
