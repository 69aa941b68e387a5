export type { FollowerCopy } from './copy.ts';
export { type Continuation, continuationOf, type LogSpan } from './divergence.ts';
export {
  type FollowerHost,
  FollowerReplication,
  type FollowerReplicationOptions,
} from './follower.ts';
export { type GivenLog, offerLog } from './give-back.ts';
export { type FollowerIdentity, type HelloLog, helloOf } from './hello.ts';
export { type FollowerStanding, LeaderReplication, type LeaderReplicationOptions, tooFewInSync } from './leader.ts';
export { type CaughtUp, LeaderCatchUp, type LeaderCatchUpOptions } from './leader-catch-up.ts';
export { connectToLeader, connectToSettle, type ReplicationClientOptions } from './replication-client.ts';
export { type FollowerAcceptor, type ReplicationServiceOptions, replicationService } from './replication-service.ts';
export { SettlementHandOver, type SettlementPeer, SettlementRefused } from './settlement-hand-over.ts';
export { SETTLEMENTS_MAX, type SettlementSink } from './settlement-sink.ts';
export type { FollowerStream, LeaderStream, ReplicationStream } from './stream.ts';
export { REPLICATION_DEFAULTS, type ReplicationSettings } from './times.ts';
