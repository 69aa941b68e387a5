import { delay, MqError } from '@orbitmq/base';
import { CorruptionError, type LogRecord } from '@orbitmq/storage';
import { type GroupQueue, NONE, type Queue, type Topic } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { decodeGroupLease } from './group-lease.ts';
import { decodeOffsets } from './offset-records.ts';
import { decodePointer } from './pointer.ts';
import type { Queries } from './queries.ts';
import { isDiskError } from './read-faults.ts';
import { decodeAck, decodeAcks, decodeChange, decodeLease, type LeaseKey, RECORD } from './records.ts';
import { decodeRedrive } from './redrive-record.ts';
import type { GroupStanding, MessageStory, StoryEvent } from './shard.ts';

/** How far behind a message its story is followed. Bytes of the log. */
const FOLLOWED_BYTES_MAX = 64 * 1024 * 1024;
const SLICE_BYTES = 512 * 1024;
const SLICE_PAUSE_MS = 1;
const EVENTS_MAX = 256;

/** Tells what became of one message: how each group stands to it, and what the log says happened. */
export class Stories {
  readonly #core: ShardCore;
  readonly #queries: Queries;

  constructor(core: ShardCore, queries: Queries) {
    this.#core = core;
    this.#queries = queries;
  }

  /** @throws MqError OFFSET_NOT_FOUND when the queue does not hold the message */
  async tell(topic: Topic, queueId: number, queueOffset: number): Promise<MessageStory> {
    const { log, state } = this.#core;
    const message = await this.#queries.inQueue(topic, queueId, queueOffset);
    const queue = state.metadata.queueById(topic.uid, queueId);
    if (message === undefined || queue === undefined) {
      throw new MqError('OFFSET_NOT_FOUND', `the message at offset ${queueOffset} can not be read (any more)`);
    }
    const end = log.confirmedOffset;
    const events: StoryEvent[] = [];
    const followedTo = await this.#follow(message.physicalOffset, end, (record) => {
      for (const event of this.#eventsOf(record, queue, queueOffset)) {
        if (events.length < EVENTS_MAX) events.push(event);
      }
      return events.length < EVENTS_MAX;
    });
    const groups = [...state.progress.groupsOf(queue.uid)].flatMap((progress) => this.#standing(progress, queueOffset));
    groups.sort((left, right) => (left.group < right.group ? -1 : 1));
    return { message, groups, events, isComplete: followedTo >= end };
  }

  /** Walks the log from a record on, as far as is worth it. @returns how far */
  async #follow(from: number, end: number, visit: (record: LogRecord) => boolean): Promise<number> {
    const { clock, log } = this.#core;
    const to = Math.min(end, from + FOLLOWED_BYTES_MAX);
    let position = from;
    let goesOn = true;
    try {
      while (position < to && goesOn && !this.#core.isStopping) {
        const sliceEnd = Math.min(position + SLICE_BYTES, to);
        position = await log.scan(position, sliceEnd, (record) => {
          if (goesOn) goesOn = visit(record);
        });
        await delay(clock, SLICE_PAUSE_MS);
      }
    } catch (error) {
      // What can't be read or was removed meanwhile ends the story.
      if (isDiskError(error)) return from;
      const isGone = error instanceof MqError && error.code === 'OFFSET_NOT_FOUND';
      if (!(error instanceof CorruptionError) && !isGone) throw error;
      return from;
    }
    return goesOn ? position : from;
  }

  #eventsOf(record: LogRecord, queue: Queue, queueOffset: number): StoryEvent[] {
    const { payload, physicalOffset } = record;
    const isIt = (key: LeaseKey | undefined): key is LeaseKey =>
      key !== undefined && key.queueUid === queue.uid && key.queueOffset === queueOffset;
    const event = (kind: StoryEvent['kind'], groupUid: number, leaseId: number): StoryEvent[] => [
      { kind, group: this.#nameOf(groupUid), atMs: record.storeTimestampMs, leaseId },
    ];
    switch (record.type) {
      case RECORD.lease: {
        const { groupUid, queues } = decodeLease(payload);
        const isLeased = queues.some((leased) => leased.queueUid === queue.uid && leased.offsets.includes(queueOffset));
        return isLeased ? event('delivered', groupUid, physicalOffset) : [];
      }
      case RECORD.groupLease: {
        const { groupUid, queues } = decodeGroupLease(payload);
        const isLeased = queues.some(
          ({ queueUid, leased }) => queueUid === queue.uid && leased.some(({ offset }) => offset === queueOffset),
        );
        return isLeased ? event('delivered', groupUid, physicalOffset) : [];
      }
      case RECORD.ack: {
        const key = decodeAck(payload);
        return isIt(key) ? event('settled', key.groupUid, key.leaseId) : [];
      }
      case RECORD.acks: {
        const key = decodeAcks(payload).find(isIt);
        return key === undefined ? [] : event('settled', key.groupUid, key.leaseId);
      }
      case RECORD.suspension:
      case RECORD.change: {
        const key = decodeChange(payload);
        return isIt(key) ? event('handed back', key.groupUid, key.leaseId) : [];
      }
      case RECORD.pointer: {
        const { settles } = decodePointer(payload);
        return isIt(settles) ? event('dead letter', settles.groupUid, settles.leaseId) : [];
      }
      case RECORD.redrive: {
        const redrive = decodeRedrive(payload);
        const isRedriven = redrive.queueUid === queue.uid && redrive.queueOffset === queueOffset;
        return isRedriven ? event('redriven', redrive.groupUid, physicalOffset) : [];
      }
      case RECORD.offsets: {
        const { groupUid, queues } = decodeOffsets(payload);
        return queues.some(({ queueUid }) => queueUid === queue.uid)
          ? event('offset set', groupUid, physicalOffset)
          : [];
      }
      default:
        return [];
    }
  }

  #standing(progress: GroupQueue, queueOffset: number): GroupStanding[] {
    const { log, state } = this.#core;
    if (state.metadata.groupByUid(progress.groupUid) === undefined) return [];
    const group = this.#nameOf(progress.groupUid);
    const slot = state.progress.entry(progress, queueOffset);
    if (slot !== NONE) {
      const leftMs = state.progress.deadlineMs(slot) - log.shardTimeMs();
      const standing = leftMs > 0 ? 'in flight' : 'to be delivered again';
      return [{ group, standing, attempt: state.progress.attempt(slot), leftMs: Math.max(0, leftMs) }];
    }
    const standing = queueOffset < progress.nextOffset ? 'settled' : 'not reached';
    return [{ group, standing, attempt: 0, leftMs: 0 }];
  }

  #nameOf(groupUid: number): string {
    return this.#core.state.metadata.groupByUid(groupUid)?.name ?? `(deleted group ${groupUid})`;
  }
}
