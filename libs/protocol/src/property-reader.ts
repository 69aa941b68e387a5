import type { StoredMessage } from './received-message.ts';
import { MESSAGE } from './system-properties.ts';
import { SYSTEM_PROPERTY_READERS, type SystemPropertyReader } from './system-property-names.ts';
import { WireReader } from './wire/wire-reader.ts';
import { bufferOf, readText } from './wire/wire-text.ts';

const ENTRY = { key: 1, value: 2 } as const;
/** Names of this length and longer share a bit of `lengthsByFirstByte`. */
const LENGTH_BIT_MAX = 31;

/** A property that is asked for. */
interface Slot {
  /** Reads it from the system properties; undefined for names that only producers use. */
  readonly system: SystemPropertyReader | undefined;
  /** Where its text lies in the rest of the message; `start` is −1 when there is none. */
  start: number;
  end: number;
  /** `text` is what the current message has. */
  isRead: boolean;
  text: string | undefined;
}

/**
 * Gives properties of one stored message after another, by the names that RocketMQ has for them. What is not asked for
 * is not looked at: the user properties are walked once when the first of them is asked for, and only texts of the
 * chosen names are made.
 *
 * The names of system properties (TAGS, KEYS, …) are those of `SYSTEM_PROPERTY_READERS`.
 */
export class PropertyReader {
  readonly #slots: ReadonlyMap<string, Slot>;
  readonly #all: readonly Slot[];
  /** A bit for each length of the chosen names that begin with a byte. */
  readonly #lengthsByFirstByte = new Uint32Array(256);
  #message: StoredMessage | undefined;
  #rest: Buffer | undefined;

  /** @param names ASCII; others are never found */
  constructor(names: Iterable<string>) {
    const slots = new Map<string, Slot>();
    for (const name of names) {
      slots.set(name, {
        system: SYSTEM_PROPERTY_READERS.get(name),
        start: -1,
        end: -1,
        isRead: false,
        text: undefined,
      });
      this.#lengthsByFirstByte[name.charCodeAt(0) & 0xff]! |= lengthBit(name.length);
    }
    this.#slots = slots;
    this.#all = [...slots.values()];
  }

  /** From now on, `get` speaks of this message. @param message not to be altered until the next `open` or `close` */
  open(message: StoredMessage): void {
    this.#message = message;
    this.#rest = undefined;
    for (const slot of this.#all) slot.isRead = false;
  }

  /** Lets go of the message. */
  close(): void {
    this.#message = undefined;
    this.#rest = undefined;
    for (const slot of this.#all) slot.text = undefined;
  }

  /**
   * The property of one of the chosen names; undefined when the message has none.
   * @throws WireError when the bytes are no message
   */
  readonly get = (name: string): string | undefined => {
    const slot = this.#slots.get(name);
    if (slot === undefined) return undefined;
    if (!slot.isRead) {
      slot.text = this.#read(slot);
      slot.isRead = true;
    }
    return slot.text;
  };

  #read(slot: Slot): string | undefined {
    const message = this.#message;
    if (message === undefined) return undefined;
    // As in the original, what the system says stands above a user property of the same name.
    const own = slot.system?.(message.system);
    if (own !== undefined) return own;
    this.#rest ??= this.#walk(bufferOf(message.rest));
    return slot.start < 0 ? undefined : readText(this.#rest, slot.start, slot.end);
  }

  /** Finds the texts of all chosen names; the last of a name counts. */
  #walk(rest: Buffer): Buffer {
    for (const slot of this.#all) slot.start = -1;
    const reader = new WireReader(rest);
    while (reader.next()) {
      if (!reader.isBytes(MESSAGE.userProperties)) continue;
      let [keyStart, keyEnd, valueStart, valueEnd] = [0, 0, 0, 0];
      const outerEnd = reader.enter();
      while (reader.next()) {
        if (reader.isBytes(ENTRY.key)) [keyStart, keyEnd] = [reader.valueStart, reader.valueEnd];
        else if (reader.isBytes(ENTRY.value)) [valueStart, valueEnd] = [reader.valueStart, reader.valueEnd];
      }
      reader.leave(outerEnd);
      if ((this.#lengthsByFirstByte[rest[keyStart]!]! & lengthBit(keyEnd - keyStart)) === 0) continue;
      const slot = this.#slots.get(rest.toString('latin1', keyStart, keyEnd));
      if (slot === undefined) continue;
      slot.start = valueStart;
      slot.end = valueEnd;
    }
    return rest;
  }
}

function lengthBit(length: number): number {
  return 1 << Math.min(length, LENGTH_BIT_MAX);
}
