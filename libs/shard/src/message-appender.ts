import { assert } from '@orbitmq/base';
import { readLiteTopic } from '@orbitmq/protocol';
import type { LogRecord } from '@orbitmq/storage';
import { type IndexedQueue, LITE_QUEUE_ID_MIN, LiteTopic, type Topic } from '@orbitmq/views';
import type { SentMessage } from './common-types.ts';
import type { ShardCore } from './core.ts';
import { writeLiteHeader } from './lite-records.ts';
import type { LiteSendRequest } from './lite-shard.ts';
import {
  type BodyRef,
  PENDING,
  type PendingRef,
  POINTER_HEADER_BYTES,
  SETTLED_PLACE_BYTES,
  writePointerHeader,
} from './pointer.ts';
import { type LeaseKey, MESSAGE_HEADER_BYTES, RECORD, writeMessageHeader, writeQueuePlace } from './records.ts';
import type { SendRequest } from './shard.ts';
import type { SentCounters } from './statistics.ts';
import { Visibility } from './visibility.ts';

/** A message whose body is in the log already. */
export interface PointRequest {
  readonly topic: Topic;
  /** 0 … the topic's number of queues − 1. */
  readonly queueId: number;
  readonly tagHash: number;
  /** The record with the body, never a pointer (see `MessageReader.source`), at or behind the log's start. */
  readonly body: BodyRef;
  /** Pending item that becomes this message. */
  readonly ends?: PendingRef;
  /** Handing-out that this message settles: it is a dead letter. */
  readonly settles?: LeaseKey;
  /** Encoded fields that go behind the body's system properties; at most 64 KiB − 1. */
  readonly system?: Uint8Array;
  /** Encoded fields of `Message` that go behind the others, such as another topic. */
  readonly rest?: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const NO_PENDING: PendingRef = { kind: PENDING.none, id: 0, slot: 0 };

/** Puts messages at the end of queues, and shows them to consumers when they are confirmed. */
export class MessageAppender {
  /** Sends by topic uid since the start of the process. */
  readonly sent = new Map<number, SentCounters>();
  readonly #core: ShardCore;
  readonly #visibility = new Visibility();
  readonly #messageHeader = Buffer.alloc(MESSAGE_HEADER_BYTES);
  readonly #pointerHeader = Buffer.alloc(POINTER_HEADER_BYTES + SETTLED_PLACE_BYTES);

  constructor(core: ShardCore) {
    this.#core = core;
    core.log.onConfirmed((confirmedOffset) => this.#show(confirmedOffset));
  }

  /** @throws MqError TOO_MANY_REQUESTS when the log is behind */
  append(topic: Topic, request: SendRequest): SentMessage {
    const { queueId, message } = request;
    const indexed = this.#core.state.index.queue(topic.queues[queueId]!.uid)!;
    const { nextOffset } = indexed;
    writeMessageHeader(this.#messageHeader, indexed.uid, nextOffset, request.tagHash, message.system.length);
    const record = this.#core.append(RECORD.message, [this.#messageHeader, message.system, message.rest]);
    return this.#appended(topic, queueId, indexed, record);
  }

  /**
   * Appends a message to a lite topic; the first one makes it.
   * @throws MqError TOO_MANY_REQUESTS when the log is behind
   */
  appendLite(topic: Topic, { liteTopic, tagHash, message }: LiteSendRequest): SentMessage {
    const { metadata, index } = this.#core.state;
    const known = metadata.liteTopics.find(topic.uid, liteTopic);
    const queueUid = known?.uid ?? metadata.nextQueueUid;
    const { length } = message.system;
    if (known === undefined) {
      assert(readLiteTopic(message.system) === liteTopic, 'a message for a lite topic does not name it');
      writeLiteHeader(this.#messageHeader, { queueUid, topicUid: topic.uid, tagHash }, length);
    } else {
      writeMessageHeader(this.#messageHeader, queueUid, index.queue(queueUid)!.nextOffset, tagHash, length);
    }
    const type = known === undefined ? RECORD.liteMessage : RECORD.message;
    const record = this.#core.append(type, [this.#messageHeader, message.system, message.rest]);
    return this.#appended(topic, LITE_QUEUE_ID_MIN + queueUid, index.queue(queueUid)!, record);
  }

  /**
   * Appends a pointer: the body becomes a message of a queue, and is held as long as the queue holds the message.
   * @throws MqError TOO_MANY_REQUESTS when the log is behind
   */
  point(request: PointRequest): SentMessage {
    const { topic, queueId, body, ends = NO_PENDING, settles, system = NOTHING, rest = NOTHING } = request;
    const indexed = this.#core.state.index.queue(topic.queues[queueId]!.uid)!;
    const headerBytes = settles === undefined ? POINTER_HEADER_BYTES : POINTER_HEADER_BYTES + SETTLED_PLACE_BYTES;
    const header = this.#pointerHeader.subarray(0, headerBytes);
    writeQueuePlace(header, indexed.uid, indexed.nextOffset, request.tagHash);
    const bodySegment = this.#core.segmentStartOf(body.physicalOffset);
    writePointerHeader(header, { body, bodySegment, ends, settles, system, rest });
    const record = this.#core.append(RECORD.pointer, [header, system, rest]);
    return this.#appended(topic, queueId, indexed, record);
  }

  #appended(topic: Topic, queueId: number, indexed: IndexedQueue, record: LogRecord): SentMessage {
    const { physicalOffset, storeTimestampMs } = record;
    const queueOffset = indexed.nextOffset - 1;
    this.#visibility.add(indexed, queueOffset, physicalOffset + record.length);
    this.count(topic, record.length);
    return { queueId, queueOffset, physicalOffset, storeTimestampMs };
  }

  /** Counts something sent to a topic. */
  count(topic: Topic, bytes: number): void {
    const sent = this.sent.get(topic.uid);
    if (sent === undefined) this.sent.set(topic.uid, { count: 1, bytes });
    else {
      sent.count++;
      sent.bytes += bytes;
    }
  }

  #show(confirmedOffset: number): void {
    const { lite, pulls, state, subscriptions, waiters } = this.#core;
    this.#visibility.show(confirmedOffset, (indexed) => {
      pulls.wake(indexed.uid);
      const queue = state.metadata.queueByUid(indexed.uid);
      if (queue === undefined) return;
      if (queue instanceof LiteTopic) lite.arrived(queue);
      else for (const subscription of subscriptions.ofTopic(queue.topicUid)) waiters.wake(subscription);
    });
  }
}
