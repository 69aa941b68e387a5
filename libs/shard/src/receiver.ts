import { KIB, MqError, quoted, SECOND_MS, type Timer } from '@orbitmq/base';
import type { Group, LiteTopic, Topic } from '@orbitmq/views';
import type { Delivery } from './common-types.ts';
import type { ShardCore } from './core.ts';
import { encodeGroupLease, type GroupLeasedQueue } from './group-lease.ts';
import { invisibleDuration, type Leases } from './leases.ts';
import type { LiteReader } from './lite-reader.ts';
import type { LiteReceiveRequest } from './lite-shard.ts';
import { BodyGone, isUnreadable, type StoredMessage, type Unreadable } from './message-reader.ts';
import { Picker, type Plan, type PlannedQueue, type Prepared } from './picker.ts';
import { QueueTurns } from './queue-turns.ts';
import { ReadFault } from './read-faults.ts';
import { encodeLease, encodeLeaseKey, encodeRenewal, type LeasedQueue, type LeaseKey, RECORD } from './records.ts';
import type { ReceiveRequest } from './shard.ts';
import type { SubscribedQueue, Subscription } from './subscription.ts';

/** Longer attempt ids are cut; those of clients have at most as many. */
const ATTEMPT_ID_CHARS_MAX = 256;
/** A queue whose next message can't be read, but must be before it is handed out, is looked at again after this. */
const REST_MS = SECOND_MS;
/** A message this close behind one that is being read comes with it, as a rule: it is asked for when that one is there. */
const READ_TOGETHER_BYTES = 64 * KIB;

/** A message that was handed out and is yet to be read. */
interface Handed {
  readonly queue: SubscribedQueue;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  readonly leaseId: number;
  readonly attempt: number;
  /** Of the index entry. */
  readonly length: number;
  /** The message, or why it can't be read; undefined when it is yet to be asked for. */
  readonly stored: StoredMessage | Error | Promise<StoredMessage | Error> | undefined;
}

/** Hands out messages. */
export class Receiver {
  readonly #core: ShardCore;
  readonly #leases: Leases;
  readonly #picker: Picker;
  readonly #rests = new Set<Timer>();

  constructor(core: ShardCore, leases: Leases) {
    this.#core = core;
    this.#leases = leases;
    const turns = new QueueTurns(core.state.metadata, core.settings.priorityOrderAsc);
    this.#picker = new Picker(
      core.state,
      core.reader,
      core.clock,
      core.availability,
      turns,
      (subscription, queue, error) => this.#tellUnreadable(subscription, queue, error),
    );
  }

  stop(): void {
    for (const timer of this.#rests) timer.cancel();
  }

  async receive(request: ReceiveRequest): Promise<Delivery[]> {
    this.#core.checkRunning();
    const subscription = this.#core.subscription(request.group, request.topic);
    try {
      const handed = (await this.#repeat(subscription, request)) ?? (await this.#take(subscription, request));
      return handed.length === 0 ? [] : await this.#deliver(subscription, handed);
    } finally {
      this.#core.waiters.wake(subscription);
      this.#core.waiters.refill();
    }
  }

  /** As `receive`, of the lite topics of a client. */
  async receiveLite(reader: LiteReader, request: LiteReceiveRequest): Promise<Delivery[]> {
    const { reading } = reader;
    const { group, topic } = reading.source;
    try {
      this.#core.checkRunning();
      const subscription = this.#core.subscription(group, topic);
      reader.checkOpen();
      const handed =
        (await this.#repeatLite(subscription, reader, request)) ??
        (await this.#takeLite(subscription, reader, request));
      return handed.length === 0 ? [] : await this.#deliver(subscription, handed);
    } finally {
      this.#core.waiters.wake(reading);
      this.#core.waiters.refill();
    }
  }

  async #repeatLite(
    subscription: Subscription,
    reader: LiteReader,
    request: LiteReceiveRequest,
  ): Promise<Handed[] | undefined> {
    const { reading } = reader;
    const attemptId = cutAttemptId(request.attemptId);
    if (attemptId === '') return undefined;
    for (;;) {
      this.#checkServed(reading.source);
      this.#leases.expire();
      const queues = reading.givenTo(attemptId).map((liteTopic) => reading.source.queueOf(liteTopic));
      const present = queues.filter((queue) => queue !== undefined);
      const plan = this.#picker.repeat(present, 'queue', attemptId);
      if (plan === undefined) {
        reading.forget(attemptId);
        return undefined;
      }
      if (plan.missing === undefined) return this.#renewed(subscription, request.invisibleMs, plan);
      await this.#load(plan.missing.loaded);
    }
  }

  async #takeLite(subscription: Subscription, reader: LiteReader, request: LiteReceiveRequest): Promise<Handed[]> {
    const { reading } = reader;
    const attemptId = cutAttemptId(request.attemptId);
    const prepared: Prepared = new Map();
    for (;;) {
      this.#checkServed(reading.source);
      reader.checkOpen();
      this.#leases.expire();
      // From the pick to the record in one synchronous step: no other receive comes in between.
      const plan = this.#picker.pickLite(subscription, reading, request, prepared);
      if (plan.count > 0) {
        this.#record(subscription, request.invisibleMs, attemptId, plan);
        if (attemptId !== '') {
          const liteTopics = plan.queues.map(({ queue }) => queue.queue as LiteTopic);
          reading.remember(attemptId, liteTopics);
        }
        return this.#handed(subscription, plan);
      }
      if (plan.missing !== undefined) await reading.source.hold(plan.missing.queue, this.#load(plan.missing.loaded));
      else if (plan.refused) throw this.#tooManyOutstanding(reading.source.group);
      else return [];
    }
  }

  /** A FIFO group's attempt that asks again gets the same messages with the same leases, and more time. */
  async #repeat(subscription: Subscription, request: ReceiveRequest): Promise<Handed[] | undefined> {
    const attemptId = this.#attemptId(subscription, request);
    if (attemptId === '') return undefined;
    for (;;) {
      this.#checkServed(request);
      this.#leases.expire();
      const blocking = this.#core.availability.blocking(subscription);
      const plan = this.#picker.repeat(subscription.queues(this.#core.state), blocking, attemptId);
      if (plan === undefined) return undefined;
      if (plan.missing === undefined) return this.#renewed(subscription, request.invisibleMs, plan);
      await this.#load(plan.missing.loaded);
    }
  }

  /** Hands out once more, with the same leases, what is handed out. */
  #renewed(subscription: Subscription, invisibleMs: number, plan: Plan): Handed[] {
    const keys = plan.queues.flatMap((planned) => this.#keysOf(subscription, planned));
    this.#core.append(RECORD.renewal, [encodeRenewal(keys, invisibleDuration(invisibleMs))]);
    this.#leases.arm();
    return this.#handed(subscription, plan);
  }

  async #take(subscription: Subscription, request: ReceiveRequest): Promise<Handed[]> {
    const prepared: Prepared = new Map();
    for (;;) {
      this.#checkServed(request);
      this.#leases.expire();
      // From the pick to the record in one synchronous step: no other receive comes in between.
      const plan = this.#picker.pick(subscription, request, prepared);
      subscription.rotation++;
      if (plan.queues.length > 0) {
        const attemptId = plan.count === 0 ? '' : this.#attemptId(subscription, request);
        this.#record(subscription, request.invisibleMs, attemptId, plan);
      }
      if (plan.count > 0) return this.#handed(subscription, plan);
      if (plan.missing !== undefined) await this.#loadFor(subscription, plan.missing.queue, plan.missing.loaded);
      else if (plan.skippedCount > 0) await this.#core.log.settled();
      else if (plan.refused) throw this.#tooManyOutstanding(request.group);
      else return [];
      if (prepared.size > PREPARED_MAX) prepared.clear();
    }
  }

  /**
   * Goes before each pick: a record for a group that was deleted while this receive waited would change nothing, and the
   * next pick would find the same again, for ever.
   * @throws MqError when the shard is stopping, or the group or the topic has been deleted
   */
  #checkServed({ group, topic }: { readonly group: Group; readonly topic: Topic }): void {
    this.#core.checkRunning();
    this.#core.subscription(group, topic);
  }

  #record({ groupUid }: Subscription, requestedMs: number, attemptId: string, plan: Plan): void {
    const invisibleMs = invisibleDuration(requestedMs);
    if (plan.blocking === 'message group') {
      const queues = plan.queues.map(groupLeasedQueue);
      this.#core.append(RECORD.groupLease, [encodeGroupLease({ groupUid, invisibleMs, attemptId, queues })]);
    } else {
      const queues = plan.queues.map(leasedQueue);
      this.#core.append(RECORD.lease, [encodeLease({ groupUid, invisibleMs, attemptId, queues })]);
    }
    this.#leases.arm();
  }

  /** What was planned, as it stands after its record; begins to read it. */
  #handed(subscription: Subscription, plan: Plan): Handed[] {
    const { progress } = this.#core.state;
    const handed: Handed[] = [];
    // Where a read began that is under way.
    let readingFrom = Number.POSITIVE_INFINITY;
    for (const { queue, offsets, physicalOffsets, lengths } of plan.queues) {
      queue.progress ??= progress.find(subscription.groupUid, queue.queue.uid);
      for (let index = 0; index < offsets.length; index++) {
        const slot = progress.entry(queue.progress!, offsets[index]!);
        const [physicalOffset, length] = [physicalOffsets[index]!, lengths[index]!];
        const comesAlong =
          physicalOffset >= readingFrom && physicalOffset + length <= readingFrom + READ_TOGETHER_BYTES;
        const stored = comesAlong ? undefined : this.#read(physicalOffset, length);
        if (stored instanceof Promise) readingFrom = physicalOffset;
        handed.push({
          queue,
          queueOffset: offsets[index]!,
          physicalOffset,
          leaseId: progress.leaseId(slot),
          attempt: progress.attempt(slot),
          length,
          stored,
        });
      }
    }
    return handed;
  }

  /** The message, or why it can't be read. */
  #read(physicalOffset: number, length: number): StoredMessage | Error | Promise<StoredMessage | Error> {
    try {
      const stored = this.#core.reader.read(physicalOffset, length);
      return stored instanceof Promise ? stored.catch((error: Error) => error) : stored;
    } catch (error) {
      // It may also have been removed since it was handed out.
      if (isUnreadable(error) || error instanceof MqError) return error;
      throw error;
    }
  }

  /** Waits until the leases are stored and the messages are there. */
  async #deliver(subscription: Subscription, handed: readonly Handed[]): Promise<Delivery[]> {
    await this.#core.log.settled();
    const deliveries: Delivery[] = [];
    const { counters } = subscription;
    for (const { queue, queueOffset, physicalOffset, leaseId, attempt, length, stored: begun } of handed) {
      const reading = begun ?? this.#read(physicalOffset, length);
      const stored = reading instanceof Promise ? await reading : reading;
      if (stored instanceof Error) {
        this.#giveUp(subscription, queue, { queueOffset, leaseId, error: stored });
        continue;
      }
      counters.deliveredCount++;
      counters.deliveredBytes += stored.sizeBytes;
      if (attempt > 1) counters.redeliveredCount++;
      deliveries.push({
        queueId: queue.queue.id,
        queueOffset,
        physicalOffset,
        leaseId,
        attempt,
        storeTimestampMs: stored.storeTimestampMs,
        message: stored.message,
      });
    }
    return deliveries;
  }

  /** A message that was handed out can't be read. One that is damaged is settled: it would come back for ever. */
  #giveUp(
    subscription: Subscription,
    queue: SubscribedQueue,
    lost: { queueOffset: number; leaseId: number; error: Error },
  ): void {
    // that it will be handed out again when its lease ends needs no line a message
    if (lost.error instanceof ReadFault) return;
    if (!isUnreadable(lost.error)) {
      this.#core.logger.error(
        { err: lost.error, queueUid: queue.queue.uid, queueOffset: lost.queueOffset },
        'a message could not be read; it will be handed out again when its lease ends',
      );
      return;
    }
    this.#tellUnreadable(subscription, queue, lost.error);
    const key = this.#key(subscription, queue, lost.queueOffset, lost.leaseId);
    this.#core.append(RECORD.ack, [encodeLeaseKey(key)]);
    this.#core.wake(subscription, queue.queue.uid);
  }

  #tellUnreadable(subscription: Subscription, queue: SubscribedQueue, error: Unreadable): void {
    if (error instanceof BodyGone) {
      subscription.counters.unconsumedCount++;
      return;
    }
    subscription.counters.unreadableCount++;
    const { metadata } = this.#core.state;
    this.#core.logger.error(
      {
        topic: metadata.topicByUid(subscription.topicUid)?.name,
        group: metadata.groupByUid(subscription.groupUid)?.name,
        queue: queue.queue.id,
        file: error.file,
        physicalOffset: error.physicalOffset,
      },
      'a stored message is damaged and is passed over for this group',
    );
  }

  #keysOf(subscription: Subscription, planned: PlannedQueue): LeaseKey[] {
    const { progress } = this.#core.state;
    return planned.offsets.map((offset) => {
      const slot = progress.entry(planned.queue.progress!, offset);
      return this.#key(subscription, planned.queue, offset, progress.leaseId(slot));
    });
  }

  #key(subscription: Subscription, queue: SubscribedQueue, queueOffset: number, leaseId: number): LeaseKey {
    return { groupUid: subscription.groupUid, queueUid: queue.queue.uid, queueOffset, leaseId };
  }

  async #loadFor(subscription: Subscription, queue: SubscribedQueue, loaded: Promise<unknown>): Promise<void> {
    queue.picking = true;
    try {
      await this.#load(loaded);
    } catch (error) {
      if (!(error instanceof ReadFault)) throw error;
      this.#rest(subscription, queue);
    } finally {
      queue.picking = false;
    }
  }

  /** Lets the other queues have their turn while the disk can't read this one's next message. */
  #rest(subscription: Subscription, queue: SubscribedQueue): void {
    if (queue.resting || this.#core.isStopping) return;
    queue.resting = true;
    const timer = this.#core.clock.setTimer(REST_MS, () => {
      this.#rests.delete(timer);
      queue.resting = false;
      this.#core.waiters.wake(subscription);
    });
    this.#rests.add(timer);
  }

  async #load(loaded: Promise<unknown>): Promise<void> {
    try {
      await loaded;
    } catch (error) {
      if (error instanceof ReadFault) throw error;
      this.#core.logger.error({ err: error }, 'stored messages could not be looked up');
      throw new MqError(
        'INTERNAL_SERVER_ERROR',
        'the broker could not read stored messages; its log says which: try again, then ask its operator',
        { cause: error },
      );
    }
  }

  #attemptId(subscription: Subscription, request: ReceiveRequest): string {
    return this.#core.availability.blocking(subscription) === undefined ? '' : cutAttemptId(request.attemptId);
  }

  #tooManyOutstanding(group: Group): MqError {
    const { progress } = this.#core.state;
    return new MqError(
      'TOO_MANY_REQUESTS',
      `${progress.entryCount} messages are handed out and not acknowledged, and ${this.#core.settings.outstandingMax} may be: ` +
        `nothing new is given to group ${quoted(group.name)} until consumers acknowledge`,
    );
  }
}

function cutAttemptId(attemptId: string | undefined): string {
  return attemptId?.slice(0, ATTEMPT_ID_CHARS_MAX) ?? '';
}

function leasedQueue({ queue, nextOffset, offsets }: PlannedQueue): LeasedQueue {
  return { queueUid: queue.queue.uid, nextOffset, offsets };
}

function groupLeasedQueue({ queue, nextOffset, offsets, messageGroups, deferred }: PlannedQueue): GroupLeasedQueue {
  const leased = offsets.map((offset, index) => ({ offset, messageGroup: messageGroups[index]! }));
  return { queueUid: queue.queue.uid, nextOffset, leased, deferred };
}

/** Messages read ahead that one receive keeps. */
const PREPARED_MAX = 256;
