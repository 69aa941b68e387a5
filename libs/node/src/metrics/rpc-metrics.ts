import type { BoundMethod, RpcServer, RpcStatus } from '@orbitmq/rpc';
import type { HistogramSeries, Metrics } from '@orbitmq/runtime';

/** Upper bounds of call durations, as RocketMQ has them. Milliseconds. */
const LATENCY_BUCKETS = [1, 3, 5, 7, 10, 100, 1000, 2000, 3000];

/** Called after each call of the client port. */
export type CallEndListener = (path: string, status: RpcStatus, durationMs: number) => void;

/** Counts calls by method and status; what no method of ours is, is counted together. */
export function rpcMetrics(
  metrics: Metrics,
  methods: readonly BoundMethod[],
  server: () => RpcServer | undefined,
): CallEndListener {
  const latency = metrics.histogram({
    name: 'rocketmq_rpc_latency',
    help: 'Time that calls take, milliseconds.',
    labels: ['protocol_type', 'request_code', 'response_code', 'is_long_polling', 'result'],
    buckets: LATENCY_BUCKETS,
  });
  metrics.gauge(
    { name: 'orbitmq_rpc_connections', help: 'Open connections of the client port.', labels: [] },
    (report) => report({}, server()?.connectionCount ?? 0),
  );
  const names = new Map(methods.map(({ path }) => [path, path.slice(path.lastIndexOf('/') + 1)]));
  const known = new Map<string, Map<RpcStatus, HistogramSeries>>();
  return (path, status, durationMs) => {
    const name = names.get(path) ?? 'other';
    let byStatus = known.get(name);
    if (byStatus === undefined) {
      byStatus = new Map();
      known.set(name, byStatus);
    }
    let series = byStatus.get(status);
    if (series === undefined) {
      series = latency.series({
        protocol_type: 'grpc',
        request_code: name,
        response_code: status,
        is_long_polling: String(name === 'ReceiveMessage'),
        result: resultOf(status),
      });
      byStatus.set(status, series);
    }
    series.observe(durationMs);
  };
}

function resultOf(status: RpcStatus): string {
  if (status === 'OK') return 'success';
  return status === 'CANCELLED' ? 'cancelled' : 'process_request_failed';
}
