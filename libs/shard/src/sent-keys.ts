import { DedupKeyReader } from '@orbitmq/protocol';
import type { LogRecord } from '@orbitmq/storage';
import { KeyHash, type SentKeysOptions, SentKeysView } from '@orbitmq/views';
import type { MessageBytes } from './common-types.ts';
import { MESSAGE_HEADER_BYTES, messageSystemEnd } from './records.ts';

/** Hashes of what tells messages of a topic apart, from their bytes. Part of the state machine. */
export class SentKeys {
  readonly view: SentKeysView;
  readonly hash = new KeyHash();
  readonly #reader = new DedupKeyReader();

  constructor(options: SentKeysOptions) {
    this.view = new SentKeysView(options);
  }

  /** Leaves the hash of a message's key in `hash`. @returns false when the message has no key */
  hashOf(topicUid: number, message: MessageBytes): boolean {
    return this.#reader.read(message) && this.#hash(topicUid);
  }

  /** @param slot of the view that the record belongs to; 0 when there is none */
  apply(record: LogRecord, topicUid: number, slot: number): void {
    if (this.view.isOff) return;
    const { bytes, payloadStart, payloadEnd } = record;
    const systemEnd = messageSystemEnd(bytes, payloadStart);
    if (!this.#reader.readAt(bytes, payloadStart + MESSAGE_HEADER_BYTES, systemEnd, payloadEnd)) return;
    this.#hash(topicUid);
    this.view.applySent(this.hash.low, this.hash.high, record.physicalOffset, slot, record.shardTimeMs);
  }

  #hash(topicUid: number): true {
    const { bytes, start, end, isExplicit } = this.#reader;
    this.hash.of(topicUid * 2 + (isExplicit ? 1 : 0), bytes, start, end);
    return true;
  }
}
