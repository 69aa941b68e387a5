import {
  cutBranch,
  findBranch,
  keepBranch,
  type OpenShardArguments,
  openActing,
  openFollower,
  openShard,
  setTailAside,
  truncateShard,
  wipeShard,
} from '@orbitmq/shard';
import type { ShardFiles } from './member-options.ts';

/** The data directory of a shard as its member opens it, changes it, and begins it anew. */
export function shardFiles(args: OpenShardArguments): ShardFiles {
  return {
    openLeader: async (lead, { holdsDeadLetters = false } = {}) => {
      // Whoever makes this copy lead keeps all that it has.
      await keepBranch(args);
      return await openShard({ ...args, lead, holdsDeadLetters });
    },
    openFollower: () => openFollower(args),
    openActing: (confirmedOffset) => openActing(args, confirmedOffset),
    hasBranch: async (copy) => (await findBranch(args, copy.replica)) !== undefined,
    cutBranch: () => cutBranch(args),
    setAside: (copy, from) => setTailAside(args, copy.replica, from),
    truncate: (to, confirmedOffset) => truncateShard(args, to, confirmedOffset),
    wipe: () => wipeShard(args),
  };
}
