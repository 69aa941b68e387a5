import { type Clock, MqError } from '@orbitmq/base';
import type { LeaderMessage_Records } from '@orbitmq/protocol/orbitmq.replication.v1';
import type { LogChunk, ReplicatedLog } from '@orbitmq/storage';
import type { ReplicationSettings } from './times.ts';

/** A copy of the shard, as a stream fills it. */
export interface FollowerCopy {
  readonly replica: ReplicatedLog;
  /** Everything before is in the views. */
  readonly appliedOffset: number;
  /** @throws ChunkError; MqError TOO_MANY_REQUESTS when too much waits for the disk */
  receive(chunk: LogChunk): void;
  confirm(limit: number): void;
  trim(startOffset: number): void;
}

/** What the taking of records works with. */
export interface TakingOptions {
  readonly clock: Clock;
  readonly settings: Pick<ReplicationSettings, 'heartbeatIntervalMs'>;
  /** Nothing more is to be taken. */
  isOver(): boolean;
}

/**
 * Adds records to a copy; while too much waits for its disk, it waits.
 * @returns false when nothing more was to be taken, and this was not
 * @throws ChunkError
 */
export async function takeRecords(
  copy: () => FollowerCopy,
  { startOffset, endOffset, records }: LeaderMessage_Records,
  options: TakingOptions,
): Promise<boolean> {
  const chunk = { startOffset: Number(startOffset), endOffset: Number(endOffset), bytes: records };
  while (!options.isOver()) {
    const target = copy();
    try {
      target.receive(chunk);
      return true;
    } catch (error) {
      if (!(error instanceof MqError) || error.code !== 'TOO_MANY_REQUESTS') throw error;
    }
    await somethingStored(target, options);
  }
  return false;
}

/** Waits until the disk has taken something. */
async function somethingStored(copy: FollowerCopy, { clock, settings }: TakingOptions): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = clock.setTimer(settings.heartbeatIntervalMs, () => end());
    const stop = copy.replica.onStored(() => end());
    const end = (): void => {
      timer.cancel();
      stop();
      resolve();
    };
  });
}
