import { MqError } from '@orbitmq/base';
import { DedupKeyReader } from '@orbitmq/protocol';
import type { LogRecord } from '@orbitmq/storage';
import { NONE, type Topic } from '@orbitmq/views';
import type { MessageBytes } from './common-types.ts';
import type { ShardCore } from './core.ts';
import { isUnreadable } from './message-reader.ts';
import { messageBytes, messageQueueUid, queueOffsetOf, RECORD } from './records.ts';
import type { EarlierSend } from './shard.ts';

/** Finds out whether a message was sent before: a client sends it again when it has not heard the answer. */
export class SentMessages {
  readonly #core: ShardCore;
  readonly #wanted = new DedupKeyReader();
  readonly #found = new DedupKeyReader();

  constructor(core: ShardCore) {
    this.#core = core;
  }

  /** @param from only what was appended at or behind this byte of the log counts */
  find(topic: Topic, message: MessageBytes, from: number): EarlierSend | undefined | Promise<EarlierSend | undefined> {
    const { log, state } = this.#core;
    const { view, hash } = state.sentKeys;
    if (view.isOff || !state.sentKeys.hashOf(topic.uid, message) || !view.mayHold(hash.low, hash.high))
      return undefined;
    const nowMs = log.shardTimeMs();
    let entry = view.find(hash.low, hash.high, nowMs, from);
    if (entry === NONE) return undefined;
    const reads: (EarlierSend | undefined | Promise<EarlierSend | undefined>)[] = [];
    for (; entry !== NONE; entry = view.findNext(entry, nowMs, from)) {
      const read = this.#read(topic, message, view.physicalOffset(entry), view.slot(entry));
      // What is found in memory first is the newest, and nothing older matters.
      if (reads.length === 0 && read !== undefined && !(read instanceof Promise)) return read;
      if (read !== undefined) reads.push(read);
    }
    if (reads.length === 0) return undefined;
    return Promise.all(reads).then((all) => all.find((each) => each !== undefined));
  }

  #read(
    topic: Topic,
    message: MessageBytes,
    physicalOffset: number,
    slot: number,
  ): EarlierSend | undefined | Promise<EarlierSend | undefined> {
    try {
      const record = this.#core.reader.record(physicalOffset);
      if (!(record instanceof Promise)) return this.#same(topic, message, record, slot);
      return record.then((stored) => this.#same(topic, message, stored, slot), absent);
    } catch (error) {
      return absent(error);
    }
  }

  /** Hashes may collide: the stored message itself decides. */
  #same(topic: Topic, message: MessageBytes, record: LogRecord, slot: number): EarlierSend | undefined {
    const { payload, physicalOffset } = record;
    const uid = messageQueueUid(payload);
    const topicUid = record.type === RECORD.half ? uid : this.#core.state.metadata.queueByUid(uid)?.topicUid;
    if (topicUid !== topic.uid || !this.#wanted.read(message) || !this.#found.read(messageBytes(payload))) {
      return undefined;
    }
    if (!this.#wanted.equals(this.#found)) return undefined;
    switch (record.type) {
      case RECORD.message:
      case RECORD.liteMessage:
        return { kind: 'message', queueOffset: queueOffsetOf(record) };
      case RECORD.timed:
        return { kind: 'timer', timer: { id: physicalOffset, slot } };
      case RECORD.half:
        return { kind: 'half', half: { id: physicalOffset, slot } };
      default:
        return undefined;
    }
  }
}

/** What was removed or is damaged can't be answered for: the message is stored once more rather than lost. */
function absent(error: unknown): undefined {
  if (isUnreadable(error) || (error instanceof MqError && error.code === 'OFFSET_NOT_FOUND')) return undefined;
  throw error;
}
