import { MINUTE_MS, SECOND_MS, systemClock } from '@orbitmq/base';
import { VERSION } from '@orbitmq/runtime';
import type { OpenedShard } from '@orbitmq/shard';
import type { TopicCopy } from '@orbitmq/views';
import { Rates, type Totals } from './rates.ts';

/** Messages stored and delivered by a shard since its process began. */
function totalsOf(shard: OpenedShard): Totals {
  const { sentCount, deliveredCount } = shard.totals();
  return { sent: sentCount, delivered: deliveredCount };
}

/** The running state of a broker, by the keys that `mqadmin brokerStatus` shows. */
export class BrokerStatusReport {
  readonly #shard: OpenedShard;
  readonly #startedMs: number;
  readonly #rates: Rates;

  constructor(shard: OpenedShard, startedMs: number) {
    this.#shard = shard;
    this.#startedMs = startedMs;
    this.#rates = new Rates(systemClock, () => totalsOf(shard));
  }

  start(): void {
    this.#rates.start();
  }

  stop(): void {
    this.#rates.stop();
  }

  entries(): [string, string][] {
    const shard = this.#shard;
    const statistics = shard.statistics();
    const totals = totalsOf(shard);
    const [short, long] = [this.#rates.over(10 * SECOND_MS), this.#rates.over(MINUTE_MS)];
    const tps = (kind: keyof Totals): string => `${short[kind].toFixed(2)} ${long[kind].toFixed(2)}`;
    return [
      ...processEntries('MASTER', this.#startedMs),
      ['putTps', tps('sent')],
      ['getTransferredTps', tps('delivered')],
      ['msgPutTotalSinceStart', String(totals.sent)],
      ['msgGetTotalSinceStart', String(totals.delivered)],
      ['commitLogMinOffset', String(statistics.logStartOffset)],
      ['commitLogMaxOffset', String(statistics.logEndOffset)],
      ['commitLogDiskRatio', statistics.diskUsedRatio.toFixed(4)],
      ['dispatchBehindBytes', '0'],
      ['remainHowManyDataToFlush', `${statistics.logEndOffset - statistics.logFlushedOffset} B`],
      ['outstandingMessages', String(statistics.outstandingCount)],
      ['waitingReceives', String(statistics.waitingReceives)],
      ['sendsRefused', shard.drainRefusal?.message ?? shard.sendRefusal ?? 'false'],
      ['draining', String(shard.metadata.standing.drain !== undefined)],
      ['topicCopy', describeTopicCopy(shard.metadata.standing.topicCopy)],
      ['recoveryCutBytes', String(shard.recovery.cutBytes)],
    ];
  }
}

/** What is told of a member whether it leads or not. */
export function processEntries(role: 'MASTER' | 'SLAVE', startedMs: number): [string, string][] {
  return [
    ['brokerVersionDesc', VERSION],
    ['brokerActive', String(role === 'MASTER')],
    ['role', role],
    ['bootTimestamp', String(startedMs)],
    ['currentTimestamp', String(Math.floor(systemClock.wallMs()))],
    ['runtime', describeDuration(systemClock.wallMs() - startedMs)],
    ['residentMemoryBytes', String(process.memoryUsage.rss())],
  ];
}

/** What the shard took over of topics and groups that its cluster had before it. */
function describeTopicCopy(copy: TopicCopy | undefined): string {
  if (copy === undefined) return 'none';
  return copy.endMs === undefined ? 'pending' : 'done';
}

function describeDuration(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / SECOND_MS));
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  return `[ ${days} days, ${hours} hours, ${minutes} minutes, ${seconds % 60} seconds ]`;
}
