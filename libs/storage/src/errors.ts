import { CorruptionError } from './log.ts';
import { HEADER_BYTES } from './record.ts';
import type { Segment } from './segment.ts';

const REMEDY =
  'Nothing has been changed. Put back this file from another copy of the shard or from a backup, or move the whole data ' +
  'directory away to start empty and lose what it holds';

/** Bytes at `physicalOffset` that are not the record that was stored there; `evidence` says how that is known. */
export function damagedRecord(segment: Segment, physicalOffset: number, evidence: string): CorruptionError {
  const at = physicalOffset - segment.startOffset;
  return new CorruptionError(
    segment.path,
    physicalOffset,
    `the commit log is damaged: in ${segment.path}, byte ${at} (physical offset ${physicalOffset}), there is no whole ` +
      `record (header of ${HEADER_BYTES} bytes, CRC), ${evidence}. ${REMEDY}`,
  );
}

/** Segment files that can't be one log. */
export function brokenSequence(path: string, physicalOffset: number, problem: string): CorruptionError {
  return new CorruptionError(path, physicalOffset, `the commit log is not whole: ${problem}. ${REMEDY}`);
}
