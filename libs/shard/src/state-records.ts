import { MqError } from '@orbitmq/base';
import type { CommitLog, LogRecord } from '@orbitmq/storage';
import { ByteReader, ByteWriter, decodeSnapshot, encodeSnapshot, type Snapshot } from '@orbitmq/views';
import { RECORD } from './records.ts';

/*
 * The whole state in the log, so that the segments before it can go. It is cut into chunks, each a record; other
 * records may lie between them, and belong to the time after the state.
 *
 *   offset  size  field
 *   0       6     position: the state is that before the record there
 *   6       4     number of this chunk, from 0
 *   10      4     number of chunks
 *   14      …     bytes of the state, in the format of a snapshot file
 */
const CHUNK_HEADER_BYTES = 14;
/** Chunks after which the writer waits for the disk, to leave room in the batch for others. */
const CHUNKS_PER_TURN = 8;

interface Chunk {
  readonly position: number;
  readonly index: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

function decodeChunk(payload: Uint8Array): Chunk {
  const reader = new ByteReader(payload);
  const [position, index, count] = [reader.u48(), reader.u32(), reader.u32()];
  return { position, index, count, bytes: reader.bytes(reader.remaining) };
}

/** Knows the newest complete state in the log. Part of the state machine. */
export class StateRecordTracker {
  #position = 0;
  #openPosition = 0;
  #openCount = 0;

  /** All records from here on, with the state in the log, make the whole: what lies before may be removed. */
  get position(): number {
    return this.#position;
  }

  apply(payload: Uint8Array): void {
    const { position, index, count } = decodeChunk(payload);
    if (index === 0) {
      this.#openPosition = position;
      this.#openCount = 0;
    }
    if (position !== this.#openPosition || index !== this.#openCount) return;
    this.#openCount++;
    if (this.#openCount === count) this.#position = position;
  }

  snapshot(): Uint8Array {
    const writer = new ByteWriter(16);
    writer.u48(this.#position);
    writer.u48(this.#openPosition);
    writer.u32(this.#openCount);
    return writer.view();
  }

  restore(bytes: Uint8Array): void {
    const reader = new ByteReader(bytes);
    this.#position = reader.u48();
    this.#openPosition = reader.u48();
    this.#openCount = reader.u32();
  }
}

/**
 * Appends a state. Resolves when its last chunk is in the log, not yet when it is durable.
 * @param chunkBytes of the state in one record
 * @param append of the shard, which applies what it appends
 */
export async function appendState(
  log: CommitLog,
  snapshot: Snapshot,
  chunkBytes: number,
  append: (type: number, parts: readonly Uint8Array[]) => void,
): Promise<void> {
  const bytes = Buffer.concat(encodeSnapshot(snapshot));
  const count = Math.ceil(bytes.length / chunkBytes);
  for (let index = 0; index < count; index++) {
    const header = new ByteWriter(CHUNK_HEADER_BYTES);
    header.u48(snapshot.position);
    header.u32(index);
    header.u32(count);
    const chunk = bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes);
    await appendPatiently(log, () => append(RECORD.state, [header.view(), chunk]));
    if (index % CHUNKS_PER_TURN === CHUNKS_PER_TURN - 1) await log.settled();
  }
}

/** Tries again when the log is behind: nobody waits for a state, and it must get through. */
async function appendPatiently(log: CommitLog, append: () => void): Promise<void> {
  for (;;) {
    try {
      append();
      return;
    } catch (error) {
      if (!(error instanceof MqError && error.code === 'TOO_MANY_REQUESTS')) throw error;
      await log.settled();
    }
  }
}

/** Puts the states together whose chunks it is shown. */
export class StateSearch {
  readonly #logStart: number;
  #chunks: Uint8Array[] = [];
  #open = -1;
  #found: Uint8Array | undefined;

  /** @param logStart states of before are of no use */
  constructor(logStart: number) {
    this.#logStart = logStart;
  }

  /** The newest complete state that was seen. @throws SnapshotDamage */
  get found(): Snapshot | undefined {
    return this.#found === undefined ? undefined : decodeSnapshot(this.#found);
  }

  visit(record: LogRecord): void {
    if (record.type !== RECORD.state) return;
    const chunk = decodeChunk(record.payload);
    if (chunk.index === 0) {
      this.#open = chunk.position;
      this.#chunks = [];
    }
    const isNext = chunk.position === this.#open && chunk.index === this.#chunks.length;
    if (!isNext || chunk.position < this.#logStart) return;
    this.#chunks.push(Uint8Array.from(chunk.bytes));
    if (this.#chunks.length < chunk.count) return;
    this.#found = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#open = -1;
  }
}

/** Finds the newest complete state in the log; undefined when there is none. */
export async function findState(log: CommitLog): Promise<Snapshot | undefined> {
  const search = new StateSearch(log.startOffset);
  await log.scan(log.startOffset, log.endOffset, (record) => search.visit(record));
  return search.found;
}
