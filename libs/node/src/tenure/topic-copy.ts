import { copiedGroupOf, copiedTopicOf, type GroupDefaults } from '@orbitmq/admin';
import { type Clock, MqError, SECOND_MS, type Timer } from '@orbitmq/base';
import { isDerivedTopic, isSystemTopic } from '@orbitmq/protocol';
import type { Topic } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { Logger } from '@orbitmq/runtime';
import type { OpenedShard } from '@orbitmq/shard';
import type { TopicCopy as Standing } from '@orbitmq/views';
import type { BrokerSettings, ClusterSettings } from './cluster-settings.ts';
import type { TenureTask } from './tenure-task.ts';

export interface TopicCopyOptions {
  readonly what: 'all' | 'unordered' | 'none';
  /** Topics and groups of the other brokers; undefined while that can't be known. */
  ask(): Promise<ClusterSettings | undefined>;
  readonly groupDefaults: GroupDefaults;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something that nobody expects happened: the process must end. */
  onFatal(error: Error): void;
}

const ASK_MS = SECOND_MS;
/** A name server that has just started knows the brokers again within this. */
const ALONE_MS = 10 * SECOND_MS;
/** Brokers that don't answer are waited for so long, as long as others do. */
const PATIENCE_MS = 30 * SECOND_MS;

/**
 * What a new shard does about the topics that its cluster has: it makes those that are spread over it, with their settings, and the
 * groups. That it is still to be done is a record of its log, so it is done once, however often it is interrupted; and a shard
 * that ever had a topic is not new.
 */
export class TopicCopy implements TenureTask {
  readonly #options: TopicCopyOptions;
  #shard: OpenedShard | undefined;
  #timer: Timer | undefined;
  #warnedOf = '';

  constructor(options: TopicCopyOptions) {
    this.#options = options;
  }

  begin(shard: OpenedShard): void {
    const { what, clock } = this.#options;
    if (what === 'none') return;
    const { standing, isNew } = shard.metadata;
    if (standing.topicCopy === undefined ? !isNew : standing.topicCopy.endMs !== undefined) return;
    this.#shard = shard;
    const begun = standing.topicCopy ?? { sinceMs: Math.floor(clock.wallMs()), endMs: undefined };
    // In the same step, so that nothing is in the log before it.
    const stored = standing.topicCopy === undefined ? shard.putStanding({ topicCopy: begun }) : Promise.resolve();
    this.#run(shard, begun, stored).catch((error: Error) => {
      if (this.#shard === shard) this.#options.onFatal(error);
    });
  }

  end(): void {
    this.#shard = undefined;
    this.#timer?.cancel();
  }

  async #run(shard: OpenedShard, begun: Standing, stored: Promise<void>): Promise<void> {
    const { clock, ask } = this.#options;
    const askedMs = clock.monotonicMs();
    // What comes later is stored no sooner than this.
    stored.catch(() => {});
    while (this.#shard === shard) {
      const cluster = await ask();
      if (this.#shard !== shard) return;
      const isEnough = cluster !== undefined && this.#isEnough(cluster, clock.monotonicMs() - askedMs);
      if (isEnough && (await this.#copy(shard, begun, cluster))) return;
      await new Promise<void>((resolve) => {
        this.#timer = clock.setTimer(ASK_MS, resolve);
      });
    }
  }

  /** What is known of the cluster is enough to go by. */
  #isEnough({ brokers, silent, hasSilentTopics }: ClusterSettings, waitedMs: number): boolean {
    const hasSources = brokers.some(({ isPassing }) => !isPassing);
    if (silent.size === 0 && hasSources) return true;
    // Nobody has anything, as when a whole cluster begins.
    if (!hasSources && !hasSilentTopics) return waitedMs >= ALONE_MS;
    if (waitedMs < PATIENCE_MS) return false;
    if (hasSources) return true;
    const reasons = [...silent].map(([name, reason]) => `${name}: ${reason}`).join('; ');
    if (reasons !== this.#warnedOf) {
      this.#options.logger.warn(
        { reasons },
        'the topics of the cluster can not be copied to this new broker yet: let it reach the admin port of another one ' +
          '(adminBindAddress), or make them with mqadmin updateTopic -c and set copyTopicsOnJoin=none',
      );
    }
    this.#warnedOf = reasons;
    return false;
  }

  /** @returns whether all of it is stored; otherwise it is to be tried again */
  async #copy(shard: OpenedShard, begun: Standing, { brokers }: ClusterSettings): Promise<boolean> {
    const { clock, logger, groupDefaults } = this.#options;
    const { metadata } = shard;
    const sources = brokers.filter(({ isPassing }) => !isPassing);
    const ageMs = clock.wallMs() - begun.sinceMs;
    const unknown: string[] = [];
    const topics = spread(sources, (source) => source.topics, ageMs)
      .filter((topic) => this.#isWanted(topic) && metadata.topic(topic.name) === undefined)
      .flatMap((topic) => readable(topic, copiedTopicOf, unknown));
    const groups = spread(sources, (source) => source.groups, ageMs)
      .filter((group) => !group.autoCreated && metadata.group(group.name) === undefined)
      .flatMap((group) => readable(group, (each) => copiedGroupOf(each, groupDefaults), unknown));
    try {
      await Promise.all([
        ...topics.map((config) => shard.putTopic(config)),
        ...groups.map((config) => shard.putGroup(config)),
      ]);
      await shard.putStanding({ topicCopy: { ...begun, endMs: Math.floor(clock.wallMs()) } });
    } catch (error) {
      if (error instanceof MqError) return false;
      throw error;
    }
    if (unknown.length > 0) logger.warn({ unknown }, 'some of the cluster could not be made on this new broker');
    if (sources.length > 0) {
      const from = sources.map(({ brokerName }) => brokerName);
      const counts = { topicCount: topics.length, groupCount: groups.length };
      logger.info({ from, ...counts }, 'this new broker holds what is spread over the cluster');
    }
    return true;
  }

  #isWanted({ name, attributes }: Topic): boolean {
    if (isSystemTopic(name) || isDerivedTopic(name)) return false;
    const messageType = attributes.get('message.type');
    return this.#options.what === 'all' || (messageType !== 'FIFO' && messageType !== 'MIXED');
  }
}

/** What this version can make; the rest is noted. */
function readable<Item extends { readonly name: string }, Config>(
  item: Item,
  configOf: (item: Item) => Config,
  unknown: string[],
): Config[] {
  try {
    return [configOf(item)];
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    unknown.push(`${item.name}: ${error.message}`);
    return [];
  }
}

/** What all sources hold and held before this shard began, as the first of them has it. */
function spread<Item extends { readonly name: string; readonly createdMs: bigint }>(
  sources: readonly BrokerSettings[],
  itemsOf: (source: BrokerSettings) => readonly Item[],
  ageMs: number,
): Item[] {
  const [first, ...others] = sources;
  if (first === undefined) return [];
  const held = others.map((source) => new Set(itemsOf(source).map(({ name }) => name)));
  // Ages, each by the clock of its own machine: clocks may differ.
  const isOlder = ({ createdMs }: Item): boolean => first.nowMs - Number(createdMs) >= ageMs;
  return itemsOf(first).filter((item) => isOlder(item) && held.every((names) => names.has(item.name)));
}
