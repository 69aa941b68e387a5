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
import type { ShardState } from './state.ts';
import { type Subscription, Subscriptions } from './subscription.ts';
import { Waiters } from './waiters.ts';

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
  #stopping = false;

  constructor(log: CommitLog, state: ShardState, clock: Clock, logger: Logger, settings: ShardSettings) {
    this.log = log;
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

  stop(): void {
    this.#stopping = true;
    for (const subscription of this.subscriptions.all()) this.waiters.dismiss(subscription);
    this.lite.closeAll();
    this.pulls.dismissAll();
  }

  /** Appends a record and applies it: the only way in which the state changes. */
  append(type: number, parts: readonly Uint8Array[]): LogRecord {
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

  /** @throws MqError FORBIDDEN when the shard is stopping */
  checkRunning(): void {
    if (this.#stopping) throw new MqError('FORBIDDEN', 'the broker is stopping: use another one, or try again later');
  }
}
