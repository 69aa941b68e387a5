import { Role } from '@orbitmq/protocol/orbitmq.route.v1';
import { RouteTable } from '@orbitmq/routing';
import { limitMetrics, type RpcServer, type RpcStatus } from '@orbitmq/rpc';
import { createMetrics, type HistogramSeries, type Metrics } from '@orbitmq/runtime';

/** Bounds of RocketMQ's `rocketmq_rpc_latency`, milliseconds. */
const LATENCY_BUCKETS_MS = [1, 3, 5, 7, 10, 100, 1000, 2000, 3000];

/** Metrics of the routes that a name server shows. */
export function observeRoutes(metrics: Metrics, table: RouteTable): void {
  metrics.gauge(
    {
      name: 'orbitmq_routing_brokers',
      help: 'Registered brokers by cluster and role.',
      labels: ['broker_cluster', 'role'],
    },
    (report) => {
      const counts = new Map<string, number>();
      for (const { identity } of table.brokers()) {
        const key = `${identity.role === Role.ROLE_MASTER ? 'master' : 'slave'} ${identity.cluster}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      for (const [key, count] of counts) {
        const space = key.indexOf(' ');
        report({ broker_cluster: key.slice(space + 1), role: key.slice(0, space) }, count);
      }
    },
  );
  metrics.gauge({ name: 'rocketmq_topic_number', help: 'Topics that some broker has.', labels: [] }, (report) =>
    report({}, table.topicNames().length),
  );
  metrics.gauge({ name: 'orbitmq_routing_changes_total', help: 'Changes of the routes.', labels: [] }, (report) =>
    report({}, table.version),
  );
}

/** Observes the calls of the client port. @returns what the server is to call after each */
export function observeCalls(metrics: Metrics): (path: string, status: RpcStatus, durationMs: number) => void {
  const latency = metrics.histogram({
    name: 'rocketmq_rpc_latency',
    help: 'Duration of calls on the client port. Milliseconds.',
    labels: ['protocol_type', 'request_code', 'response_code'],
    buckets: LATENCY_BUCKETS_MS,
  });
  const series = new Map<string, HistogramSeries>();
  return (path, status, durationMs) => {
    const key = `${path} ${status}`;
    let found = series.get(key);
    if (!found) {
      const request_code = path.slice(path.lastIndexOf('/') + 1);
      found = latency.series({ protocol_type: 'grpc', request_code, response_code: status });
      series.set(key, found);
    }
    found.observe(durationMs);
  };
}

export function observeConnections(metrics: Metrics, server: Pick<RpcServer, 'connectionCount'>): void {
  metrics.gauge(
    { name: 'orbitmq_rpc_connections', help: 'Open connections on the client port.', labels: [] },
    (report) => report({}, server.connectionCount),
  );
}

/** Every metric that a name server gives, for `docs/reference`. */
export function nameServerMetricDefinitions(): ReturnType<Metrics['definitions']> {
  const metrics = createMetrics({ commonLabels: {}, seriesMax: 1, processMetrics: false });
  const table = new RouteTable({ silenceMs: 0, graceMs: 0, brokerCountMax: 0 });
  observeRoutes(metrics, table);
  observeCalls(metrics);
  observeConnections(metrics, { connectionCount: 0 });
  limitMetrics(metrics);
  return metrics.definitions();
}
