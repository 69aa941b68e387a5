import type { Clock } from '@orbitmq/base';
import { truncateLog, wipeLog } from '@orbitmq/storage';
import type { Vfs } from '@orbitmq/vfs';
import { KeyIndex } from '@orbitmq/views';
import { viewDirectories } from './recovery.ts';

/** What a shard is cut with; nobody has it open. */
export interface CutShardArguments {
  readonly vfs: Vfs;
  readonly clock: Clock;
  readonly directory: string;
}

/**
 * Cuts the log of a copy so that it ends at `to`, for one whose end its leader does not have. Views that reach further go, here or
 * when it is opened next. Durable when it resolves; after a crash on the way it is to be done again.
 * @param to a record boundary; at or before the log's start everything goes, at or behind its end nothing
 * @param confirmedOffset what is known to be confirmed: it is never cut
 * @throws MqError BAD_REQUEST when `to` is before what is confirmed, or no record boundary; VfsError `LOCKED`; CorruptionError
 */
export function truncateShard(args: CutShardArguments, to: number, confirmedOffset: number): Promise<void> {
  return locked(args, async () => {
    await dropKeys(args, to);
    await truncateLog(args, to, confirmedOffset);
  });
}

/**
 * Empties the directory of a copy that shares nothing with its leader, or ends before its leader begins, or is damaged: it gets
 * everything anew. After a crash on the way it is to be done again.
 * @throws VfsError `LOCKED`
 */
export function wipeShard(args: CutShardArguments): Promise<void> {
  return locked(args, async () => {
    await dropKeys(args, 0);
    await wipeLog(args);
  });
}

/** The index of keys is not looked at by a copy that has it turned off, so it goes before the log does. */
async function dropKeys({ vfs, directory }: CutShardArguments, to: number): Promise<void> {
  const { keys } = viewDirectories(directory);
  await vfs.makeDirectory(keys);
  await new KeyIndex(vfs, keys).recover(0, to, () => {});
  await vfs.syncDirectory(keys);
}

async function locked(args: CutShardArguments, cut: () => Promise<void>): Promise<void> {
  await args.vfs.makeDirectory(`${args.directory}/commitlog`);
  const lock = await args.vfs.lock(args.directory);
  try {
    await cut();
  } finally {
    await lock.release();
  }
}
