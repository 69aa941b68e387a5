/**
 * The record by which the members of a shard agree on who leads it. There is one for each shard, in a store that changes
 * it by compare-and-swap only; nothing else in the cluster decides anything. See docs/internals/replication.md.
 */

/** A member of a shard: its `brokerId`. */
export type Member = number;

/** What an answer of the leader waits for: its own disk, or the disks of the whole in-sync set. */
export type Acknowledgement = 'stored' | 'confirmed';

export interface Lease {
  /** Who leads; undefined when the last leader has given the Lease up. */
  readonly holder: Member | undefined;
  /** Rises with each change of the holder; never falls. */
  readonly epoch: number;
  /** Members that have everything confirmed, ascending. Only they may take the Lease. */
  readonly inSync: readonly Member[];
  readonly acknowledge: Acknowledgement;
  /** `host:port` of the holder's replication port. */
  readonly replicationAddress: string;
  /** Without a renewal for so long the holder may be replaced. Milliseconds. */
  readonly durationMs: number;
  /** Who is to take a Lease that was given up; undefined = any in-sync member. */
  readonly heir: Member | undefined;
}

/** A Lease as it was stored once. */
export interface StoredLease {
  readonly lease: Lease;
  /** Another one after each write, also after one that changed nothing else. Means nothing beside. */
  readonly version: string;
}

/** Where the Lease of one shard is kept. */
export interface LeaseStore {
  /**
   * The Lease as it is now; undefined when there is none. Linearizable: sees every write that ended before.
   * @throws LeaseUnreachable
   */
  read(): Promise<StoredLease | undefined>;
  /**
   * Stores `lease` if nothing has been written since `expected`; undefined = if there is none yet. A renewal is a write of the
   * same Lease.
   * @throws LeaseConflict when somebody else wrote; LeaseUnreachable when it is not known whether it was stored
   */
  write(lease: Lease, expected: StoredLease | undefined): Promise<StoredLease>;
  /** Gives up what is open. Idempotent. */
  close(): void;
}

/** A write that came too late: nothing was stored. */
export class LeaseConflict extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'LeaseConflict';
  }
}

/** The store did not answer: a write may have been stored or not. */
export class LeaseUnreachable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'LeaseUnreachable';
  }
}

/** The two say the same; versions are none of their business. */
export function isSameLease(one: Lease, other: Lease): boolean {
  return (
    one.holder === other.holder &&
    one.epoch === other.epoch &&
    one.acknowledge === other.acknowledge &&
    one.replicationAddress === other.replicationAddress &&
    one.durationMs === other.durationMs &&
    one.heir === other.heir &&
    one.inSync.length === other.inSync.length &&
    one.inSync.every((member, index) => member === other.inSync[index])
  );
}
