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
  /** Messages that are about to be looked for in this order, and the next one. */
  #foreseen: readonly MessageBytes[] = [];
  #foreseenNext = 0;
  #foreseenTopicUid = 0;
  /** Low and high half of the hash of each. */
  #hashes = new Uint32Array(0);

  constructor(core: ShardCore) {
    this.#core = core;
  }

  /** All of these are about to be looked for, one after the other. Whatever comes between, the answers are the same: it only saves time. */
  foresee(topic: Topic, messages: readonly MessageBytes[]): void {
    const { view, hash } = this.#core.state.sentKeys;
    this.#foreseen = [];
    if (view.isOff) return;
    if (this.#hashes.length < 2 * messages.length) this.#hashes = new Uint32Array(2 * messages.length);
    for (let index = 0; index < messages.length; index++) {
      if (!this.#core.state.sentKeys.hashOf(topic.uid, messages[index]!)) return;
      this.#hashes[2 * index] = hash.low;
      this.#hashes[2 * index + 1] = hash.high;
    }
    view.bringNear(this.#hashes, messages.length);
    this.#foreseen = messages;
    this.#foreseenNext = 0;
    this.#foreseenTopicUid = topic.uid;
  }

  /** @param from only what was appended at or behind this byte of the log counts */
  find(topic: Topic, message: MessageBytes, from: number): EarlierSend | undefined | Promise<EarlierSend | undefined> {
    const { log, state } = this.#core;
    const { view, hash } = state.sentKeys;
    if (view.isOff || !this.#hashOf(topic, message) || !view.mayHold(hash.low, hash.high)) return undefined;
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

  /** Leaves the hash of a message's key in the state's `hash`. @returns false when the message has no key */
  #hashOf(topic: Topic, message: MessageBytes): boolean {
    const { sentKeys } = this.#core.state;
    const index = this.#foreseenNext;
    if (message !== this.#foreseen[index] || topic.uid !== this.#foreseenTopicUid) {
      return sentKeys.hashOf(topic.uid, message);
    }
    sentKeys.hash.low = this.#hashes[2 * index]!;
    sentKeys.hash.high = this.#hashes[2 * index + 1]!;
    this.#foreseenNext++;
    // What was sent is not to be kept until the next batch comes.
    if (this.#foreseenNext === this.#foreseen.length) this.#foreseen = [];
    return true;
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
