import { MqError } from '@orbitmq/base';
import type { CommitLog, EpochStart, ReplicatedLog } from '@orbitmq/storage';
import { type Branch, readBranch, removeBranch, writeBranch } from './branch-file.ts';
import { type BranchSettlement, branchSettlements } from './branch-settlements.ts';
import type { Confirmation } from './core.ts';
import { type CutShardArguments, truncateShard } from './cut-shard.ts';
import type { LogShard, OpenedShard } from './log-shard.ts';
import type { OpenShardArguments } from './open-arguments.ts';
import { locked, type Opening, openLog, recoveryOf } from './opening.ts';
import { recoverViews } from './recovery.ts';
import { makeParts, type ShardParts, startActing, startBackground } from './shard-parts.ts';

/** The log of a copy as far as it is its leader's: what others may hear of it while the copy leads a branch. */
export type LeadersPart = Pick<
  ReplicatedLog,
  'logId' | 'startOffset' | 'endOffset' | 'storedOffset' | 'epoch' | 'epochs' | 'readChunk'
>;

/**
 * A copy of a shard that stands in for its leader: consumers receive, acknowledge and commit offsets as they do at the leader, and
 * nothing else changes. What they do goes to a branch of its log, which begins behind what the leader had sent.
 */
export interface ActingShard {
  readonly shard: OpenedShard;
  readonly leadersPart: LeadersPart;
  /**
   * Takes nothing any more; resolves when all that was taken is stored.
   * @param error for those who ask for something, or wait for it; a retryable one
   */
  end(error: MqError): Promise<void>;
  /**
   * What the groups have done here. Goes behind `end`.
   * @param commonOffset as far as the leader has the log before the branch
   */
  settlements(commonOffset: number): AsyncIterable<BranchSettlement>;
  /** Closes the files; the branch stays. */
  close(): Promise<void>;
}

/**
 * Begins a branch, or goes on with the one that there is.
 * @param confirmedOffset what the leader had told to be confirmed; messages behind it are shown to nobody, lest the leader lack them
 * @throws MqError BAD_REQUEST when the copy has no state yet; else as `openShard` does
 */
export function openActing(args: OpenShardArguments, confirmedOffset: number): Promise<ActingShard> {
  return locked(args, async (opening) => {
    const log = await openLog(args, opening, 'follower');
    try {
      return await act(args, opening, log, confirmedOffset);
    } catch (error) {
      await log.close();
      throw error;
    }
  });
}

/**
 * The branch that a log still ends with. What a file says of an older one goes.
 * @param log of the shard in `args.directory`
 */
export async function findBranch(
  { vfs, directory }: Pick<OpenShardArguments, 'vfs' | 'directory'>,
  log: Pick<ReplicatedLog, 'epochs'>,
): Promise<Branch | undefined> {
  const branch = await readBranch(vfs, directory);
  const isThere = log
    .epochs()
    .some(({ epoch, startOffset }) => epoch === branch?.epoch && startOffset === branch.startOffset);
  if (isThere) return branch;
  await removeBranch(vfs, directory);
  return undefined;
}

/** Drops the branch of a copy that nobody has open. After a crash on the way it is to be done again. */
export async function cutBranch(args: CutShardArguments): Promise<void> {
  const branch = await readBranch(args.vfs, args.directory);
  if (branch === undefined) return;
  await truncateShard(args, branch.startOffset, Math.min(branch.startOffset, branch.confirmedOffset));
  await removeBranch(args.vfs, args.directory);
}

/** The branch of a copy that nobody has open becomes a part of its log, for good: it is about to lead. */
export function keepBranch({ vfs, directory }: Pick<OpenShardArguments, 'vfs' | 'directory'>): Promise<void> {
  return removeBranch(vfs, directory);
}

async function act(
  args: OpenShardArguments,
  opening: Opening,
  log: CommitLog,
  confirmedOffset: number,
): Promise<ActingShard> {
  if (log.logId === undefined) throw noState();
  const known = await findBranch(args, log);
  const branch = known ?? (await newBranch(args, log, confirmedOffset));
  const recovery = { ...recoveryOf(args, opening, log), confirmedOffset: branch.confirmedOffset };
  const views = await recoverViews(recovery);
  if (views.state.metadata.secret.length === 0) throw noState();
  if (known === undefined) await writeBranch(args.vfs, args.directory, branch);
  await log.lead({ acknowledge: 'stored', ...(known === undefined ? { epoch: branch.epoch } : {}) });
  const material = { args, ...opening, log, views, directories: recovery.directories };
  const parts = makeParts(material, frozen(log, branch), { isActing: true });
  const shard = startActing(parts);
  await startBackground(parts);
  return actingShard(parts, shard, branch);
}

function actingShard({ core }: ShardParts, shard: LogShard, branch: Branch): ActingShard {
  const { log } = core;
  const epochs = (): readonly EpochStart[] =>
    log.epochs().filter(({ startOffset }) => startOffset < branch.startOffset);
  return {
    shard,
    leadersPart: {
      logId: log.logId,
      startOffset: log.startOffset,
      endOffset: branch.startOffset,
      storedOffset: branch.startOffset,
      // A chunk stays within a segment, where offsets go as far as bytes.
      readChunk: (from, bytesMax) => log.readChunk(from, Math.min(bytesMax, branch.startOffset - from)),
      epoch: epochs().at(-1)?.epoch ?? 0,
      epochs,
    },
    end: (error) => shard.endServing(error),
    settlements: (commonOffset) => branchSettlements(core, branch.startOffset, commonOffset),
    close: () => shard.close(),
  };
}

/**
 * The epoch of a branch lies so far above those of leaders that none of them ever gets it by counting up: so a handle tells whether a
 * branch has given it.
 */
async function newBranch({ random }: OpenShardArguments, log: CommitLog, confirmedOffset: number): Promise<Branch> {
  const { epoch, startOffset, endOffset } = log;
  const known = Math.min(Math.max(confirmedOffset, startOffset), endOffset);
  // What its leader had fsynced, and this copy has, is there whenever the leader comes back.
  const toldOffset = Math.min(await log.toldFlushedOffset(known), endOffset);
  return {
    startOffset: endOffset,
    epoch: epoch + EPOCH_GAP + random.below(EPOCH_GAP),
    confirmedOffset: Math.max(known, toldOffset),
  };
}

const EPOCH_GAP = 2 ** 16;

/** What of the leader's log is confirmed doesn't change while it is away; the branch never is. */
function frozen(log: CommitLog, { confirmedOffset }: Branch): Confirmation {
  return {
    confirmedOffset,
    get position() {
      return log.endOffset;
    },
    onConfirmed: () => () => {},
  };
}

function noState(): MqError {
  return new MqError('BAD_REQUEST', 'this copy of the shard has no state yet: it can not stand in for its master');
}
