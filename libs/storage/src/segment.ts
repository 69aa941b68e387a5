import type { SegmentInfo } from './log.ts';

const NAME = /^\d{20}$/;

/** One file of the log. Its bytes are the physical offsets from `startOffset` to `endOffset`. */
export class Segment implements SegmentInfo {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly path: string;
  newestTimestampMs = 0;
  sealed = false;

  constructor(directory: string, startOffset: number, sizeBytes: number) {
    this.startOffset = startOffset;
    this.endOffset = startOffset + sizeBytes;
    this.path = `${directory}/${segmentName(startOffset)}`;
  }

  get sizeBytes(): number {
    return this.endOffset - this.startOffset;
  }
}

/** Name of the segment that begins at `startOffset`: 20 digits, so that names sort as offsets do. */
export function segmentName(startOffset: number): string {
  return String(startOffset).padStart(20, '0');
}

/** Offset at which the segment with this file name begins; undefined for names that are no segment's. */
export function segmentStart(name: string): number | undefined {
  if (!NAME.test(name)) return undefined;
  const startOffset = Number(name);
  return Number.isSafeInteger(startOffset) ? startOffset : undefined;
}

/** Index of the segment that holds `physicalOffset`; −1 when none does. `segments` are sorted and without gaps. */
export function segmentIndexOf(segments: readonly SegmentInfo[], physicalOffset: number): number {
  let low = 0;
  let high = segments.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const segment = segments[middle]!;
    if (physicalOffset < segment.startOffset) high = middle - 1;
    else if (physicalOffset >= segment.endOffset) low = middle + 1;
    else return middle;
  }
  return -1;
}
