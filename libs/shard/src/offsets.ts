import { MqError, quoted } from '@orbitmq/base';
import {
  type Group,
  type GroupQueue,
  type IndexEntry,
  type IndexedQueue,
  type LiteTopic,
  NONE,
  type Queue,
  type Topic,
} from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { liteStanding } from './lite-standing.ts';
import { isUnreadable } from './message-reader.ts';
import { encodeOffsets } from './offset-records.ts';
import { RECORD } from './records.ts';
import type { OffsetChange, OffsetRequest } from './shard.ts';

/** Offsets found before the step in which they are set, by queue uid. */
type FoundOffsets = ReadonlyMap<number, number>;
const NOTHING_FOUND: FoundOffsets = new Map();

/** Lite topics whose offsets one request sets, and those in one record. */
const LITE_TOPICS_MAX = 10_000;
const RECORDED_MAX = 1_000;

/** A queue and where a group is to go on with it. */
interface Planned {
  readonly queue: Queue;
  readonly indexed: IndexedQueue;
  readonly newOffset: number;
}

/** Sets where groups go on, and says what that would do. */
export class Offsets {
  readonly #core: ShardCore;
  readonly #entry: IndexEntry = { physicalOffset: 0, length: 0, tagHash: 0 };

  constructor(core: ShardCore) {
    this.#core = core;
  }

  async plan(request: OffsetRequest): Promise<OffsetChange[]> {
    const found = await this.#found(request);
    return this.#withTimes(request, this.#changes(request, this.#planned(request, found)));
  }

  async set(request: OffsetRequest): Promise<OffsetChange[]> {
    const found = await this.#found(request);
    const changes = this.#apply(request, found);
    await this.#core.log.settled();
    return this.#withTimes(request, changes);
  }

  async commit(group: Group, topic: Topic, queueId: number, offset: number): Promise<void> {
    this.#apply({ group, topic, queueId, target: { kind: 'offset', offset } }, NOTHING_FOUND);
    await this.#core.log.settled();
  }

  /** What is told and what is done, in one synchronous step. */
  #apply(request: OffsetRequest, found: FoundOffsets): OffsetChange[] {
    this.#core.checkRunning();
    const subscription = this.#core.subscription(request.group, request.topic);
    const planned = this.#planned(request, found);
    const changes = this.#changes(request, planned);
    const moved = planned.filter((_, index) => isMove(changes[index]!, this.#progress(request, planned[index]!.queue)));
    for (let from = 0; from < moved.length; from += RECORDED_MAX) {
      const queues = moved
        .slice(from, from + RECORDED_MAX)
        .map(({ queue, newOffset }) => ({ queueUid: queue.uid, nextOffset: newOffset }));
      this.#core.append(RECORD.offsets, [encodeOffsets({ groupUid: request.group.uid, queues })]);
    }
    for (const { queue } of moved) this.#core.wake(subscription, queue.uid);
    return changes;
  }

  async at(topic: Topic, queueId: number, timestampMs: number): Promise<number> {
    const indexed = this.#core.state.index.queue(this.#queueOf(topic, queueId).uid);
    if (indexed === undefined) return 0;
    let low = indexed.minOffset;
    let high = indexed.nextOffset;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const storedMs = await this.#storeTimestamp(indexed, middle);
      if (storedMs === undefined || storedMs < timestampMs) low = middle + 1;
      else high = middle;
      // Retention may have gone on meanwhile.
      low = Math.max(low, indexed.minOffset);
    }
    return low;
  }

  /** What takes reading: offsets by time. */
  async #found(request: OffsetRequest): Promise<FoundOffsets> {
    const { topic, target } = request;
    const found = new Map<number, number>();
    if (target.kind !== 'time') return found;
    for (const queue of this.#queues(request)) {
      // a lite topic may have ended meanwhile
      if (this.#core.state.metadata.queueByUid(queue.uid) === undefined) continue;
      found.set(queue.uid, await this.at(topic, queue.id, target.timestampMs));
    }
    return found;
  }

  #planned(request: OffsetRequest, found: FoundOffsets): Planned[] {
    const planned: Planned[] = [];
    for (const queue of this.#queues(request)) {
      const indexed = this.#core.state.index.queue(queue.uid)!;
      const newOffset = this.#newOffset(request, queue, indexed, found);
      if (newOffset !== undefined) planned.push({ queue, indexed, newOffset });
    }
    return planned;
  }

  /** undefined = the group stays where it is. */
  #newOffset(request: OffsetRequest, queue: Queue, indexed: IndexedQueue, found: FoundOffsets): number | undefined {
    const { target, topic } = request;
    const { minOffset, nextOffset: maxOffset } = indexed;
    switch (target.kind) {
      case 'earliest':
        return minOffset;
      case 'latest':
        return maxOffset;
      case 'time':
        // one that has come since stays where it is
        return found.has(queue.uid) ? Math.max(minOffset, found.get(queue.uid)!) : undefined;
      case 'offset':
        if (target.offset >= minOffset && target.offset <= maxOffset) return target.offset;
        throw new MqError(
          'ILLEGAL_OFFSET',
          `queue ${queue.id} of topic ${quoted(topic.name)} has the offsets ${minOffset} to ${maxOffset}; found ${target.offset}; set one of them`,
        );
      case 'group': {
        const source = this.#core.state.progress.find(target.group.uid, queue.uid);
        return source && Math.max(minOffset, this.#core.state.progress.floorOffset(source));
      }
    }
  }

  #changes(request: OffsetRequest, planned: readonly Planned[]): OffsetChange[] {
    return planned.map(({ queue, indexed, newOffset }) => {
      const { minOffset, nextOffset: maxOffset } = indexed;
      const progress = this.#progress(request, queue);
      const nextOffset = Math.max(progress?.nextOffset ?? 0, minOffset);
      const before = progress === undefined ? 0 : this.#entriesBefore(progress, newOffset);
      const inflightCount = progress?.count ?? 0;
      return {
        queueId: queue.id,
        minOffset,
        maxOffset,
        floorOffset: progress && inflightCount > 0 ? this.#core.state.progress.floorOffset(progress) : nextOffset,
        nextOffset,
        newOffset,
        redeliveredCount: Math.max(0, nextOffset - newOffset - (inflightCount - before)),
        skippedCount: before + Math.max(0, newOffset - nextOffset),
        inflightCount,
        newOffsetTimestampMs: undefined,
        floorTimestampMs: undefined,
      };
    });
  }

  #entriesBefore(progress: GroupQueue, offset: number): number {
    const view = this.#core.state.progress;
    let count = 0;
    for (let slot = progress.first; slot !== NONE && view.offset(slot) < offset; slot = view.next(slot)) count++;
    return count;
  }

  async #withTimes({ topic }: OffsetRequest, changes: readonly OffsetChange[]): Promise<OffsetChange[]> {
    const timed: OffsetChange[] = [];
    for (const change of changes) {
      const queue = this.#core.state.metadata.queueById(topic.uid, change.queueId);
      const indexed = queue && this.#core.state.index.queue(queue.uid);
      const timeOf = (offset: number): Promise<number | undefined> | undefined =>
        indexed && this.#storeTimestamp(indexed, offset);
      const newOffsetTimestampMs = await timeOf(change.newOffset);
      timed.push({ ...change, newOffsetTimestampMs, floorTimestampMs: await timeOf(change.floorOffset) });
    }
    return timed;
  }

  /** When a message was stored; undefined when it is not there, or can't be read. */
  async #storeTimestamp(indexed: IndexedQueue, offset: number): Promise<number | undefined> {
    const { index } = this.#core.state;
    try {
      while (offset >= indexed.minOffset && offset < indexed.nextOffset && index.queue(indexed.uid) === indexed) {
        if (index.locate(indexed, offset, this.#entry)) {
          return await this.#core.reader.storeTimestamp(this.#entry.physicalOffset, this.#entry.length);
        }
        await index.load(indexed, offset);
      }
    } catch (error) {
      if (!isUnreadable(error) && !(error instanceof MqError && error.code === 'OFFSET_NOT_FOUND')) throw error;
    }
    return undefined;
  }

  #queues({ group, topic, queueId, target }: OffsetRequest): readonly Queue[] {
    const current = this.#core.state.metadata.topicByUid(topic.uid);
    if (current === undefined) {
      throw new MqError('TOPIC_NOT_FOUND', `topic ${quoted(topic.name)} is not there (any more): create it first`);
    }
    if (queueId !== undefined) return [this.#queueOf(current, queueId)];
    if (current.messageType !== 'LITE') return current.queues;
    return this.#liteTopics(target.kind === 'group' ? target.group : group, current);
  }

  /** Those that a group has begun, or that its clients read. */
  #liteTopics(group: Group, topic: Topic): LiteTopic[] {
    const found: LiteTopic[] = [];
    liteStanding(this.#core, group.uid, topic.uid, (liteTopic) => found.push(liteTopic));
    if (found.length <= LITE_TOPICS_MAX) return found;
    throw new MqError(
      'BAD_REQUEST',
      `offsets are set for at most ${LITE_TOPICS_MAX} lite topics at a time; found ${found.length} that group ${quoted(group.name)} has begun or reads; let its clients name a first position when they subscribe`,
    );
  }

  #queueOf(topic: Topic, queueId: number): Queue {
    const queue = this.#core.state.metadata.queueById(topic.uid, queueId);
    if (queue !== undefined) return queue;
    throw new MqError(
      'BAD_REQUEST',
      `topic ${quoted(topic.name)} has the queues 0 to ${topic.queues.length - 1}; found ${queueId}; name one of them`,
    );
  }

  #progress({ group }: OffsetRequest, queue: Queue): GroupQueue | undefined {
    return this.#core.state.progress.find(group.uid, queue.uid);
  }
}

/** Whether a record is needed for it: a commit of what is known already is not. */
function isMove(change: OffsetChange, progress: GroupQueue | undefined): boolean {
  return progress === undefined || progress.count > 0 || progress.nextOffset !== change.newOffset;
}
