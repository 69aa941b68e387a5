import type { Metrics } from '@orbitmq/runtime';
import type { OpenedShard } from '@orbitmq/shard';
import type { ProvisionFile } from '../tenure/provision-file.ts';

/** How the broker stands as a whole, asked for at each scrape. */
export function tenureMetrics(
  metrics: Metrics,
  shard: () => OpenedShard | undefined,
  provisionFile: () => ProvisionFile | undefined,
): void {
  const plain = (name: string, help: string, value: () => number | undefined): void =>
    metrics.gauge({ name, help, labels: [] }, (report) => {
      const found = value();
      if (found !== undefined) report({}, found);
    });
  plain(
    'orbitmq_provision_file_refused',
    '1 while the file at provisionFile can not be used, and what it said before stays in force; absent without one.',
    () => provisionFile() && Number(provisionFile()!.problems.length > 0),
  );
  plain(
    'orbitmq_provision_failures',
    'Declared topics and groups that could not be made or altered yet; absent without a provisionFile.',
    () => provisionFile()?.failures.length,
  );
  plain('orbitmq_node_draining', '1 while the broker is being drained; told by the master.', () => {
    const standing = shard()?.metadata.standing;
    return standing && Number(standing.drain !== undefined);
  });
  plain(
    'orbitmq_node_topic_copy_pending',
    '1 while a new broker has still to take over the topics of its cluster; told by the master.',
    () => {
      const standing = shard()?.metadata.standing;
      return standing && Number(standing.topicCopy !== undefined && standing.topicCopy.endMs === undefined);
    },
  );
}
