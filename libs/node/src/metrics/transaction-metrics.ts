import type { TransactionEvents } from '@orbitmq/messaging';
import type { Counter, CounterSeries, HistogramSeries, Metrics } from '@orbitmq/runtime';
import type { ShardStatistics } from '@orbitmq/shard';
import { type Topic, TRANSACTION_END } from '@orbitmq/views';

const SECONDS_A_MS = 1e-3;
const [MINUTE, HOUR] = [60, 3600];
/** Upper bounds of the time from half message to commit, as RocketMQ has them. Seconds. */
const LATENCY_BUCKETS = [5, MINUTE, 10 * MINUTE, HOUR, 12 * HOUR, 24 * HOUR];

interface Series {
  readonly committed: CounterSeries;
  readonly rolledBack: CounterSeries;
  readonly discarded: CounterSeries;
  readonly checked: CounterSeries;
  readonly latency: HistogramSeries;
}

/** Counts transactions, under RocketMQ's names where it has them. */
export function transactionMetrics(metrics: Metrics, statistics: () => ShardStatistics | undefined): TransactionEvents {
  const labels = ['topic'] as const;
  metrics.gauge({ name: 'rocketmq_half_messages', help: 'Open transactions.', labels }, (report) => {
    for (const { topic, openCount } of statistics()?.transactions ?? []) report({ topic }, openCount);
  });
  const seriesOf = transactionSeries(metrics);
  return {
    transactionChecked: (topic) => seriesOf(topic).checked.add(1),
    transactionEnded(topic, end, ageMs) {
      const series = seriesOf(topic);
      if (end === TRANSACTION_END.rolledBack) series.rolledBack.add(1);
      else if (end === TRANSACTION_END.discarded) series.discarded.add(1);
      else {
        series.committed.add(1);
        series.latency.observe(ageMs * SECONDS_A_MS);
      }
    },
  };
}

/** Series by topic; a topic that was altered or deleted is another object, and its entry goes with it. */
function transactionSeries(metrics: Metrics): (topic: Topic) => Series {
  const labels = ['topic'] as const;
  const counter = (name: string, help: string): Counter<'topic'> => metrics.counter({ name, help, labels });
  const committed = counter('rocketmq_commit_messages_total', 'Transactions committed.');
  const rolledBack = counter('rocketmq_rollback_messages_total', 'Transactions rolled back.');
  const discarded = counter(
    'orbitmq_messaging_discarded_transactions_total',
    'Transactions that nobody ended within the permitted checks or time; their messages are dropped.',
  );
  const checked = counter('orbitmq_messaging_transaction_checks_total', 'Questions to producers about transactions.');
  const latency = metrics.histogram({
    name: 'rocketmq_finish_message_latency',
    help: 'Time from a half message to its commit, seconds.',
    labels,
    buckets: LATENCY_BUCKETS,
  });
  const known = new WeakMap<Topic, Series>();
  return (topic) => {
    let series = known.get(topic);
    if (series === undefined) {
      const values = { topic: topic.name };
      series = {
        committed: committed.series(values),
        rolledBack: rolledBack.series(values),
        discarded: discarded.series(values),
        checked: checked.series(values),
        latency: latency.series(values),
      };
      known.set(topic, series);
    }
    return series;
  };
}
