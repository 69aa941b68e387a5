import { assert, type Clock, MqError, quoted } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import type { CommitLog, LogRecord } from '@orbitmq/storage';
import type { Group, Topic } from '@orbitmq/views';
import { Availability } from './availability.ts';
import { LiteGroups } from './lite-groups.ts';
import { MessageReader } from './message-reader.ts';
import type { ShardSettings } from './options.ts';
import { PullWaiters } from './pull-waiters.ts';
import { ReadFaults } from './read-faults.ts';
import { RECORD } from './records.ts';
import type { ShardState } from './state.ts';
import { type Subscription, Subscriptions } from './subscription.ts';
import { Waiters } from './waiters.ts';

/** Records of a copy that stands in for its leader: what its consumers do, and nothing that others are shown. */
const ACTING_TYPES: ReadonlySet<number> = new Set([
  RECORD.lease,
  RECORD.groupLease,
  RECORD.ack,
  RECORD.acks,
  RECORD.change,
  RECORD.suspension,
  RECORD.renewal,
  RECORD.held,
  RECORD.offsets,
]);

/** What is refused while a slave stands in for its master. */
export function masterAway(): MqError {
  return new MqError(
    'HA_NOT_AVAILABLE',
    'the master of this broker is away, and its slave only serves consumers: nothing was stored, send to another broker or try again',
  );
}

/** How far a shard's log is confirmed and in its state. */
export interface Confirmation {
  /** What is built from the log and outlives the process, or is shown to somebody, is built from what lies before this byte. */
  readonly confirmedOffset: number;
  /** Where in the log the state stands: all before it has been applied. */
  readonly position: number;
  /** Calls `listener` each time that `confirmedOffset` has risen. Returns the way to stop that. */
  onConfirmed(listener: () => void): () => void;
}

/** A leader applies as it appends; what is confirmed, the log says. */
export function leaderConfirmation(log: CommitLog): Confirmation {
  return {
    get confirmedOffset() {
      return log.confirmedOffset;
    },
    get position() {
      return log.endOffset;
    },
    onConfirmed: (listener) => log.onConfirmed(listener),
  };
}

/** What the parts of a live shard share. */
export class ShardCore {
  readonly log: CommitLog;
  readonly state: ShardState;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: ShardSettings;
  readonly subscriptions = new Subscriptions();
  readonly availability: Availability;
  readonly waiters: Waiters;
  readonly lite: LiteGroups;
  readonly pulls = new PullWaiters();
  readonly readFaults: ReadFaults;
  readonly reader: MessageReader;
  readonly #confirmation: Confirmation;
  /** Stands in for its leader: hands out and settles messages, and changes nothing else. */
  readonly isActing: boolean;
  /** Why nothing is appended any more, though the log would take it. */
  #ended: MqError | undefined;
  #stopping = false;

  constructor(
    log: CommitLog,
    state: ShardState,
    clock: Clock,
    logger: Logger,
    settings: ShardSettings,
    confirmation = leaderConfirmation(log),
    isActing = false,
  ) {
    this.log = log;
    this.isActing = isActing;
    this.#confirmation = confirmation;
    this.state = state;
    this.clock = clock;
    this.logger = logger;
    this.settings = settings;
    this.availability = new Availability(state, settings.outstandingMax);
    this.readFaults = new ReadFaults(clock, logger);
    this.reader = new MessageReader(log, this.readFaults);
    this.waiters = new Waiters(this.availability, settings);
    this.lite = new LiteGroups(this);
  }

  get isStopping(): boolean {
    return this.#stopping;
  }

  /** See `Confirmation`. */
  get confirmedOffset(): number {
    return this.#confirmation.confirmedOffset;
  }

  /** Where in the log the state stands. */
  get position(): number {
    return this.#confirmation.position;
  }

  onConfirmed(listener: () => void): () => void {
    return this.#confirmation.onConfirmed(listener);
  }

  /** Appends nothing any more. @param error for those who ask for it; a retryable one */
  end(error: MqError): void {
    this.#ended ??= error;
  }

  stop(): void {
    this.#stopping = true;
    for (const subscription of this.subscriptions.all()) this.waiters.dismiss(subscription);
    this.lite.closeAll();
    this.pulls.dismissAll();
  }

  /** Appends a record and applies it: the only way in which the state changes. */
  append(type: number, parts: readonly Uint8Array[]): LogRecord {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.isActing && !ACTING_TYPES.has(type)) throw masterAway();
    const record = this.log.append(type, parts);
    this.state.apply(record);
    this.waiters.refill();
    return record;
  }

  /** A group may be given more of a queue than before: wakes who waits for that. */
  wake(subscription: Subscription, queueUid: number): void {
    const liteTopic = this.state.metadata.liteTopics.get(queueUid);
    if (liteTopic === undefined) this.waiters.wake(subscription);
    else this.lite.offer(subscription.groupUid, liteTopic);
  }

  /** First byte of the segment that holds the byte at `physicalOffset`, which the log still has. */
  segmentStartOf(physicalOffset: number): number {
    const segment = this.log.segments().findLast((candidate) => candidate.startOffset <= physicalOffset);
    assert(segment !== undefined, 'no segment of the log holds what a record is to refer to');
    return segment.startOffset;
  }

  /** @throws MqError when the group or the topic has been deleted */
  subscription(group: Group, topic: Topic): Subscription {
    if (this.state.metadata.topicByUid(topic.uid) === undefined) {
      throw new MqError('TOPIC_NOT_FOUND', `topic ${quoted(topic.name)} is not there (any more): create it first`);
    }
    if (this.state.metadata.groupByUid(group.uid) === undefined) {
      throw new MqError(
        'CONSUMER_GROUP_NOT_FOUND',
        `group ${quoted(group.name)} is not there (any more): create it first`,
      );
    }
    return this.subscriptions.obtain(group, topic);
  }

  /** @throws MqError FORBIDDEN when the shard is stopping; what the log was fenced with, when another one leads */
  checkRunning(): void {
    if (this.log.fenced !== undefined) throw this.log.fenced;
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#stopping) throw new MqError('FORBIDDEN', 'the broker is stopping: use another one, or try again later');
  }
}
