import type { StoredMessage } from './received-message.ts';
import { MESSAGE, SYSTEM } from './system-properties.ts';
import { WireError } from './wire/wire-error.ts';
import { WireReader } from './wire/wire-reader.ts';

/** User property by which an application says itself which messages are the same; it takes the place of the message id. */
export const DEDUP_KEY_PROPERTY = 'ORBITMQ_DEDUP_KEY';

const PROPERTY_BYTES: Uint8Array = Buffer.from(DEDUP_KEY_PROPERTY);
const ENTRY = { key: 1, value: 2 } as const;

/** Finds what tells a message from another one of its topic. One reader is used again and again and makes no texts. */
export class DedupKeyReader {
  /** Holds the key of the message read last. */
  bytes: Uint8Array = PROPERTY_BYTES;
  start = 0;
  end = 0;
  /** It is the application's own key, not the message id. */
  isExplicit = false;
  readonly #reader = new WireReader(PROPERTY_BYTES);

  /** @returns false when the message has neither a key nor an id, or its bytes are no message */
  read({ system, rest }: StoredMessage): boolean {
    try {
      return this.#readProperty(rest, 0, rest.length) || this.#readId(system, 0, system.length);
    } catch (error) {
      if (error instanceof WireError) return false;
      throw error;
    }
  }

  /** As `read`, for a message whose system properties and rest lie behind each other. */
  readAt(bytes: Uint8Array, systemStart: number, systemEnd: number, restEnd: number): boolean {
    try {
      return this.#readProperty(bytes, systemEnd, restEnd) || this.#readId(bytes, systemStart, systemEnd);
    } catch (error) {
      if (error instanceof WireError) return false;
      throw error;
    }
  }

  /** Whether the key read last is the same as this one's. */
  equals(other: DedupKeyReader): boolean {
    const length = this.end - this.start;
    if (this.isExplicit !== other.isExplicit || other.end - other.start !== length) return false;
    for (let index = 0; index < length; index++) {
      if (this.bytes[this.start + index] !== other.bytes[other.start + index]) return false;
    }
    return true;
  }

  #readId(bytes: Uint8Array, from: number, to: number): boolean {
    const reader = this.#reader;
    reader.open(bytes, from, to);
    let found = false;
    while (reader.next()) {
      if (!reader.isBytes(SYSTEM.messageId)) continue;
      this.#take(bytes, reader.valueStart, reader.valueEnd, false);
      found = reader.valueEnd > reader.valueStart;
    }
    return found;
  }

  #readProperty(bytes: Uint8Array, from: number, to: number): boolean {
    const reader = this.#reader;
    reader.open(bytes, from, to);
    let found = false;
    while (reader.next()) {
      if (!reader.isBytes(MESSAGE.userProperties)) continue;
      let isWanted = false;
      let start = 0;
      let end = 0;
      const outerEnd = reader.enter();
      while (reader.next()) {
        if (reader.isBytes(ENTRY.key)) isWanted = isPropertyName(bytes, reader.valueStart, reader.valueEnd);
        else if (reader.isBytes(ENTRY.value)) {
          start = reader.valueStart;
          end = reader.valueEnd;
        }
      }
      reader.leave(outerEnd);
      if (!isWanted) continue;
      this.#take(bytes, start, end, true);
      found = end > start;
    }
    return found;
  }

  #take(bytes: Uint8Array, start: number, end: number, isExplicit: boolean): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.isExplicit = isExplicit;
  }
}

function isPropertyName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== PROPERTY_BYTES.length) return false;
  for (let index = 0; index < PROPERTY_BYTES.length; index++) {
    if (bytes[start + index] !== PROPERTY_BYTES[index]) return false;
  }
  return true;
}
