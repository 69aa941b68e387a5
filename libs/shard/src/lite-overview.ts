import type { Group, LiteTopic, Topic } from '@orbitmq/views';
import type { QueueProgress } from './common-types.ts';
import type { ShardCore } from './core.ts';
import type { LiteGroupLag, LiteLag, LiteTopicInfo, LiteTopicPage } from './lite-shard.ts';
import { liteStanding } from './lite-standing.ts';
import { queueProgress } from './queue-progress.ts';

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
