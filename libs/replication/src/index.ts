export { type Continuation, continuationOf, type LogSpan } from './divergence.ts';
export {
  type FollowerCopy,
  type FollowerHost,
  FollowerReplication,
  type FollowerReplicationOptions,
} from './follower.ts';
export type { FollowerIdentity } from './hello.ts';
export { type FollowerStanding, LeaderReplication, type LeaderReplicationOptions, tooFewInSync } from './leader.ts';
export { connectToLeader, type ReplicationClientOptions } from './replication-client.ts';
export { type ReplicationServiceOptions, replicationService } from './replication-service.ts';
export type { FollowerStream, LeaderStream, ReplicationStream } from './stream.ts';
export { REPLICATION_DEFAULTS, type ReplicationSettings } from './times.ts';
