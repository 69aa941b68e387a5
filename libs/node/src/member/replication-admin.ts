import { LeaseConflict, LeaseUnreachable } from '@orbitmq/coordination';
import {
  type GetReplicationResponse,
  ReplicationAdminDefinition,
  GetReplicationResponse_Role as Role,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import type { FollowerIdentity } from '@orbitmq/replication';
import { type BoundMethod, unary } from '@orbitmq/rpc';
import type { ShardMember } from './shard-member.ts';

/** What operators may ask of a member, and make it do. */
export interface ReplicationAdminOptions {
  readonly identity: FollowerIdentity;
  member(): ShardMember;
  /** @returns why it was not done; undefined when it was */
  handOver(member: number | undefined): Promise<string | undefined>;
}

/** `orbitmq.admin.v1.ReplicationAdmin`. */
export function replicationAdminMethods(options: ReplicationAdminOptions): BoundMethod[] {
  return [
    unary(ReplicationAdminDefinition, 'getReplication', async ({ attest }) => {
      const member = options.member();
      if (attest) await member.tenure?.shard.attest();
      return replicationOf(options.identity, member);
    }),
    unary(ReplicationAdminDefinition, 'handOver', async ({ member }) => ({
      refusal: (await options.handOver(member)) ?? '',
    })),
    unary(ReplicationAdminDefinition, 'takeUncleanly', async () => ({
      refusal: await takeUncleanly(options.member()),
    })),
  ];
}

async function takeUncleanly({ election, tenure }: ShardMember): Promise<string> {
  if (election === undefined) return 'roles are static (coordinator=none)';
  if (tenure !== undefined) return 'this member leads already';
  try {
    return (await election.takeUncleanly()) ? '' : 'this member leads already, or is stopping';
  } catch (error) {
    if (error instanceof LeaseConflict || error instanceof LeaseUnreachable) return error.message;
    throw error;
  }
}

function replicationOf(identity: FollowerIdentity, member: ShardMember): GetReplicationResponse {
  const { tenure, copy, acting, leader, election } = member;
  const log = tenure?.shard.replica ?? copy?.replica ?? acting?.shard.replica;
  const attested = copy?.attested;
  return {
    cluster: identity.cluster,
    shard: identity.shard,
    member: identity.member,
    role: roleOf(member),
    epoch: BigInt(leader?.epoch ?? log?.epoch ?? 0),
    startOffset: BigInt(log?.startOffset ?? 0),
    endOffset: BigInt(log?.endOffset ?? 0),
    storedOffset: BigInt(log?.storedOffset ?? 0),
    // A follower hears it from a leader; what it has applied was confirmed in any case.
    confirmedOffset: BigInt(Math.max(log?.confirmedOffset ?? 0, copy?.appliedOffset ?? 0)),
    appliedOffset: BigInt(copy?.appliedOffset ?? log?.confirmedOffset ?? 0),
    leader: leader?.member,
    leaderAddress: leader?.clientAddress ?? '',
    inSync: [...(tenure?.replication.inSync ?? election?.lease?.inSync ?? [])],
    followers: (tenure?.replication.followers() ?? []).map((follower) => ({
      member: follower.member,
      storedOffset: BigInt(follower.storedOffset),
      appliedOffset: BigInt(follower.appliedOffset),
      inSync: follower.inSync,
      behindMs: BigInt(Math.round(follower.behindMs)),
      version: follower.version,
    })),
    epochs: (log?.epochs() ?? []).map(({ epoch, startOffset }) => ({
      epoch: BigInt(epoch),
      startOffset: BigInt(startOffset),
    })),
    refusal: tenure === undefined ? (election?.refusal ?? '') : '',
    draining: tenure?.shard.metadata.standing.drain !== undefined,
    attestedPosition: BigInt(attested?.position ?? 0),
    attestedChecksum: BigInt(attested?.checksum ?? 0),
    attestedLeaderChecksum: BigInt(attested?.leaderChecksum ?? 0),
  };
}

function roleOf({ tenure, copy, acting }: ShardMember): Role {
  if (tenure !== undefined) return Role.ROLE_LEADER;
  if (acting !== undefined) return Role.ROLE_ACTING;
  return copy === undefined ? Role.ROLE_CHANGING : Role.ROLE_FOLLOWER;
}
