import { delay } from '@orbitmq/base';
import type { GroupQueue, LiteTopic } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import type { Subscription } from './subscription.ts';

/** Lite topics that are looked at before others have their turn: a few milliseconds. */
const STEP_COUNT = 2_000;
/** Between two steps, and from the end of a look to the begin of the next. Milliseconds. */
const STEP_PAUSE_MS = 20;
const REST_MS = 5_000;

/** How far a group is behind with lite topics of a parent. */
export interface LiteStanding {
  readonly liteTopicCount: number;
  readonly lagCount: number;
  readonly inflightCount: number;
  /** Handed out before, and to be handed out again. */
  readonly readyAgainCount: number;
}

/**
 * Sums over the lite topics that a group has begun, and those that its clients have named, or all when one takes all.
 * @param visit called for each
 */
export function liteStanding(
  core: ShardCore,
  groupUid: number,
  topicUid: number,
  visit?: (liteTopic: LiteTopic, lagCount: number) => void,
): LiteStanding {
  const steps = lookAt(core, groupUid, topicUid, visit);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** As `liteStanding`, in steps of which each is short. What changes meanwhile may be counted or not. */
function* lookAt(
  core: ShardCore,
  groupUid: number,
  topicUid: number,
  visit: (liteTopic: LiteTopic, lagCount: number) => void = () => {},
): Generator<undefined, LiteStanding> {
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
  let looked = 0;
  const readers = core.lite.find(groupUid, topicUid);
  if (readers?.takesAll === true) {
    // by name: in the order of their messages they change places
    for (const name of liteTopics.names(topicUid)) {
      const liteTopic = liteTopics.find(topicUid, name)!;
      look(liteTopic, begun.get(liteTopic.uid));
      if (++looked % STEP_COUNT === 0) yield;
    }
  } else {
    for (const held of begun.values()) {
      const liteTopic = liteTopics.get(held.queueUid);
      if (liteTopic?.topicUid === topicUid) look(liteTopic, held);
      if (++looked % STEP_COUNT === 0) yield;
    }
    for (const name of readers?.names() ?? []) {
      const liteTopic = liteTopics.find(topicUid, name);
      if (liteTopic !== undefined && !begun.has(liteTopic.uid)) look(liteTopic, undefined);
      if (++looked % STEP_COUNT === 0) yield;
    }
  }
  return { liteTopicCount, lagCount: fresh + inflightCount + readyAgainCount, inflightCount, readyAgainCount };
}

/**
 * How groups stand to lite topics, for those who ask every few seconds: exact while there are few, and what the last look
 * has found while there are very many. Looks go in short steps, one group after the other, and rest in between.
 */
export class LiteStandings {
  readonly #core: ShardCore;
  readonly #found = new WeakMap<Subscription, { readonly atMs: number; readonly standing: LiteStanding }>();
  readonly #wanted = new Set<Subscription>();
  #isLooking = false;

  constructor(core: ShardCore) {
    this.#core = core;
  }

  of(subscription: Subscription): LiteStanding {
    const { clock, state } = this.#core;
    const { groupUid, topicUid } = subscription;
    const count = state.metadata.liteTopics.countOf(topicUid);
    const found = this.#found.get(subscription);
    if (count <= STEP_COUNT || found === undefined) {
      const standing = liteStanding(this.#core, groupUid, topicUid);
      this.#found.set(subscription, { atMs: clock.monotonicMs(), standing });
      return standing;
    }
    if (clock.monotonicMs() - found.atMs >= REST_MS) this.#want(subscription);
    return found.standing;
  }

  #want(subscription: Subscription): void {
    this.#wanted.add(subscription);
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#look();
  }

  async #look(): Promise<void> {
    const { clock } = this.#core;
    for (const subscription of this.#wanted) {
      this.#wanted.delete(subscription);
      const steps = lookAt(this.#core, subscription.groupUid, subscription.topicUid);
      for (;;) {
        await delay(clock, STEP_PAUSE_MS);
        if (this.#core.isStopping) return;
        const { done, value } = steps.next();
        if (done !== true) continue;
        this.#found.set(subscription, { atMs: clock.monotonicMs(), standing: value });
        break;
      }
    }
    this.#isLooking = false;
  }
}
