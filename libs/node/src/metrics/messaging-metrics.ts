import { KIB, MIB } from '@orbitmq/base';
import type { MessagingEvents, MessagingGauges, TransactionEvents } from '@orbitmq/messaging';
import type { Counter, CounterSeries, HistogramSeries, Metrics } from '@orbitmq/runtime';
import type { Group, Topic, TopicMessageType } from '@orbitmq/views';

/** Upper bounds of message sizes, as RocketMQ has them. Bytes. */
const SIZE_BUCKETS = [KIB, 4 * KIB, 512 * KIB, MIB, 2 * MIB, 4 * MIB];
/** Upper bounds of the time a send takes. Milliseconds. */
const SEND_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

interface InSeries {
  readonly messages: CounterSeries;
  readonly bytes: CounterSeries;
  readonly sizes: HistogramSeries;
}

interface OutSeries {
  readonly messages: CounterSeries;
  readonly retried: CounterSeries;
  readonly bytes: CounterSeries;
  readonly acknowledged: CounterSeries;
}

/** Label `is_system`: topics and groups that the system keeps for itself. */
export function isSystem(name: string): string {
  return String(name.startsWith('RMQ_SYS_') || name.startsWith('rmq_sys_') || name.startsWith('CID_RMQ_SYS_'));
}

/** Counts what happens in the messaging service, under RocketMQ's names. */
export function messagingMetrics(
  metrics: Metrics,
  gauges: () => MessagingGauges | undefined,
): Omit<MessagingEvents, keyof TransactionEvents> {
  const received = receivedSeries(metrics);
  const delivered = deliveredSeries(metrics);
  const sendDuration = metrics
    .histogram({
      name: 'orbitmq_messaging_send_duration_ms',
      help: 'Time from a SendMessage call to its answer, milliseconds.',
      labels: [],
      buckets: SEND_BUCKETS,
    })
    .series({});
  const refused = metrics.counter({
    name: 'orbitmq_messaging_refused_calls_total',
    help: 'Calls that were answered with an error status.',
    labels: ['method', 'code'],
  });
  const repeated = metrics.counter({
    name: 'orbitmq_messaging_repeated_sends_total',
    help: 'Messages that were sent again within the dedup window, and not stored again.',
    labels: ['topic'],
  });
  const count = (name: string, help: string): CounterSeries => metrics.counter({ name, help, labels: [] }).series({});
  const pollsRefused = count('orbitmq_messaging_refused_polls_total', 'Receives turned away because too many waited.');
  const renewed = count('orbitmq_messaging_renewed_leases_total', 'Leases extended by auto-renewal.');
  const released = count('orbitmq_messaging_released_leases_total', 'Leases ended because their client was gone.');
  const taken = count(
    'orbitmq_messaging_taken_lite_subscriptions_total',
    'Lite topics that clients of exclusive groups lost to a newer subscriber.',
  );
  registerGauges(metrics, gauges);
  return {
    messageIn(topic, messageType, sizeBytes) {
      const series = received(topic, messageType);
      series.messages.add(1);
      series.bytes.add(sizeBytes);
      series.sizes.observe(sizeBytes);
    },
    messagesOut(topic, group, messageCount, sizeBytes, retryCount) {
      const series = delivered(topic, group);
      series.messages.add(messageCount - retryCount);
      series.retried.add(retryCount);
      series.bytes.add(sizeBytes);
    },
    sendRepeated: (topic) => repeated.series({ topic: topic.name }).add(1),
    sendAnswered: (durationMs) => sendDuration.observe(durationMs),
    messagesAcknowledged: (topic, group, messageCount) => delivered(topic, group).acknowledged.add(messageCount),
    callRefused: (method, code) => refused.series({ method, code }).add(1),
    pollRefused: () => pollsRefused.add(1),
    liteSubscriptionsTaken: (subscriptionCount) => taken.add(subscriptionCount),
    leasesRenewed: (leaseCount) => renewed.add(leaseCount),
    leasesReleased: (leaseCount) => released.add(leaseCount),
  };
}

/** Series by topic; a topic that was altered or deleted is another object, and its entry goes with it. */
function receivedSeries(metrics: Metrics): (topic: Topic, messageType: TopicMessageType) => InSeries {
  const labels = ['topic', 'message_type', 'is_system'] as const;
  const messages = metrics.counter({ name: 'rocketmq_messages_in_total', help: 'Messages stored.', labels });
  const bytes = metrics.counter({ name: 'rocketmq_throughput_in_total', help: 'Bytes of messages stored.', labels });
  const sizes = metrics.histogram({
    name: 'rocketmq_message_size',
    help: 'Sizes of messages stored, bytes.',
    labels,
    buckets: SIZE_BUCKETS,
  });
  const known = new WeakMap<Topic, Map<TopicMessageType, InSeries>>();
  const seriesOf = (topic: Topic, messageType: TopicMessageType): InSeries => {
    let byType = known.get(topic);
    if (byType === undefined) {
      byType = new Map();
      known.set(topic, byType);
    }
    let series = byType.get(messageType);
    if (series === undefined) {
      const values = { topic: topic.name, message_type: messageType.toLowerCase(), is_system: isSystem(topic.name) };
      series = { messages: messages.series(values), bytes: bytes.series(values), sizes: sizes.series(values) };
      byType.set(messageType, series);
    }
    return series;
  };
  // The next message is mostly one like the last.
  let last: { readonly topic: Topic; readonly messageType: TopicMessageType; readonly series: InSeries } | undefined;
  return (topic, messageType) => {
    if (last?.topic !== topic || last.messageType !== messageType) {
      last = { topic, messageType, series: seriesOf(topic, messageType) };
    }
    return last.series;
  };
}

function deliveredSeries(metrics: Metrics): (topic: Topic, group: Group) => OutSeries {
  const labels = ['topic', 'consumer_group', 'is_system', 'is_retry'] as const;
  const groupLabels = ['topic', 'consumer_group', 'is_system'] as const;
  const messages = metrics.counter({ name: 'rocketmq_messages_out_total', help: 'Messages delivered.', labels });
  const bytes = metrics.counter({
    name: 'rocketmq_throughput_out_total',
    help: 'Bytes of messages delivered.',
    labels: groupLabels,
  });
  const acknowledged: Counter<(typeof groupLabels)[number]> = metrics.counter({
    name: 'orbitmq_messaging_acknowledged_messages_total',
    help: 'Messages settled by consumers.',
    labels: groupLabels,
  });
  const known = new WeakMap<Topic, WeakMap<Group, OutSeries>>();
  return (topic, group) => {
    let byGroup = known.get(topic);
    if (byGroup === undefined) {
      byGroup = new WeakMap();
      known.set(topic, byGroup);
    }
    let series = byGroup.get(group);
    if (series === undefined) {
      const values = { topic: topic.name, consumer_group: group.name, is_system: isSystem(topic.name) };
      series = {
        messages: messages.series({ ...values, is_retry: 'false' }),
        retried: messages.series({ ...values, is_retry: 'true' }),
        bytes: bytes.series(values),
        acknowledged: acknowledged.series(values),
      };
      byGroup.set(group, series);
    }
    return series;
  };
}

function registerGauges(metrics: Metrics, gauges: () => MessagingGauges | undefined): void {
  const gauge = (name: string, help: string, value: (gauges: MessagingGauges) => number): void =>
    metrics.gauge({ name, help, labels: [] }, (report) => {
      const now = gauges();
      if (now !== undefined) report({}, value(now));
    });
  gauge('orbitmq_messaging_clients', 'Clients known.', (now) => now.sessions);
  gauge('orbitmq_messaging_telemetry_streams', 'Open telemetry streams.', (now) => now.telemetryStreams);
  gauge('orbitmq_messaging_waiting_polls', 'Receives that wait for messages.', (now) => now.waitingPolls);
  gauge('orbitmq_messaging_renewed_messages', 'Messages held with auto-renewal.', (now) => now.renewedMessages);
  gauge('orbitmq_messaging_lite_clients', 'Clients that read lite topics.', (now) => now.liteClients);
  gauge(
    'orbitmq_messaging_lite_subscriptions',
    'Lite topics that clients have named, of all clients together.',
    (now) => now.liteSubscriptions,
  );
}
