import { nameServerMetricDefinitions } from '@orbitmq/namesrv/metrics';
import { brokerMetricDefinitions } from '@orbitmq/node';

interface Panel {
  readonly title: string;
  readonly unit: string;
  /** Legend → query. `$of` stands for the chosen cluster. */
  readonly queries: Readonly<Record<string, string>>;
}

const OF = 'namespace="$namespace",pod=~"$release-.+"';
const PER_TOPIC = 'sum by (topic)';

/** Rows of panels, by what an operator asks. */
const ROWS: Readonly<Record<string, readonly Panel[]>> = {
  'Is all well?': [
    panel('Members that lead', 'short', { '{{node_id}}': 'sum by (node_id) (orbitmq_replication_leading{$of})' }),
    panel('Copies in sync', 'short', { '{{node_id}}': 'max by (node_id) (orbitmq_replication_in_sync_members{$of})' }),
    panel('Sends refused for want of room', 'short', { '{{pod}}': 'orbitmq_storage_sends_refused{$of}' }),
    panel('Brokers that name servers know', 'short', { '{{pod}}': 'sum by (pod) (orbitmq_routing_brokers{$of})' }),
  ],
  Messages: [
    panel('Stored', 'mps', { '{{topic}}': `${PER_TOPIC} (rate(rocketmq_messages_in_total{$of}[$__rate_interval]))` }),
    panel('Delivered', 'mps', {
      '{{topic}}': `${PER_TOPIC} (rate(rocketmq_messages_out_total{$of}[$__rate_interval]))`,
    }),
    panel('Stored', 'Bps', { '{{topic}}': `${PER_TOPIC} (rate(rocketmq_throughput_in_total{$of}[$__rate_interval]))` }),
    panel('Time to the answer of a send', 'ms', {
      p50: 'histogram_quantile(0.5, sum by (le) (rate(orbitmq_messaging_send_duration_ms_bucket{$of}[$__rate_interval])))',
      p99: 'histogram_quantile(0.99, sum by (le) (rate(orbitmq_messaging_send_duration_ms_bucket{$of}[$__rate_interval])))',
    }),
    panel('Calls refused', 'cps', {
      '{{method}} {{code}}':
        'sum by (method, code) (rate(orbitmq_messaging_refused_calls_total{$of}[$__rate_interval]))',
    }),
  ],
  Consumers: [
    panel('Lag', 'short', {
      '{{consumer_group}} {{topic}}': 'sum by (consumer_group, topic) (rocketmq_consumer_lag_messages{$of})',
    }),
    panel('Handed out and not settled', 'short', {
      '{{consumer_group}} {{topic}}': 'sum by (consumer_group, topic) (rocketmq_consumer_inflight_messages{$of})',
    }),
    panel('Dead letters', 'short', {
      '{{consumer_group}} {{topic}}':
        'sum by (consumer_group, topic) (increase(rocketmq_send_to_dlq_messages_total{$of}[$__rate_interval]))',
    }),
    panel('Deleted before they were settled', 'short', {
      '{{consumer_group}} {{topic}}':
        'sum by (consumer_group, topic) (increase(orbitmq_shard_unconsumed_messages_total{$of}[$__rate_interval]))',
    }),
    panel('Timed messages and open transactions', 'short', {
      'timed {{topic}}': `${PER_TOPIC} (rocketmq_timing_messages{$of})`,
      'half {{topic}}': `${PER_TOPIC} (rocketmq_half_messages{$of})`,
    }),
    panel('Connections', 'short', {
      producers: 'sum(rocketmq_producer_connections{$of})',
      consumers: 'sum(rocketmq_consumer_connections{$of})',
    }),
  ],
  Copies: [
    panel('What slaves lack', 'bytes', {
      '{{node_id}} {{broker_id}}': 'max by (node_id, broker_id) (orbitmq_replication_follower_lag_bytes{$of})',
    }),
    panel('Not confirmed', 'bytes', { '{{pod}}': 'orbitmq_replication_unconfirmed_bytes{$of}' }),
    panel('Epoch', 'short', { '{{node_id}}': 'max by (node_id) (orbitmq_replication_epoch{$of})' }),
    panel('Lease out of reach', 'short', { '{{pod}}': 'orbitmq_replication_lease_unreachable{$of}' }),
  ],
  Disks: [
    panel('Use', 'percentunit', { '{{pod}}': 'orbitmq_storage_disk_used_ratio{$of}' }),
    panel('Size of the log', 'bytes', { '{{pod}}': 'sum by (pod) (rocketmq_storage_size{$of})' }),
    panel('Time of a flush', 'ms', {
      '{{pod}}':
        'rate(orbitmq_storage_sync_duration_ms_total{$of}[$__rate_interval]) / rate(orbitmq_storage_syncs_total{$of}[$__rate_interval])',
    }),
    panel('Damages', 'short', { '{{pod}}': 'increase(orbitmq_storage_damages_total{$of}[$__rate_interval])' }),
  ],
  Processes: [
    panel('CPU', 'short', { '{{pod}}': 'rate(process_cpu_seconds_total{$of}[$__rate_interval])' }),
    panel('Memory', 'bytes', { '{{pod}}': 'process_resident_memory_bytes{$of}' }),
    panel('Event loop lag, p99', 's', { '{{pod}}': 'nodejs_eventloop_lag_p99_seconds{$of}' }),
    panel('Connections', 'short', { '{{pod}}': 'orbitmq_rpc_connections{$of}' }),
  ],
};

function panel(title: string, unit: string, queries: Panel['queries']): Panel {
  return { title, unit, queries };
}

/** Every metric that the programs give, also as the parts of a histogram. */
export function metricNames(): ReadonlySet<string> {
  const definitions = [...brokerMetricDefinitions(), ...nameServerMetricDefinitions()];
  return new Set(definitions.flatMap(({ name }) => [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]));
}

/** A dashboard of Grafana 10 and later. @throws Error when a query asks for a metric that there is not */
export function dashboard(): object {
  const known = metricNames();
  const panels: object[] = [];
  let y = 0;
  for (const [title, row] of Object.entries(ROWS)) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: 24, h: 1 },
    });
    y += 1;
    row.forEach((each, index) => {
      const gridPos = { x: (index % 4) * 6, y: y + Math.floor(index / 4) * 7, w: 6, h: 7 };
      panels.push({ id: panels.length + 1, gridPos, ...timeSeries(each, known) });
    });
    y += Math.ceil(row.length / 4) * 7;
  }
  return {
    title: 'OrbitMQ',
    uid: 'orbitmq',
    tags: ['orbitmq'],
    schemaVersion: 39,
    timezone: 'browser',
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: { list: VARIABLES },
    panels,
  };
}

const DATASOURCE = { type: 'prometheus', uid: '$datasource' };
const VARIABLES = [
  { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
  queryVariable('namespace', 'label_values(orbitmq_routing_brokers, namespace)', ''),
  queryVariable(
    'release',
    'label_values(orbitmq_routing_brokers{namespace="$namespace"}, pod)',
    '/^(.+)-namesrv-\\d+$/',
  ),
];

function queryVariable(name: string, query: string, regex: string): object {
  return { name, type: 'query', datasource: DATASOURCE, query, definition: query, regex, refresh: 2, sort: 1 };
}

function timeSeries({ title, unit, queries }: Panel, known: ReadonlySet<string>): object {
  const targets = Object.entries(queries).map(([legendFormat, query], index) => {
    for (const name of query.match(/\b(orbitmq|rocketmq)_\w+/g) ?? []) {
      if (!known.has(name)) throw new Error(`the panel ${title} shows ${name}, which there is not`);
    }
    return {
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr: query.replaceAll('$of', OF),
      legendFormat,
    };
  });
  return {
    type: 'timeseries',
    title,
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit, min: 0, custom: { fillOpacity: 10, showPoints: 'never' } }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets,
  };
}
