import type { VfsFile } from '@orbitmq/vfs';
import { damagedRecord } from './errors.ts';
import type { LogState } from './log-state.ts';
import { ByteWindow, claimedLength, HEADER_BYTES, isIntact, meaningfulLength } from './record.ts';
import type { LogChunk } from './replica.ts';
import type { Segment } from './segment.ts';
import type { Tail, TailChunk } from './tail.ts';

const NOTHING = new Uint8Array(0);
/** Room before what is read from the disk, for what a message says before its records. */
const HEADROOM_BYTES = 128;

/** What the reader of chunks works with. */
export interface ChunkReaderArguments {
  readonly tail: Tail;
  readonly segmentOf: (physicalOffset: number) => Segment;
  readonly use: <T>(segment: Segment, action: (file: VfsFile) => Promise<T>) => Promise<T>;
}

/** Where a run of whole records ends: in bytes, and in the log. */
interface Run {
  readonly bytes: number;
  readonly endOffset: number;
}

/** Reads runs of whole records as they lie in the log, for those who copy it. */
export class ChunkReader {
  readonly #state: LogState;
  readonly #args: ChunkReaderArguments;

  constructor(state: LogState, args: ChunkReaderArguments) {
    this.#state = state;
    this.#args = args;
  }

  /** See `ReplicatedLog.readChunk`. */
  read(from: number, bytesMax: number): LogChunk | Promise<LogChunk> {
    const { role, storedOffset, endOffset } = this.#state;
    const limit = role === 'leader' ? endOffset : storedOffset;
    if (from === limit) return { startOffset: from, endOffset: from, bytes: NOTHING };
    const segment = this.#args.segmentOf(from);
    const chunk = this.#args.tail.find(from);
    if (chunk === undefined) return this.#readCold(segment, from, Math.min(limit, segment.endOffset), bytesMax);
    return readHeld(chunk, from, limit, bytesMax);
  }

  async #readCold(segment: Segment, from: number, limit: number, bytesMax: number): Promise<LogChunk> {
    const window = await this.#load(segment, from, Math.min(limit - from, Math.max(bytesMax, HEADER_BYTES)));
    const run = runOf(window, from, limit, segment);
    if (run.bytes > 0) return chunkOf(window, from, run);
    // Not even the first record is there whole: it is longer than what was read, or damaged.
    const length = window.bytes.length < HEADER_BYTES ? 0 : claimedLength(window.view, 0, from, limit - from);
    const meaningful = length === 0 ? 0 : meaningfulLength(window.view, 0, length);
    if (meaningful <= window.bytes.length) throw damagedRecord(segment, from, 'where a follower is to go on');
    const whole = await this.#load(segment, from, meaningful);
    const first = runOf(whole, from, limit, segment);
    if (first.bytes === 0) throw damagedRecord(segment, from, 'where a follower is to go on');
    return chunkOf(whole, from, first);
  }

  async #load(segment: Segment, from: number, sizeBytes: number): Promise<ByteWindow> {
    const bytes = Buffer.allocUnsafeSlow(HEADROOM_BYTES + sizeBytes).subarray(HEADROOM_BYTES);
    const count = await this.#args.use(segment, (file) => file.read(bytes, from - segment.startOffset));
    return new ByteWindow(bytes.subarray(0, count));
  }
}

function chunkOf(window: ByteWindow, from: number, { bytes, endOffset }: Run): LogChunk {
  return { startOffset: from, endOffset, bytes: window.bytes.subarray(0, bytes), headroomBytes: HEADROOM_BYTES };
}

/** Records from memory, as many as fit, copied: the memory is soon used again. They were checked when they came there. */
function readHeld(chunk: TailChunk, from: number, limit: number, bytesMax: number): LogChunk {
  const at = from - chunk.startOffset;
  const isWhole = chunk.logEndOffset <= limit;
  const end = isWhole ? chunk.usedBytes : limit - chunk.startOffset;
  if (claimedLength(chunk.view, at, from, chunk.segment.endOffset - from) === 0) {
    throw damagedRecord(chunk.segment, from, 'where a follower is to go on');
  }
  if (end - at <= bytesMax) {
    return copyOf(chunk, at, end, { startOffset: from, endOffset: isWhole ? chunk.logEndOffset : limit });
  }
  let position = from;
  let to = at;
  while (to < end) {
    const length = chunk.view.getUint32(to + 4, true);
    const next = to + meaningfulLength(chunk.view, to, length);
    if (next - at > bytesMax && to > at) break;
    position += length;
    to = next;
  }
  return copyOf(chunk, at, to, { startOffset: from, endOffset: position });
}

function copyOf(
  chunk: TailChunk,
  from: number,
  to: number,
  span: Pick<LogChunk, 'startOffset' | 'endOffset'>,
): LogChunk {
  const bytes = Buffer.allocUnsafe(HEADROOM_BYTES + to - from).subarray(HEADROOM_BYTES);
  bytes.set(chunk.bytes.subarray(from, to));
  return { ...span, bytes, headroomBytes: HEADROOM_BYTES };
}

/** The whole records at the begin of a window, checked. */
function runOf(window: ByteWindow, from: number, limit: number, segment: Segment): Run {
  let at = 0;
  let position = from;
  while (position < limit && window.bytes.length - at >= HEADER_BYTES) {
    const length = claimedLength(window.view, at, position, segment.endOffset - position);
    if (length === 0) break;
    const meaningful = meaningfulLength(window.view, at, length);
    if (at + meaningful > window.bytes.length || !isIntact(window, at, meaningful)) break;
    at += meaningful;
    position += length;
  }
  return { bytes: at, endOffset: position };
}
