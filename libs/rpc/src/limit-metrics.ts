import type { Metrics } from '@orbitmq/runtime';
import type { RpcLimit } from './server.ts';

/**
 * Counts by port and limit how often limits of the ports of a process are exceeded.
 * @returns what the server of a port is to call each time
 */
export function limitMetrics(metrics: Metrics): (port: string) => (limit: RpcLimit) => void {
  const exceeded = metrics.counter({
    name: 'orbitmq_rpc_limits_exceeded_total',
    help: 'How often a limit of a gRPC port was exceeded.',
    labels: ['port', 'limit'],
  });
  return (port) => (limit) => exceeded.series({ port, limit }).add(1);
}
