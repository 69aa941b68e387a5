import { DedupKeyReader } from '@orbitmq/protocol';
import type { LogRecord } from '@orbitmq/storage';
import { KeyHash, type SentKeysOptions, SentKeysView } from '@orbitmq/views';
import type { MessageBytes } from './common-types.ts';
import { messageBytes } from './records.ts';

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
    if (!this.#reader.read(message)) return false;
    const { bytes, start, end, isExplicit } = this.#reader;
    this.hash.of(topicUid * 2 + (isExplicit ? 1 : 0), bytes, start, end);
    return true;
  }

  /** @param slot of the view that the record belongs to; 0 when there is none */
  apply(record: LogRecord, topicUid: number, slot: number): void {
    if (this.view.isOff || !this.hashOf(topicUid, messageBytes(record.payload))) return;
    this.view.applySent(this.hash.low, this.hash.high, record.physicalOffset, slot, record.shardTimeMs);
  }
}
