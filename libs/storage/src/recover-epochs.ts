import type { Vfs } from '@orbitmq/vfs';
import { Epochs, readEpochs, removeEpochs, type StoredEpochs, writeEpochs } from './epochs.ts';
import type { FoundSegment, Inventory } from './inventory.ts';
import { walkRecords } from './record-walk.ts';

/** What a recovery has walked whole. */
interface WalkedEnd {
  readonly endOffset: number;
  /** Epochs of the newest segments, which were walked. */
  readonly epochs: Epochs;
}

/**
 * Finds where each epoch of the log begins. The newest segments have been walked; of the older ones the file `epochs`
 * tells, and where it doesn't, their heads: within a segment an epoch can only have begun when the next head has
 * another one, and only such segments are searched. Brings the file up to date.
 */
export async function recoverEpochs(
  vfs: Vfs,
  directory: string,
  { found, headedCount }: Inventory,
  walked: WalkedEnd,
  logId: string | undefined,
): Promise<Epochs> {
  if (logId === undefined) return walked.epochs;
  const startOffset = found[0]!.segment.startOffset;
  const walkedFrom = walked.epochs.within(startOffset, walked.endOffset)[0]?.startOffset ?? startOffset;
  const headed = found.slice(0, headedCount);
  const stored = await readEpochs(vfs, directory);
  const usable = stored !== undefined && stored.logId === logId && agrees(stored, headed) ? stored : undefined;
  const epochs = new Epochs(
    usable?.starts.filter((start) => start.startOffset < Math.min(usable.coveredTo, walkedFrom)),
  );
  await searchSegments(vfs, headed, epochs, { from: usable?.coveredTo ?? startOffset, to: walkedFrom });
  for (const { epoch, startOffset: at } of walked.epochs.within(startOffset, walked.endOffset)) epochs.note(epoch, at);
  const now = { logId, coveredTo: walked.endOffset, starts: epochs.within(startOffset, walked.endOffset) };
  if (!isCurrent(stored, now) && !(await writeEpochs(vfs, directory, now))) {
    // What the file says of bytes that were cut is wrong as soon as others take their place.
    if (stored !== undefined) await removeEpochs(vfs, directory);
  }
  return epochs;
}

/** Every head that the file covers has the epoch that the file says. */
function agrees({ starts, coveredTo }: StoredEpochs, headed: readonly FoundSegment[]): boolean {
  return headed.every(({ segment, head }) => {
    if (segment.startOffset >= coveredTo) return true;
    return starts.findLast((start) => start.startOffset <= segment.startOffset)?.epoch === head!.record.epoch;
  });
}

async function searchSegments(
  vfs: Vfs,
  headed: readonly FoundSegment[],
  epochs: Epochs,
  range: { readonly from: number; readonly to: number },
): Promise<void> {
  for (const [index, { segment, head }] of headed.entries()) {
    if (segment.endOffset <= range.from || segment.startOffset >= range.to) continue;
    epochs.note(head!.record.epoch, segment.startOffset);
    if (headed[index + 1]?.head?.record.epoch === epochs.last) continue;
    const file = await vfs.open(segment.path, 'read');
    try {
      await walkRecords(file, segment, segment.startOffset, segment.endOffset, (record) => {
        epochs.note(record.epoch, record.physicalOffset);
        return true;
      });
    } finally {
      await file.close();
    }
  }
}

/** The file need not be written again: it says all of it, and nothing of bytes that are no more. */
function isCurrent(stored: StoredEpochs | undefined, now: StoredEpochs): boolean {
  if (stored === undefined) return now.starts.length <= 1;
  if (stored.logId !== now.logId || stored.coveredTo > now.coveredTo) return false;
  const said = new Epochs(stored.starts).within(now.starts[0]?.startOffset ?? 0, now.coveredTo);
  return (
    said.length === now.starts.length &&
    said.every(({ epoch, startOffset }, index) => {
      const start = now.starts[index]!;
      return start.epoch === epoch && start.startOffset === startOffset;
    })
  );
}
