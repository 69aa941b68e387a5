import type { LogStatistics, ScrubStatistics } from '@orbitmq/storage';
import type { ShardCore } from './core.ts';
import type { LiteStandings } from './lite-standing.ts';

/** Counts of one topic since the start of the process. */
export interface TopicStatistics {
  readonly topic: string;
  readonly sentCount: number;
  readonly sentBytes: number;
  /** Messages that wait for their time of delivery. */
  readonly timedCount: number;
  readonly liteTopicCount: number;
}

/** Counts of one group on one topic since the start of the process, and how it stands now. */
export interface SubscriptionStatistics {
  readonly group: string;
  readonly topic: string;
  readonly deliveredCount: number;
  readonly deliveredBytes: number;
  readonly redeliveredCount: number;
  readonly acknowledgedCount: number;
  readonly unconsumedCount: number;
  readonly unreadableCount: number;
  readonly deadLetterCount: number;
  readonly redrivenCount: number;
  /** Messages that are not settled, handed out or not. With very many lite topics, this and what follows is some seconds old. */
  readonly lagCount: number;
  readonly inflightCount: number;
  /** Messages that could be handed out now. */
  readonly readyCount: number;
  readonly waitingReceives: number;
}

/** Timed messages; counts since the start of the process. */
export interface TimerStatistics {
  readonly pendingCount: number;
  readonly firedCount: number;
  readonly cancelledCount: number;
  /** Sum of the times that passed between the moment of delivery and the firing. */
  readonly latenessSumMs: number;
  readonly latenessMaxMs: number;
  /** How long ago the first pending one was due; 0 when none is due. */
  readonly behindMs: number;
}

/** Open transactions of one topic. */
export interface TransactionStatistics {
  readonly topic: string;
  readonly openCount: number;
}

/** Numbers for metrics. Topics and groups are those that exist: their number bounds the labels. */
export interface ShardStatistics {
  readonly topics: readonly TopicStatistics[];
  readonly subscriptions: readonly SubscriptionStatistics[];
  readonly timers: TimerStatistics;
  /** One entry for each topic that has any. */
  readonly transactions: readonly TransactionStatistics[];
  readonly log: LogStatistics;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly logFlushedOffset: number;
  readonly outstandingCount: number;
  readonly waitingReceives: number;
  readonly removedBytes: number;
  /** Reads of stored messages that the disk has refused. */
  readonly readFailureCount: number;
  /** Reads of stored messages that this copy has lost and another one had. */
  readonly recoveredReadCount: number;
  readonly scrub: ScrubStatistics;
  readonly diskUsedRatio: number;
  readonly sendsRefused: boolean;
}

/** Messages of all topics and groups since the start of the process. */
export interface ShardTotals {
  readonly sentCount: number;
  readonly deliveredCount: number;
}

/** Sends of one topic. */
export interface SentCounters {
  count: number;
  bytes: number;
}

export function topicStatistics(core: ShardCore, sent: ReadonlyMap<number, SentCounters>): TopicStatistics[] {
  return [...core.state.metadata.topics()].map((topic) => {
    const counters = sent.get(topic.uid);
    const timedCount = topic.queues.reduce((sum, queue) => sum + core.state.timers.countOf(queue.uid), 0);
    const liteTopicCount = core.state.metadata.liteTopics.countOf(topic.uid);
    const [sentCount, sentBytes] = [counters?.count ?? 0, counters?.bytes ?? 0];
    return { topic: topic.name, sentCount, sentBytes, timedCount, liteTopicCount };
  });
}

/** What is left of `ShardStatistics` for those who ask often. */
export function shardTotals(core: ShardCore, sent: ReadonlyMap<number, SentCounters>): ShardTotals {
  let [sentCount, deliveredCount] = [0, 0];
  for (const { count } of sent.values()) sentCount += count;
  for (const { counters } of core.subscriptions.all()) deliveredCount += counters.deliveredCount;
  return { sentCount, deliveredCount };
}

/** One entry for each group and topic between which something has happened since the start. */
export function subscriptionStatistics(core: ShardCore, standings: LiteStandings): SubscriptionStatistics[] {
  const result: SubscriptionStatistics[] = [];
  for (const subscription of core.subscriptions.all()) {
    const topic = core.state.metadata.topicByUid(subscription.topicUid);
    const group = core.state.metadata.groupByUid(subscription.groupUid);
    if (topic === undefined || group === undefined) continue;
    let [fresh, inflightCount, readyAgain, waitingReceives] = [0, 0, 0, subscription.waiters.size];
    for (const queue of subscription.queues(core.state)) {
      fresh += Math.max(0, queue.indexed.visibleOffset - core.availability.nextOffset(queue));
      inflightCount += queue.progress?.leasedCount ?? 0;
      readyAgain += queue.progress?.readyCount ?? 0;
    }
    if (core.state.metadata.liteTopics.countOf(topic.uid) > 0) {
      const lite = standings.of(subscription);
      fresh += lite.lagCount - lite.inflightCount - lite.readyAgainCount;
      inflightCount += lite.inflightCount;
      readyAgain += lite.readyAgainCount;
      waitingReceives += core.lite.find(group.uid, topic.uid)?.waitingCount ?? 0;
    }
    result.push({
      group: group.name,
      topic: topic.name,
      ...subscription.counters,
      lagCount: fresh + inflightCount + readyAgain,
      inflightCount,
      readyCount: fresh + readyAgain,
      waitingReceives,
    });
  }
  return result;
}
