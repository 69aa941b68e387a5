import type { Metrics } from '@orbitmq/runtime';
import type { OpenedShard, ShardStatistics } from '@orbitmq/shard';
import type { BrokerConfig } from '../config/spec.ts';
import { isSystem } from './messaging-metrics.ts';

const DISK = { storage_type: 'local', storage_medium: 'disk' } as const;
const DISK_LABELS = ['storage_type', 'storage_medium'] as const;

/** What the shard knows of itself, asked for at each scrape, under RocketMQ's names. */
export function storageMetrics(
  metrics: Metrics,
  config: BrokerConfig,
  shard: () => OpenedShard | undefined,
  statistics: () => ShardStatistics | undefined,
): void {
  const reading = (use: (now: ShardStatistics) => void): void => {
    const now = statistics();
    if (now !== undefined) use(now);
  };
  const onDisk = (name: string, help: string, value: (statistics: ShardStatistics) => number): void =>
    metrics.gauge({ name, help, labels: DISK_LABELS }, (report) => reading((now) => report(DISK, value(now))));
  const plain = (name: string, help: string, value: (statistics: ShardStatistics) => number): void =>
    metrics.gauge({ name, help, labels: [] }, (report) => reading((now) => report({}, value(now))));
  const counter = (name: string, help: string, value: (statistics: ShardStatistics) => number): void =>
    metrics.counterOf({ name, help, labels: [] }, (report) => reading((now) => report({}, value(now))));

  metrics.gauge(
    { name: 'rocketmq_broker_permission', help: 'What clients may do: 2 write, 4 read.', labels: [] },
    (report) => report({}, config.brokerPermission),
  );
  metrics.gauge({ name: 'rocketmq_topic_number', help: 'Topics.', labels: [] }, (report) => {
    const opened = shard();
    if (opened) report({}, [...opened.metadata.topics()].length);
  });
  metrics.gauge({ name: 'rocketmq_consumer_group_number', help: 'Consumer groups.', labels: [] }, (report) => {
    const opened = shard();
    if (opened) report({}, [...opened.metadata.groups()].length);
  });
  onDisk('rocketmq_storage_size', 'Bytes of the log.', (now) => now.logEndOffset - now.logStartOffset);
  onDisk(
    'rocketmq_storage_flush_behind_bytes',
    'Bytes of the log that are not flushed.',
    (now) => now.logEndOffset - now.logFlushedOffset,
  );
  onDisk(
    'rocketmq_storage_dispatch_behind_bytes',
    'Bytes of the log that the views lack; they follow at the append.',
    () => 0,
  );
  plain('orbitmq_storage_disk_used_ratio', 'Share of the disk in use, 0…1.', (now) => now.diskUsedRatio);
  plain('orbitmq_storage_sends_refused', '1 while sends are refused for want of room on the disk.', (now) =>
    Number(now.sendsRefused),
  );
  plain('orbitmq_shard_outstanding_messages', 'Messages handed out and not settled.', (now) => now.outstandingCount);
  metrics.gauge(
    { name: 'rocketmq_timing_messages', help: 'Messages that wait for their time.', labels: ['topic'] },
    (report) =>
      reading((now) => {
        for (const { topic, timedCount } of now.topics) if (timedCount > 0) report({ topic }, timedCount);
      }),
  );
  plain(
    'rocketmq_timer_dequeue_lag',
    'How long ago the first message that still waits was due, milliseconds.',
    (now) => now.timers.behindMs,
  );
  plain(
    'rocketmq_timer_dequeue_latency',
    'The latest that a timed message has come after its time since the start, milliseconds.',
    (now) => now.timers.latenessMaxMs,
  );
  counter('rocketmq_timer_dequeue_total', 'Timed messages that have come.', (now) => now.timers.firedCount);
  counter('orbitmq_timer_cancelled_total', 'Timed messages that were recalled.', (now) => now.timers.cancelledCount);
  counter(
    'orbitmq_timer_lateness_ms_total',
    'Sum of the times from delivery time to delivery, milliseconds.',
    (now) => now.timers.latenessSumMs,
  );
  plain('orbitmq_storage_sync_duration_max_ms', 'The longest flush, milliseconds.', (now) => now.log.syncMsMax);
  counter('orbitmq_storage_records_total', 'Records appended.', (now) => now.log.recordCount);
  counter('orbitmq_storage_written_bytes_total', 'Bytes written for records.', (now) => now.log.writtenBytes);
  counter('orbitmq_storage_batches_total', 'Batches written.', (now) => now.log.batchCount);
  counter('orbitmq_storage_syncs_total', 'Flushes to the disk.', (now) => now.log.syncCount);
  counter('orbitmq_storage_sync_duration_ms_total', 'Time spent in flushes, milliseconds.', (now) => now.log.syncMs);
  counter('orbitmq_storage_disk_reads_total', 'Records read from the disk.', (now) => now.log.diskReadCount);
  counter(
    'orbitmq_shard_read_failures_total',
    'Reads of stored messages that the disk has refused.',
    (now) => now.readFailureCount,
  );
  counter(
    'orbitmq_storage_slave_reads_total',
    'Reads of stored messages that a slave has answered in the place of the disk of its master.',
    (now) => now.log.copyReadCount,
  );
  counter(
    'orbitmq_shard_recovered_reads_total',
    'Reads of stored messages that the disk has lost and a slave had.',
    (now) => now.recoveredReadCount,
  );
  counter('orbitmq_storage_removed_bytes_total', 'Bytes that retention has removed.', (now) => now.removedBytes);
  counter(
    'orbitmq_storage_scrubbed_bytes_total',
    'Bytes of sealed segments that were read again and were in order.',
    (now) => now.scrub.checkedBytes,
  );
  counter(
    'orbitmq_storage_damages_total',
    'Damages found in sealed segments that were read again, one a segment and round.',
    (now) => now.scrub.damageCount,
  );
}

/** How far each group is on each topic that it consumes. */
export function consumptionMetrics(metrics: Metrics, statistics: () => ShardStatistics | undefined): void {
  const labels = ['consumer_group', 'topic', 'is_retry', 'is_system'] as const;
  type Subscription = ShardStatistics['subscriptions'][number];
  const reportAll = (
    report: (values: Readonly<Record<(typeof labels)[number], string>>, value: number) => void,
    value: (subscription: Subscription) => number,
  ): void => {
    for (const subscription of statistics()?.subscriptions ?? []) {
      const { group, topic } = subscription;
      report({ consumer_group: group, topic, is_retry: 'false', is_system: isSystem(topic) }, value(subscription));
    }
  };
  const gauge = (name: string, help: string, value: (subscription: Subscription) => number): void =>
    metrics.gauge({ name, help, labels }, (report) => reportAll(report, value));
  gauge('rocketmq_consumer_lag_messages', 'Messages not settled, handed out or not.', (now) => now.lagCount);
  gauge('rocketmq_consumer_inflight_messages', 'Messages handed out and not settled.', (now) => now.inflightCount);
  gauge('rocketmq_consumer_ready_messages', 'Messages that could be handed out now.', (now) => now.readyCount);
  metrics.counterOf(
    {
      name: 'orbitmq_shard_unconsumed_messages_total',
      help: 'Messages that retention removed before they were settled.',
      labels,
    },
    (report) => reportAll(report, (now) => now.unconsumedCount),
  );
  metrics.counterOf(
    {
      name: 'orbitmq_shard_unreadable_messages_total',
      help: 'Messages that were passed over because the log is damaged where they lie, or the disk can not read it there.',
      labels,
    },
    (report) => reportAll(report, (now) => now.unreadableCount),
  );
  metrics.counterOf(
    { name: 'rocketmq_send_to_dlq_messages_total', help: 'Messages that became dead letters of their group.', labels },
    (report) => reportAll(report, (now) => now.deadLetterCount),
  );
  metrics.counterOf(
    {
      name: 'orbitmq_shard_redriven_messages_total',
      help: 'Dead letters that were handed back to their group.',
      labels,
    },
    (report) => reportAll(report, (now) => now.redrivenCount),
  );
}

/** Reads the statistics once for all metrics of a scrape, which are asked for in one turn of the event loop. */
export function statisticsReader(shard: () => OpenedShard | undefined): () => ShardStatistics | undefined {
  let statistics: ShardStatistics | undefined;
  return () => {
    if (statistics === undefined) {
      statistics = shard()?.statistics();
      setImmediate(() => {
        statistics = undefined;
      });
    }
    return statistics;
  };
}
