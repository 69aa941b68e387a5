import type { Random } from '@orbitmq/base';
import type { Settings } from './machine.ts';

const SEGMENT_SIZES = [8192, 16384, 65536];
/** Longer than any history. */
const NEVER_MS = 1e9;

/** How the shard of a history is configured. */
export function settingsOf(random: Random): { readonly settings: Settings; readonly memberCount: number } {
  const pick = <Item>(items: readonly Item[]): Item => items[random.below(items.length)]!;
  const acknowledge = pick(['stored', 'confirmed', 'confirmed'] as const);
  const segmentSizeBytes = pick(SEGMENT_SIZES);
  const nature = pick(['still', 'still', 'still', 'removing', 'removing', 'full'] as const);
  const settings: Settings = {
    fills: nature === 'full',
    roles: random.below(8) === 0 ? 'static' : 'elected',
    acknowledge,
    inSyncMin: acknowledge === 'confirmed' ? pick([2, 2, 1]) : pick([1, 1, 1, 2]),
    options: {
      log: {
        flushDiskType: pick(['SYNC_FLUSH', 'SYNC_FLUSH', 'ASYNC_FLUSH'] as const),
        segmentSizeBytes,
        recordBytesMax: 4096,
        unsettledBytesMax: 65536,
        tailCacheBytes: 65536,
        flushIntervalMs: 100,
        // What is not in memory any more a follower reads, as long as one answers.
        copyBehindBytes: segmentSizeBytes === SEGMENT_SIZES[0] ? 0 : Number.POSITIVE_INFINITY,
      },
      outstandingMax: pick([60, 1000]),
      retentionMs: nature === 'removing' ? pick([700, 1500]) : NEVER_MS,
      retentionIntervalMs: 300,
      heldAfterExpiryMs: pick([0, 3000]),
      diskReserveBytes: 3 * segmentSizeBytes,
      dedupWindowMs: 86_400_000,
      scrubBytesPerSecond: 0,
    },
    replication: {
      heartbeatIntervalMs: 60,
      silenceMs: 400,
      reconnectMs: 40,
      notCaughtUpMs: 400,
      graceMs: 100,
      chunkBytes: pick([2048, 16384]),
      windowBytes: pick([8192, 65536]),
      readBytesMax: 65536,
    },
    times: { durationMs: 600, suspicionMs: 200, marginMs: 50 },
    settleMs: 300,
    catchUpMs: pick([NEVER_MS, NEVER_MS, 500]),
  };
  return { settings, memberCount: pick([2, 3, 3]) };
}

export function describeSettings({ roles, acknowledge, inSyncMin, options, fills }: Settings): string {
  const { flushDiskType, segmentSizeBytes } = options.log;
  const role = acknowledge === 'confirmed' ? 'SYNC_MASTER' : 'ASYNC_MASTER';
  const retention = options.retentionMs === NEVER_MS ? '' : `, retention of ${options.retentionMs} ms`;
  return `${roles} roles, ${role}, ${flushDiskType}, at least ${inSyncMin} in sync, segments of ${segmentSizeBytes}${retention}${fills ? ', full disks' : ''}`;
}
