import type { Connection } from '@orbitmq/messaging';
import { ClientType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Metrics } from '@orbitmq/runtime';
import { isSystem } from './messaging-metrics.ts';

/** Labels that clients choose are cut to this, and to harmless characters. */
const VERSION_LENGTH_MAX = 32;

/** Clients connected, counted at each scrape under RocketMQ's names. */
export function connectionMetrics(metrics: Metrics, connections: () => readonly Connection[]): void {
  metrics.gauge(
    {
      name: 'rocketmq_producer_connections',
      help: 'Producers connected.',
      labels: ['language', 'version', 'protocol_type'],
    },
    (report) => {
      const counts = countBy(connections().filter(isProducer), ({ language, version }) => ({
        language: language.toLowerCase(),
        version: versionLabel(version),
        protocol_type: 'grpc',
      }));
      for (const { labels, count } of counts) report(labels, count);
    },
  );
  metrics.gauge(
    {
      name: 'rocketmq_consumer_connections',
      help: 'Consumers connected.',
      labels: ['consumer_group', 'language', 'version', 'consume_mode', 'protocol_type', 'is_system'],
    },
    (report) => {
      const consumers = connections().filter((connection) => !isProducer(connection));
      const counts = countBy(consumers, ({ group, language, version, clientType }) => ({
        consumer_group: group ?? '',
        language: language.toLowerCase(),
        version: versionLabel(version),
        consume_mode: clientType === ClientType.SIMPLE_CONSUMER ? 'pop' : 'push',
        protocol_type: 'grpc',
        is_system: isSystem(group ?? ''),
      }));
      for (const { labels, count } of counts) report(labels, count);
    },
  );
}

function isProducer(connection: Connection): boolean {
  return connection.clientType === ClientType.PRODUCER || connection.group === undefined;
}

function versionLabel(version: string): string {
  return /^[\w.+-]+$/.test(version) ? version.slice(0, VERSION_LENGTH_MAX) : 'unknown';
}

function countBy<Labels extends Readonly<Record<string, string>>>(
  connections: readonly Connection[],
  labelsOf: (connection: Connection) => Labels,
): Iterable<{ readonly labels: Labels; count: number }> {
  const counts = new Map<string, { readonly labels: Labels; count: number }>();
  for (const connection of connections) {
    const labels = labelsOf(connection);
    const key = JSON.stringify(labels);
    const entry = counts.get(key);
    if (entry === undefined) counts.set(key, { labels, count: 1 });
    else entry.count++;
  }
  return counts.values();
}
