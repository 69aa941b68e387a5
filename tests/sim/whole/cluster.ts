import type { FilterSpec, MessageSpec } from './messages.ts';

/**
 * What clients know of a call. `refused`: certainly not done. `unknown`: its broker died, or the answer was lost: it may
 * have been done or not.
 */
export type Answer<Value> =
  | { readonly kind: 'ok'; readonly value: Value }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'unknown' };

/** Names what a client was given; only the cluster looks inside. */
export type Handle = { readonly kind: 'timer' | 'half' | 'receipt' | 'group' };

export interface Sent {
  /** Answered like the first send of the same id. */
  readonly isRepeated: boolean;
  /** Of a message that is in its queue; the queue of a repeated one is not told. */
  readonly queueId: number | undefined;
  readonly queueOffset: number | undefined;
  /** See `Seen`; of a message that was put into its queue now. */
  readonly position: number | undefined;
  /** Of timed and half messages. */
  readonly handle: Handle | undefined;
  /** Names the timer or transaction for ever; tells whether two handles are of one. */
  readonly pendingId: number | undefined;
}

export interface ReceiveCall {
  readonly group: Handle;
  readonly topic: string;
  readonly filter: FilterSpec | undefined;
  readonly countMax: number;
  readonly invisibleMs: number;
  readonly attemptId: string | undefined;
  /** How long it waits for the first message. */
  readonly waitMs: number;
}

/** A message as a reader sees it, at its place. */
export interface Seen {
  readonly id: number;
  readonly queueId: number;
  readonly queueOffset: number;
  /** For the judge alone: later records of a shard have higher ones. */
  readonly position: number;
  /** Everything came back as it was sent. */
  readonly isIntact: boolean;
}

export interface Received extends Seen {
  readonly attempt: number;
  /** For the judge alone: names the handing-out; later ones are higher. */
  readonly leaseId: number;
  readonly handle: Handle;
}

/** A dead letter. */
export interface SeenLetter extends Seen {
  readonly originTopic: string;
  readonly originId: string;
}

export type EndKind = 'commit' | 'rollback';

/** What became of an attempt to end a transaction. */
export type Ended = 'ended' | 'committed before' | 'rolled back before' | 'unknown transaction';

/** What became of the use of a receipt handle. `settled`: its message was settled before, which is fine; `stale`: nothing. */
export type Used = 'done' | 'settled' | 'stale';

export type OffsetWish =
  | { readonly kind: 'earliest' | 'latest' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'group'; readonly group: Handle };

export interface OffsetMove {
  readonly queueId: number;
  readonly newOffset: number;
}

export interface Range {
  readonly minOffset: number;
  readonly maxOffset: number;
}

export interface Lag extends Range {
  readonly queueId: number;
  /** Messages that the group has not settled. */
  readonly count: number;
}

export interface TopicSpec {
  readonly name: string;
  readonly messageType: 'NORMAL' | 'FIFO' | 'PRIORITY' | 'DELAY' | 'TRANSACTION';
  readonly readQueueCount: number;
  readonly writeQueueCount: number;
}

export interface GroupSpec {
  readonly name: string;
  readonly order: 'none' | 'by queue' | 'by message group';
  readonly retryMaxTimes: number;
}

/**
 * All that clients and operators do. Every method is called as if over a network: what it does happens at some moment
 * between the call and the answer. One shard in one process is behind it today; whatever else promises the same to clients
 * can be.
 */
export interface Cluster {
  putTopic(spec: TopicSpec): Promise<Answer<void>>;
  putGroup(spec: GroupSpec): Promise<Answer<Handle>>;
  deleteGroup(name: string): Promise<Answer<void>>;
  /** A handle of a group that is there now; undefined when it is not. */
  group(name: string): Handle | undefined;

  send(message: MessageSpec): Promise<Answer<Sent>>;
  endTransaction(handle: Handle, end: EndKind): Promise<Answer<Ended>>;
  /** Ids of half messages whose producer is to be asked now, as messages; they count as asked afterwards. */
  checkTransactions(topic: string, countMax: number): Promise<Answer<readonly number[]>>;
  /** False: it does not wait (any more). */
  recall(handle: Handle): Promise<Answer<boolean>>;
  /** Timed messages and open transactions that are left. */
  pendingCount(topic: string): number;

  receive(call: ReceiveCall): Promise<Answer<readonly Received[]>>;
  acknowledge(handle: Handle): Promise<Answer<Used>>;
  /** @returns of what is done, the new handle and its lease id */
  changeInvisible(
    handle: Handle,
    invisibleMs: number,
  ): Promise<Answer<{ readonly used: Used; readonly handle: Handle; readonly leaseId: number }>>;
  /** Moves the end of a lease that is still current; its handle stays. */
  renew(handle: Handle, invisibleMs: number): Promise<Answer<void>>;
  forward(handle: Handle): Promise<Answer<Used>>;

  /** Hands back some dead letters of a group, from an offset among them on. @returns ids as messages */
  redrive(
    group: Handle,
    fromOffset: number,
    countMax: number,
  ): Promise<Answer<{ readonly ids: readonly number[]; readonly nextOffset: number; readonly more: boolean }>>;
  /** Sets where a group goes on, in one queue or in all; a dry run at the same moment must have said the same. */
  setOffsets(
    group: Handle,
    topic: string,
    queueId: number | undefined,
    wish: OffsetWish,
  ): Promise<Answer<readonly OffsetMove[]>>;
  pull(topic: string, queueId: number, offset: number, countMax: number): Promise<Answer<Pulled<Seen>>>;
  /** As `pull`, of the dead letters of a group. */
  pullLetters(groupName: string, offset: number, countMax: number): Promise<Answer<Pulled<SeenLetter>>>;
  lag(group: Handle, topic: string): readonly Lag[];
  /** Offsets of all queues of a topic, by queue id; empty when it is not there. */
  ranges(topic: string): readonly Range[];
}

export interface Pulled<Message> {
  readonly messages: readonly Message[];
  readonly nextOffset: number;
  readonly endOffset: number;
}

/** What a cluster tells the judge about mishaps. */
export interface ClusterEvents {
  /**
   * A process has died: open calls are `unknown` from now on.
   * @param forgottenFromMs what was answered since this moment may rightly be undone; Infinity = nothing
   */
  onDeath(forgottenFromMs: number): void;
  /** It serves again. @param agedMs leases may end so much earlier than the clock says */
  onStart(agedMs: number): void;
}

/** A mishap, or something that an operator does to processes and disks. */
export interface Mishap {
  readonly name: string;
  /** How often it comes, beside others. */
  readonly weight: number;
  /** @param traffic makes so many calls begin, which nobody waits for */
  run(traffic: (count: number) => void): Promise<void>;
}

/** A cluster and what can go wrong with it. */
export interface ClusterUnderTest extends Cluster {
  readonly mishaps: readonly Mishap[];
  /** Says what it is, for the one who looks for a bug. */
  readonly description: string;
  /** Messages are kept at least so long, milliseconds of the wall clock. */
  readonly retentionMs: number;
  /** A mishap may undo what was answered shortly before. */
  readonly forgets: boolean;
  start(events: ClusterEvents): Promise<void>;
  /** Sees to it that what has failed serves again. */
  heal(): Promise<void>;
  /** No more mishaps from now on: everything is whole again, after a last restart. */
  calm(): Promise<void>;
  /** What must hold inside, whatever clients see; throws otherwise. */
  verify(): Promise<void>;
  stop(): Promise<void>;
}
