import { MqError, type Timer } from '@orbitmq/base';
import { NONE, type PendingTimer, type Queue, type Topic } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import type { MessageAppender } from './message-appender.ts';
import type { StoredMessage } from './message-reader.ts';
import { isUnreadable } from './message-reader.ts';
import { encodePendingEnd } from './pending.ts';
import { PENDING, type PendingRef } from './pointer.ts';
import { MESSAGE_HEADER_BYTES, RECORD, writeMessageHeader } from './records.ts';
import type { SentTimer, TimedMessage, TimedMessagePage, TimedRequest, TimerPosition, TimerRef } from './shard.ts';
import type { TimerStatistics } from './statistics.ts';

/** Timers that fire before others have their turn. */
const FIRED_PER_TURN = 500;
/** The wall clock is looked at no later than this: it may have jumped. Milliseconds. */
const LOOK_INTERVAL_MS = 250;
/** Slots that one page of a listing looks at. */
const LOOKED_MAX = 100_000;

/**
 * Messages that wait for their time. Such a message is stored once, invisible; when it is due by the wall clock, a
 * pointer record puts it into its queue and ends the timer in the same step, so that it fires exactly once.
 */
export class TimedMessages {
  readonly #core: ShardCore;
  readonly #appender: MessageAppender;
  readonly #header = Buffer.alloc(MESSAGE_HEADER_BYTES);
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** The first timer that is due is not confirmed yet. */
  #awaitsConfirmation = false;
  #firedCount = 0;
  #cancelledCount = 0;
  #latenessSumMs = 0;
  #latenessMaxMs = 0;

  constructor(core: ShardCore, appender: MessageAppender) {
    this.#core = core;
    this.#appender = appender;
    core.log.onConfirmed(() => {
      if (this.#awaitsConfirmation) this.#arm();
    });
  }

  /** Begins to fire what is due. */
  start(): void {
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** @throws MqError TOO_MANY_REQUESTS when too many timers are pending, or the log is behind */
  send(topic: Topic, request: TimedRequest): SentTimer {
    const { timers } = this.#core.state;
    const { timersMax } = this.#core.settings;
    if (timers.count >= timersMax) {
      throw new MqError(
        'TOO_MANY_REQUESTS',
        `${timers.count} timed messages wait for their time on this broker, and ${timersMax} may: send fewer ahead of time, or let its operator raise timerPendingMax`,
      );
    }
    const { message, deliveryTimestampMs } = request;
    const queueUid = topic.queues[request.queueId]!.uid;
    writeMessageHeader(this.#header, queueUid, deliveryTimestampMs, request.tagHash, message.system.length);
    const record = this.#core.append(RECORD.timed, [this.#header, message.system, message.rest]);
    if (deliveryTimestampMs < this.#timerAtMs) this.#arm();
    return {
      timer: { id: record.physicalOffset, slot: timers.lastSlot },
      storeTimestampMs: record.storeTimestampMs,
    };
  }

  /** @throws MqError INTERNAL_SERVER_ERROR when its body can't be read */
  async find(topic: Topic, ref: TimerRef): Promise<TimedMessage | undefined> {
    const pending = this.#pending(topic, ref);
    return pending === undefined ? undefined : this.#read(pending);
  }

  cancel(topic: Topic, ref: TimerRef): boolean {
    if (this.#pending(topic, ref) === undefined) return false;
    this.#core.append(RECORD.pendingEnd, [encodePendingEnd(refOf(ref))]);
    this.#cancelledCount++;
    return true;
  }

  /** @throws MqError INTERNAL_SERVER_ERROR when a body can't be read */
  async page(topic: Topic, from: TimerPosition, countMax: number): Promise<TimedMessagePage> {
    const queueUids = new Set(topic.queues.map((queue) => queue.uid));
    const { timers, next } = this.#core.state.timers.page(queueUids, from, { countMax, lookedMax: LOOKED_MAX });
    const messages: TimedMessage[] = [];
    for (const pending of timers) {
      const { slot, id } = pending;
      const message = await this.#read(pending);
      if (message !== undefined && this.#core.state.timers.isPending(slot, id)) messages.push(message);
    }
    return { messages, next };
  }

  count(topic: Topic): number {
    let count = 0;
    for (const queue of topic.queues) count += this.#core.state.timers.countOf(queue.uid);
    return count;
  }

  statistics(): TimerStatistics {
    const { timers } = this.#core.state;
    const first = timers.first();
    const behindMs = first === NONE ? 0 : Math.max(0, this.#core.clock.wallMs() - timers.deliveryMs(first));
    return {
      pendingCount: timers.count,
      firedCount: this.#firedCount,
      cancelledCount: this.#cancelledCount,
      latenessSumMs: this.#latenessSumMs,
      latenessMaxMs: this.#latenessMaxMs,
      behindMs,
    };
  }

  #pending(topic: Topic, { id, slot }: TimerRef): PendingTimer | undefined {
    const { timers, metadata } = this.#core.state;
    if (!timers.isPending(slot, id)) return undefined;
    const pending = timers.get(slot);
    return metadata.queueByUid(pending.queueUid)?.topicUid === topic.uid ? pending : undefined;
  }

  /** undefined when it is not pending any more, and its body gone. */
  async #read(pending: PendingTimer): Promise<TimedMessage | undefined> {
    let stored: StoredMessage;
    try {
      stored = await this.#core.reader.body({ physicalOffset: pending.bodyOffset, length: pending.bodyLength });
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      const { timers } = this.#core.state;
      if (!timers.isPending(pending.slot, pending.id)) return undefined;
      const now = timers.get(pending.slot);
      if (now.bodyOffset !== pending.bodyOffset) return this.#read(now);
      throw new MqError(
        'INTERNAL_SERVER_ERROR',
        'a stored message that waits for its time is damaged; the log of the broker says more: ask its operator',
        { cause: error },
      );
    }
    return {
      timer: { id: pending.id, slot: pending.slot },
      queueId: this.#core.state.metadata.queueByUid(pending.queueUid)?.id ?? 0,
      deliveryTimestampMs: pending.deliveryMs,
      message: stored.message,
    };
  }

  /** Sees to it that `#fire` runs when the next timer is due. */
  #arm(): void {
    const { timers } = this.#core.state;
    const { clock } = this.#core;
    const first = timers.first();
    this.#timer?.cancel();
    this.#awaitsConfirmation = false;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    if (first === NONE || this.#core.isStopping) return;
    this.#timerAtMs = timers.deliveryMs(first);
    const delayMs = Math.max(0, Math.min(this.#timerAtMs - clock.wallMs(), LOOK_INTERVAL_MS));
    this.#timer = clock.setTimer(delayMs, () => this.#fire());
  }

  #fire(): void {
    try {
      for (let remaining = FIRED_PER_TURN; remaining > 0 && this.#fireFirst(); remaining--);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      // The log is behind, or has failed; after its next batch the rest is tried again.
      this.#awaitsConfirmation = true;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      return;
    }
    if (!this.#awaitsConfirmation) this.#arm();
  }

  /** @returns whether there may be more to fire now */
  #fireFirst(): boolean {
    const { clock, log, state } = this.#core;
    const slot = state.timers.first();
    if (slot === NONE || this.#core.isStopping) return false;
    const nowMs = clock.wallMs();
    if (state.timers.deliveryMs(slot) > nowMs) return false;
    const pending = state.timers.get(slot);
    if (pending.bodyOffset + pending.bodyLength > log.confirmedOffset) {
      this.#awaitsConfirmation = true;
      return false;
    }
    const queue = state.metadata.queueByUid(pending.queueUid)!;
    const topic = state.metadata.topicByUid(queue.topicUid)!;
    this.#appender.point({
      topic,
      queueId: queueIdNow(topic, queue),
      tagHash: pending.tagHash,
      body: { physicalOffset: pending.bodyOffset, length: pending.bodyLength },
      ends: refOf(pending),
    });
    const latenessMs = nowMs - pending.deliveryMs;
    this.#firedCount++;
    this.#latenessSumMs += latenessMs;
    this.#latenessMaxMs = Math.max(this.#latenessMaxMs, latenessMs);
    return true;
  }
}

function refOf({ id, slot }: TimerRef): PendingRef {
  return { kind: PENDING.timer, id, slot };
}

/** The queue that was chosen at the send, or another when the topic has been given fewer since. */
function queueIdNow(topic: Topic, queue: Queue): number {
  return queue.id < topic.writeQueueCount ? queue.id : queue.id % topic.writeQueueCount;
}
