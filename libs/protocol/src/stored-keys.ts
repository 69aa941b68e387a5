import { SYSTEM } from './system-properties.ts';
import { WireReader } from './wire/wire-reader.ts';

const NOTHING = new Uint8Array(0);

/**
 * Walks the message id and the keys of a stored message where they lie: `next` moves to one of them, and no text is made. One reader is
 * used again and again.
 */
export class StoredKeyReader {
  readonly #reader = new WireReader(NOTHING);

  /** Begins with a message. @param bytes hold the content of `Message.system_properties` in [start, end) */
  open(bytes: Uint8Array, start: number, end: number): void {
    this.#reader.open(bytes, start, end);
  }

  /** What it stands on is the message id, else a key. */
  get isMessageId(): boolean {
    return this.#reader.fieldNumber === SYSTEM.messageId;
  }

  /** First byte of the text that it stands on. */
  get start(): number {
    return this.#reader.valueStart;
  }

  /** Byte behind it. */
  get end(): number {
    return this.#reader.valueEnd;
  }

  /**
   * @returns false when there are no more
   * @throws WireError
   */
  next(): boolean {
    const reader = this.#reader;
    while (reader.next()) if (reader.isBytes(SYSTEM.messageId) || reader.isBytes(SYSTEM.keys)) return true;
    return false;
  }
}
