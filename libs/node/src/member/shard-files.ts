import {
  type OpenShardArguments,
  openFollower,
  openShard,
  setTailAside,
  truncateShard,
  wipeShard,
} from '@orbitmq/shard';
import type { ShardFiles } from './shard-member.ts';

/** The data directory of a shard as its member opens it, changes it, and begins it anew. */
export function shardFiles(args: OpenShardArguments): ShardFiles {
  return {
    openLeader: (lead) => openShard({ ...args, lead }),
    openFollower: () => openFollower(args),
    setAside: (copy, from) => setTailAside(args, copy.replica, from),
    truncate: (to, confirmedOffset) => truncateShard(args, to, confirmedOffset),
    wipe: () => wipeShard(args),
  };
}
