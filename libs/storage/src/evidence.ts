import type { VfsFile } from '@orbitmq/vfs';
import { ByteWindow, claimedLength, HEADER_BYTES } from './record.ts';
import { readRecord } from './record-walk.ts';
import type { Segment } from './segment.ts';

const READ_BYTES = 1024 * 1024;
const PAGE_BYTES = 4096;
const ZEROS = new Uint8Array(READ_BYTES);

/** What lies behind the last whole record. */
export interface Remains {
  /** Bytes from there to the last one that is not zero. */
  sizeBytes: number;
  /** A whole record further on which says that the log was fsynced beyond the point in question. */
  proof: { readonly physicalOffset: number; readonly flushedOffset: number } | undefined;
  /** Largest epoch of any whole record in it; 0 when there is none. */
  epochMax: number;
}

/** What is asked of records behind a bad one. */
export interface EvidenceQuestion {
  /** Where the log would be cut. */
  readonly cutOffset: number;
  /** Records from here on were written by this node; what others say of fsyncs proves nothing. */
  readonly authoredFrom: number;
}

/**
 * Looks at everything from `from` to the end of a segment. A torn tail and damaged data look alike at the first bad
 * byte; they differ in what follows: only behind damaged data there can be a record whose writer knew that more than
 * this had been fsynced. Records begin at multiples of 8, so each such place is tried.
 */
export async function searchRemains(
  file: VfsFile,
  segment: Segment,
  from: number,
  question: EvidenceQuestion,
): Promise<Remains> {
  const remains: Remains = { sizeBytes: 0, proof: undefined, epochMax: 0 };
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES + HEADER_BYTES);
  for (let position = from; position < segment.endOffset; position += READ_BYTES) {
    const wanted = Math.min(buffer.length, segment.endOffset - position);
    const count = await file.read(buffer.subarray(0, wanted), position - segment.startOffset);
    const own = Math.min(count, READ_BYTES);
    if (own === 0) break;
    if (buffer.compare(ZEROS, 0, own, 0, own) === 0) continue;
    remains.sizeBytes = position - from + lastNonZero(buffer, own) + 1;
    await searchLoaded(new ByteWindow(buffer.subarray(0, count)), file, segment, position, question, remains);
    if (remains.proof !== undefined) break;
  }
  return remains;
}

async function searchLoaded(
  window: ByteWindow,
  file: VfsFile,
  segment: Segment,
  position: number,
  { cutOffset, authoredFrom }: EvidenceQuestion,
  remains: Remains,
): Promise<void> {
  const last = Math.min(window.bytes.length - HEADER_BYTES, READ_BYTES - 8);
  for (let at = 0; at <= last; at += 8) {
    if (at % PAGE_BYTES === 0 && isZeroPage(window.bytes, at)) {
      at += PAGE_BYTES - 8;
      continue;
    }
    const physicalOffset = position + at;
    if (claimedLength(window.view, at, physicalOffset, segment.endOffset - physicalOffset) === 0) continue;
    const record = await readRecord(file, segment, physicalOffset, PAGE_BYTES);
    if (record === undefined) continue;
    remains.epochMax = Math.max(remains.epochMax, record.epoch);
    if (physicalOffset >= authoredFrom && record.flushedOffset > cutOffset) {
      remains.proof = { physicalOffset, flushedOffset: record.flushedOffset };
      return;
    }
  }
}

/** The page from `at` on is there whole and holds nothing, so no record begins in it (offset 0 begins the first page of all). */
function isZeroPage(bytes: Uint8Array, at: number): boolean {
  if (at + PAGE_BYTES > bytes.length) return false;
  return Buffer.compare(bytes.subarray(at, at + PAGE_BYTES), ZEROS.subarray(0, PAGE_BYTES)) === 0;
}

function lastNonZero(bytes: Uint8Array, end: number): number {
  let at = end - 1;
  while (at >= 0 && bytes[at] === 0) at--;
  return at;
}
