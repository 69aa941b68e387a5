import type { MessagingEvents, MessagingService } from '@orbitmq/messaging';
import { type BoundMethod, limitMetrics, type RpcLimit, type RpcServer } from '@orbitmq/rpc';
import { createMetrics, type Metrics } from '@orbitmq/runtime';
import type { OpenedShard } from '@orbitmq/shard';
import { type BrokerConfig, brokerConfigSpec } from './config/spec.ts';
import type { ShardMember } from './member/shard-member.ts';
import { connectionMetrics } from './metrics/connection-metrics.ts';
import { messagingMetrics } from './metrics/messaging-metrics.ts';
import { replicationMetrics } from './metrics/replication-metrics.ts';
import { type CallEndListener, rpcMetrics } from './metrics/rpc-metrics.ts';
import { consumptionMetrics, statisticsReader, storageMetrics } from './metrics/storage-metrics.ts';
import { tenureMetrics } from './metrics/tenure-metrics.ts';
import { transactionMetrics } from './metrics/transaction-metrics.ts';

import type { ProvisionFile } from './tenure/provision-file.ts';

/**
 * The metrics of a broker. It exists before the parts that it watches, so that the observation port answers while they
 * are being opened; they are put in as they come.
 */
export class BrokerObservation {
  readonly metrics: Metrics;
  readonly messagingEvents: MessagingEvents;
  shard: OpenedShard | undefined;
  messaging: MessagingService | undefined;
  clientPort: RpcServer | undefined;
  /** Counts what is done beyond the limits of a port: `client`, `admin`, `replication`. */
  readonly onLimit: (port: string) => (limit: RpcLimit) => void;
  member: ShardMember | undefined;
  provisionFile: ProvisionFile | undefined;

  constructor(config: BrokerConfig) {
    this.metrics = createMetrics({
      commonLabels: { cluster: config.brokerClusterName, node_type: 'broker', node_id: config.brokerName },
      seriesMax: config.metricsOtelCardinalityLimit,
      processMetrics: true,
    });
    const statistics = statisticsReader(() => this.shard);
    this.messagingEvents = {
      ...messagingMetrics(this.metrics, () => this.messaging?.gauges()),
      ...transactionMetrics(this.metrics, statistics),
    };
    storageMetrics(this.metrics, config, () => this.shard, statistics);
    consumptionMetrics(this.metrics, statistics);
    replicationMetrics(this.metrics, () => this.member);
    tenureMetrics(
      this.metrics,
      () => this.shard,
      () => this.provisionFile,
    );
    this.onLimit = limitMetrics(this.metrics);
    connectionMetrics(this.metrics, () => this.messaging?.connections() ?? []);
  }

  /** Counts the calls of the client port. @param methods those that it serves */
  callEndListener(methods: readonly BoundMethod[]): CallEndListener {
    return rpcMetrics(this.metrics, methods, () => this.clientPort);
  }
}

/** Every metric that a broker gives, for `docs/reference`. */
export function brokerMetricDefinitions(): ReturnType<Metrics['definitions']> {
  const names = Object.entries(brokerConfigSpec.keys).map(([name, key]) => [name, key.defaultValue]);
  const observation = new BrokerObservation(Object.fromEntries(names) as BrokerConfig);
  observation.callEndListener([]);
  return observation.metrics.definitions();
}
