import { MqError } from '@orbitmq/base';
import { type CommitLog, CorruptionError, type LogRecord } from '@orbitmq/storage';
import type { MessageBytes } from './common-types.ts';
import { type BodyRef, decodePointer, isPointerEntry, type PointerRecord } from './pointer.ts';
import { isDiskError, LastingReadFault, type PlaceError, type ReadFaults } from './read-faults.ts';
import { type LeaseKey, messageBytes, messageTagHash, RECORD } from './records.ts';

/** A message as it was read from the log. */
export interface StoredMessage {
  /** When it came into its queue: of a pointer, not of the body. Milliseconds since 1970. */
  readonly storeTimestampMs: number;
  /** Bytes of the record that holds its body. */
  readonly sizeBytes: number;
  readonly message: MessageBytes;
}

/** Where a message's body is, and what its pointer adds. */
export interface MessageSource {
  readonly body: BodyRef;
  readonly tagHash: number;
  /** Additions to the body's system properties. */
  readonly system: Uint8Array;
  /** Additions to the other fields. */
  readonly rest: Uint8Array;
  /** Of a dead letter: the handing-out that it settled. */
  readonly settles: LeaseKey | undefined;
}

/** The body that a pointer leads to was removed with its segment before its time: the disk was full. */
export class BodyGone extends Error {
  readonly physicalOffset: number;

  constructor(physicalOffset: number) {
    super(`the body at physical offset ${physicalOffset} has been removed from the log`);
    this.name = 'BodyGone';
    this.physicalOffset = physicalOffset;
  }
}

/** Why a message can't be read, now and later. */
export type Unreadable = CorruptionError | BodyGone | LastingReadFault;

export function isUnreadable(error: unknown): error is Unreadable {
  return error instanceof CorruptionError || error instanceof BodyGone || error instanceof LastingReadFault;
}

const NOTHING = new Uint8Array(0);

/** The one way in which messages are read back: follows pointers to bodies. There is never more than one hop. */
export class MessageReader {
  readonly #log: CommitLog;
  readonly #faults: ReadFaults;

  constructor(log: CommitLog, faults: ReadFaults) {
    this.#log = log;
    this.#faults = faults;
  }

  /**
   * The record at `physicalOffset`, at once when the tail in memory has it. What this node's disk has lost another copy may have.
   * @param length when it is known
   * @throws CorruptionError, LastingReadFault; ReadFault when the disk can't be read now; MqError OFFSET_NOT_FOUND
   */
  record(physicalOffset: number, length?: number): LogRecord | Promise<LogRecord> {
    const refusal = this.#faults.refusal(physicalOffset);
    if (refusal !== undefined) return this.#readCopy(physicalOffset, length, refusal);
    const record = this.#log.read(physicalOffset, length);
    return record instanceof Promise ? this.#watch(physicalOffset, length, record) : record;
  }

  /**
   * The record at a place that somebody has named who may be wrong; undefined when none begins there that can be read.
   * @throws as `record` does, but no CorruptionError: that says nothing about the disk here
   */
  async recordIfAny(physicalOffset: number): Promise<LogRecord | undefined> {
    const refusal = this.#faults.refusal(physicalOffset);
    if (refusal !== undefined) return this.#readCopy(physicalOffset, undefined, refusal);
    try {
      return await this.#log.read(physicalOffset);
    } catch (error) {
      if (error instanceof CorruptionError) return await this.#log.readCopy(physicalOffset);
      if (!isDiskError(error)) throw error;
      return await this.#readCopy(physicalOffset, undefined, this.#failed(physicalOffset, error));
    }
  }

  /**
   * The message of an index entry, at once when the tail in memory has it.
   * @param length of the index entry
   * @throws as `record` does, and BodyGone
   */
  read(physicalOffset: number, length: number): StoredMessage | Promise<StoredMessage> {
    if (!isPointerEntry(length)) {
      const record = this.record(physicalOffset, length);
      return record instanceof Promise ? record.then(plain) : plain(record);
    }
    const record = this.record(physicalOffset);
    return record instanceof Promise ? record.then((found) => this.#follow(found)) : this.#follow(record);
  }

  /**
   * When the message of an index entry came into its queue, milliseconds since 1970. Its body need not be there.
   * @throws as `record` does
   */
  storeTimestamp(physicalOffset: number, length: number): number | Promise<number> {
    const record = this.record(physicalOffset, isPointerEntry(length) ? undefined : length);
    return record instanceof Promise ? record.then((found) => found.storeTimestampMs) : record.storeTimestampMs;
  }

  /**
   * Where the body of an index entry's message is: what a new pointer must name.
   * @throws as `read` does
   */
  source(physicalOffset: number, length: number): MessageSource | Promise<MessageSource> {
    const record = this.record(physicalOffset, isPointerEntry(length) ? undefined : length);
    return record instanceof Promise ? record.then(sourceOf) : sourceOf(record);
  }

  /**
   * The message in a record that holds a body, whatever its kind.
   * @throws as `record` does, and BodyGone
   */
  body(ref: BodyRef): StoredMessage | Promise<StoredMessage> {
    let record: LogRecord | Promise<LogRecord>;
    try {
      record = this.record(ref.physicalOffset, ref.length);
    } catch (error) {
      throw goneOr(error, ref);
    }
    if (!(record instanceof Promise)) return plain(record);
    return record.then(plain, (error: unknown) => {
      throw goneOr(error, ref);
    });
  }

  async #watch(physicalOffset: number, length: number | undefined, reading: Promise<LogRecord>): Promise<LogRecord> {
    try {
      const record = await reading;
      this.#faults.succeeded(physicalOffset);
      return record;
    } catch (error) {
      if (!isDiskError(error) && !(error instanceof CorruptionError)) throw error;
      return await this.#readCopy(physicalOffset, length, this.#failed(physicalOffset, error));
    }
  }

  /** @param error what is wrong here */
  async #readCopy(physicalOffset: number, length: number | undefined, error: Error): Promise<LogRecord> {
    const record = await this.#log.readCopy(physicalOffset, length);
    if (record === undefined) throw error;
    this.#faults.recovered(physicalOffset);
    return record;
  }

  /** Damage is for good, unless another copy may come that has what was there. */
  #failed(physicalOffset: number, error: PlaceError): Error {
    return isDiskError(error) || this.#log.expectsCopies ? this.#faults.failed(physicalOffset, error) : error;
  }

  #follow(record: LogRecord): StoredMessage | Promise<StoredMessage> {
    const pointer = decodePointer(record.payload);
    const body = this.body(pointer.body);
    return body instanceof Promise
      ? body.then((found) => joined(record, pointer, found))
      : joined(record, pointer, body);
  }
}

function plain(record: LogRecord): StoredMessage {
  return {
    storeTimestampMs: record.storeTimestampMs,
    sizeBytes: record.length,
    message: messageBytes(record.payload),
  };
}

function joined(record: LogRecord, pointer: PointerRecord, body: StoredMessage): StoredMessage {
  const { system, rest } = body.message;
  return {
    storeTimestampMs: record.storeTimestampMs,
    sizeBytes: body.sizeBytes,
    message: { system: withMore(system, pointer.system), rest: withMore(rest, pointer.rest) },
  };
}

function withMore(bytes: Uint8Array, more: Uint8Array): Uint8Array {
  return more.length === 0 ? bytes : Buffer.concat([bytes, more]);
}

function sourceOf(record: LogRecord): MessageSource {
  const tagHash = messageTagHash(record.payload);
  if (record.type === RECORD.pointer) {
    const { body, system, rest, settles } = decodePointer(record.payload);
    return { body, tagHash, system, rest, settles };
  }
  return { body: record, tagHash, system: NOTHING, rest: NOTHING, settles: undefined };
}

function goneOr(error: unknown, ref: BodyRef): unknown {
  return error instanceof MqError && error.code === 'OFFSET_NOT_FOUND' ? new BodyGone(ref.physicalOffset) : error;
}
