import type { Group, GroupQueue, LiteTopic, Topic } from '@orbitmq/views';
import type { QueueProgress } from './common-types.ts';
import type { ShardCore } from './core.ts';
import type { LiteGroupLag, LiteLag, LiteTopicInfo, LiteTopicPage } from './lite-shard.ts';
import { queueProgress } from './queue-progress.ts';

/** How far a group is behind with lite topics of a parent. */
export interface LiteStanding {
  readonly liteTopicCount: number;
  readonly lagCount: number;
  readonly inflightCount: number;
  /** Handed out before, and to be handed out again. */
  readonly readyAgainCount: number;
}

/** Says what lite topics there are and how groups stand to them. */
export class LiteOverview {
  readonly #core: ShardCore;

  constructor(core: ShardCore) {
    this.#core = core;
  }

  count(topic: Topic | undefined): number {
    const { liteTopics } = this.#core.state.metadata;
    return topic === undefined ? liteTopics.count : liteTopics.countOf(topic.uid);
  }

  info(topic: Topic, name: string): LiteTopicInfo | undefined {
    const liteTopic = this.#core.state.metadata.liteTopics.find(topic.uid, name);
    return liteTopic === undefined ? undefined : this.#infoOf(liteTopic);
  }

  page(topic: Topic, after: string, countMax: number): LiteTopicPage {
    const { liteTopics } = this.#core.state.metadata;
    const names = firstBehind(liteTopics.names(topic.uid), after, countMax + 1);
    return {
      liteTopics: names.slice(0, countMax).map((name) => this.#infoOf(liteTopics.find(topic.uid, name)!)),
      more: names.length > countMax,
    };
  }

  progress(group: Group, topic: Topic, name: string): QueueProgress | undefined {
    const liteTopic = this.#core.state.metadata.liteTopics.find(topic.uid, name);
    return liteTopic === undefined ? undefined : queueProgress(this.#core.state, group, liteTopic);
  }

  lag(group: Group, topic: Topic, topCount: number): LiteGroupLag {
    const all: LiteLag[] = [];
    const { liteTopicCount, lagCount, inflightCount } = liteStanding(
      this.#core,
      group.uid,
      topic.uid,
      ({ name }, each) => {
        if (each > 0 && topCount > 0) all.push({ liteTopic: name, lagCount: each });
      },
    );
    all.sort((a, b) => b.lagCount - a.lagCount || (a.liteTopic < b.liteTopic ? -1 : 1));
    const readyCount = lagCount - inflightCount;
    return { liteTopicCount, lagCount, inflightCount, readyCount, top: all.slice(0, topCount) };
  }

  #infoOf(liteTopic: LiteTopic): LiteTopicInfo {
    const { minOffset, nextOffset } = this.#core.state.index.queue(liteTopic.uid)!;
    const { name, id, lastSentMs } = liteTopic;
    return { liteTopic: name, queueId: id, minOffset, maxOffset: nextOffset, lastSentMs };
  }
}

/**
 * Sums over the lite topics that a group has begun, and those that its clients have named, or all when one takes all.
 * @param visit called for each
 */
export function liteStanding(
  core: ShardCore,
  groupUid: number,
  topicUid: number,
  visit: (liteTopic: LiteTopic, lagCount: number) => void = () => {},
): LiteStanding {
  const { metadata, progress, index } = core.state;
  const { liteTopics } = metadata;
  let [liteTopicCount, fresh, inflightCount, readyAgainCount] = [0, 0, 0, 0];
  const begun = progress.queuesOf(groupUid);
  const look = (liteTopic: LiteTopic, held: GroupQueue | undefined): void => {
    const { minOffset, visibleOffset } = index.queue(liteTopic.uid)!;
    const newCount = Math.max(0, visibleOffset - Math.max(held?.nextOffset ?? 0, minOffset));
    liteTopicCount++;
    fresh += newCount;
    inflightCount += held?.leasedCount ?? 0;
    readyAgainCount += held?.readyCount ?? 0;
    visit(liteTopic, newCount + (held?.count ?? 0));
  };
  const readers = core.lite.find(groupUid, topicUid);
  if (readers?.takesAll === true) {
    for (const liteTopic of liteTopics.of(topicUid)) look(liteTopic, begun.get(liteTopic.uid));
  } else {
    for (const held of begun.values()) {
      const liteTopic = liteTopics.get(held.queueUid);
      if (liteTopic?.topicUid === topicUid) look(liteTopic, held);
    }
    for (const name of readers?.names() ?? []) {
      const liteTopic = liteTopics.find(topicUid, name);
      if (liteTopic !== undefined && !begun.has(liteTopic.uid)) look(liteTopic, undefined);
    }
  }
  return { liteTopicCount, lagCount: fresh + inflightCount + readyAgainCount, inflightCount, readyAgainCount };
}

/** The first names behind one, in order, without sorting them all for each page. */
function firstBehind(names: Iterable<string>, after: string, countMax: number): string[] {
  let found: string[] = [];
  for (const name of names) {
    if (name <= after) continue;
    found.push(name);
    if (found.length >= countMax * 2 + SORTED_AT_LEAST) found = found.sort(inOrder).slice(0, countMax);
  }
  return found.sort(inOrder).slice(0, countMax);
}

const SORTED_AT_LEAST = 1000;

function inOrder(a: string, b: string): number {
  return a < b ? -1 : 1;
}
