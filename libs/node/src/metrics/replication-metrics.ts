import type { Metrics } from '@orbitmq/runtime';
import type { ShardMember } from '../member/shard-member.ts';

/** How this member stands in its shard, asked for at each scrape. */
export function replicationMetrics(metrics: Metrics, member: () => ShardMember | undefined): void {
  const plain = (name: string, help: string, value: (member: ShardMember) => number | undefined): void =>
    metrics.gauge({ name, help, labels: [] }, (report) => {
      const now = member();
      const found = now === undefined ? undefined : value(now);
      if (found !== undefined) report({}, found);
    });
  plain('orbitmq_replication_leading', '1 while this member leads its shard.', (now) =>
    Number(now.tenure !== undefined),
  );
  plain('orbitmq_replication_acting', '1 while this slave serves consumers because its master is away.', (now) =>
    Number(now.acting !== undefined),
  );
  plain('orbitmq_replication_epoch', 'Epoch that this member leads or follows.', (now) => now.epoch);
  plain('orbitmq_replication_leader_known', '1 while it is known who leads the shard.', (now) =>
    Number(now.leader !== undefined),
  );
  plain(
    'orbitmq_replication_in_sync_members',
    'Copies in sync, that of the master included; told by the master.',
    (now) => now.tenure?.replication.inSync.length,
  );
  plain(
    'orbitmq_replication_lease_unreachable',
    '1 while the Lease of the shard can not be reached; absent with static roles.',
    (now) => (now.election === undefined ? undefined : Number(now.election.isUnreachable)),
  );
  plain(
    'orbitmq_replication_unconfirmed_bytes',
    'Bytes of the log that are not confirmed by all copies in sync; of a slave, that it has not applied.',
    (now) => {
      const log = now.tenure?.shard.replica ?? now.copy?.replica;
      return log === undefined ? undefined : log.endOffset - (now.copy?.appliedOffset ?? log.confirmedOffset);
    },
  );
  metrics.gauge(
    {
      name: 'orbitmq_replication_follower_lag_bytes',
      help: 'Bytes that a slave has not stored; told by the master.',
      labels: ['broker_id'],
    },
    (report) => {
      const tenure = member()?.tenure;
      for (const follower of tenure?.replication.followers() ?? []) {
        const lag = Math.max(0, tenure!.shard.replica.endOffset - follower.storedOffset);
        report({ broker_id: String(follower.member) }, lag);
      }
    },
  );
}
