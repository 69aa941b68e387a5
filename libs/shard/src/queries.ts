import { MqError, quoted } from '@orbitmq/base';
import { readKeys, readMessageId, WireError } from '@orbitmq/protocol';
import { CorruptionError, type LogRecord } from '@orbitmq/storage';
import type { IndexEntry, Topic } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { KEY_SPACE, type KeyIndexing } from './key-indexing.ts';
import { isUnreadable } from './message-reader.ts';
import { decodePointer, indexedLength } from './pointer.ts';
import { isMessage, messageBytes, messageQueueUid, queueOffsetOf, RECORD } from './records.ts';
import type { FoundMessage, FoundPage, MessageQuery } from './shard.ts';

/** Places that one call reads. */
const READ_MAX = 256;

/** Finds stored messages by what operators know of them. */
export class Queries {
  readonly #core: ShardCore;
  readonly #keys: KeyIndexing;
  readonly #entry: IndexEntry = { physicalOffset: 0, length: 0, tagHash: 0 };

  constructor(core: ShardCore, keys: KeyIndexing) {
    this.#core = core;
    this.#keys = keys;
  }

  /** By message id or key, the newest first. */
  async find(query: MessageQuery): Promise<FoundPage> {
    const { log } = this.#core;
    const range = { from: log.startOffset, to: query.before ?? log.confirmedOffset };
    const space = query.by === 'messageId' ? KEY_SPACE.messageId : KEY_SPACE.key;
    const { physicalOffsets, searchedFrom } = await this.#keys.find(space, query.text, range);
    const messages: FoundMessage[] = [];
    let bytes = 0;
    for (const [index, place] of physicalOffsets.entries()) {
      if (messages.length === query.countMax || index === READ_MAX)
        return { messages, next: physicalOffsets[index - 1] };
      const found = await this.at(place);
      if (found === undefined || !isWanted(query, found)) continue;
      bytes += found.sizeBytes;
      if (messages.length > 0 && bytes > query.bytesMax) return { messages, next: physicalOffsets[index - 1] };
      messages.push(found);
    }
    return { messages, next: searchedFrom > log.startOffset ? searchedFrom : undefined };
  }

  /** The message whose record begins at a byte of the log; undefined when none does. */
  async at(physicalOffset: number): Promise<FoundMessage | undefined> {
    const { log } = this.#core;
    if (physicalOffset % 8 !== 0 || physicalOffset < log.startOffset || physicalOffset >= log.confirmedOffset) {
      return undefined;
    }
    try {
      const record = await this.#core.reader.recordIfAny(physicalOffset);
      if (record === undefined) return undefined;
      if (record.type === RECORD.timed || record.type === RECORD.half) return await this.#pending(record);
      if (isMessage(record.type) || record.type === RECORD.pointer) return await this.#inQueue(record);
      return undefined;
    } catch (error) {
      // Bytes in the middle of a record are not one; what was removed meanwhile is not there.
      if (error instanceof CorruptionError || isUnreadable(error)) return undefined;
      if (error instanceof MqError && error.code === 'OFFSET_NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** @throws MqError OFFSET_NOT_FOUND when the queue does not hold it */
  async inQueue(topic: Topic, queueId: number, queueOffset: number): Promise<FoundMessage | undefined> {
    const { index, metadata } = this.#core.state;
    for (;;) {
      const queue = metadata.queueById(topic.uid, queueId);
      const indexed = queue && index.queue(queue.uid);
      if (indexed === undefined || queueOffset < indexed.minOffset || queueOffset >= indexed.visibleOffset) {
        throw new MqError(
          'OFFSET_NOT_FOUND',
          `queue ${queueId} of topic ${quoted(topic.name)} holds the offsets ${indexed?.minOffset ?? 0} to ` +
            `${(indexed?.visibleOffset ?? 0) - 1}; found ${queueOffset}; ask for one of them`,
        );
      }
      if (index.locate(indexed, queueOffset, this.#entry)) return await this.at(this.#entry.physicalOffset);
      await index.load(indexed, queueOffset);
    }
  }

  async #inQueue(record: LogRecord): Promise<FoundMessage | undefined> {
    const { metadata } = this.#core.state;
    const queue = metadata.queueByUid(messageQueueUid(record.payload));
    const topic = queue && metadata.topicByUid(queue.topicUid);
    if (queue === undefined || topic === undefined) return undefined;
    const stored = await this.#core.reader.read(record.physicalOffset, indexedLength(record));
    const queueOffset = queueOffsetOf(record);
    const isPointer = record.type === RECORD.pointer;
    return {
      topic,
      place: { queueId: queue.id, queueOffset },
      pending: undefined,
      physicalOffset: record.physicalOffset,
      bodyOffset: isPointer ? decodePointer(record.payload).body.physicalOffset : record.physicalOffset,
      sizeBytes: stored.sizeBytes,
      storeTimestampMs: record.storeTimestampMs,
      message: stored.message,
    };
  }

  /** A timed or half message: where it came into its queue, when it has. */
  async #pending(record: LogRecord): Promise<FoundMessage | undefined> {
    const { log, state } = this.#core;
    const { metadata } = state;
    const range = { from: record.physicalOffset, to: log.confirmedOffset };
    const { physicalOffsets } = await this.#keys.find(KEY_SPACE.pending, record.physicalOffset, range);
    for (const place of physicalOffsets) {
      const pointer = await this.#core.reader.record(place);
      if (pointer.type !== RECORD.pointer || decodePointer(pointer.payload).ends.id !== record.physicalOffset) continue;
      return await this.#inQueue(pointer);
    }
    const uid = messageQueueUid(record.payload);
    const topicUid = record.type === RECORD.half ? uid : metadata.queueByUid(uid)?.topicUid;
    const topic = topicUid === undefined ? undefined : metadata.topicByUid(topicUid);
    if (topic === undefined) return undefined;
    return {
      topic,
      place: undefined,
      pending: record.type === RECORD.half ? 'half' : 'timed',
      physicalOffset: record.physicalOffset,
      bodyOffset: record.physicalOffset,
      sizeBytes: record.length,
      storeTimestampMs: record.storeTimestampMs,
      message: messageBytes(record.payload),
    };
  }
}

/** Hashes may collide: the message itself decides. */
function isWanted(query: MessageQuery, found: FoundMessage): boolean {
  const { by, text, topic, beginMs, endMs } = query;
  if (topic !== undefined && found.topic.uid !== topic.uid) return false;
  if (found.storeTimestampMs < beginMs || found.storeTimestampMs > endMs) return false;
  try {
    const { system } = found.message;
    return by === 'messageId' ? readMessageId(system) === text : readKeys(system).includes(text);
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
}
