import type { Metadata } from '@orbitmq/views';
import type { Subscription } from './subscription.ts';

/**
 * Attribute of a consumer group (RocketMQ's): how many of a hundred receives of a priority topic look at the queues by
 * priority, 0…100; the others take the queues in turns, so that low priorities aren't starved. Default 100.
 */
export const PRIORITY_FACTOR = 'priority.factor';

const FACTOR_MAX = 100;

/** In which order one receive looks at queues: first index, and whether up or down from there. */
export interface QueueOrder {
  readonly first: number;
  readonly step: 1 | -1;
}

/**
 * Says which queue comes first. Queues of a topic take turns; those of a priority topic hold a priority each, and the
 * highest id, which is the highest priority, comes first. A message that is given again stands where it stood: it does
 * not overtake higher priorities.
 */
export class QueueTurns {
  readonly #metadata: Metadata;
  readonly #lowestFirst: boolean;

  /** @param lowestFirst RocketMQ's `priorityOrderAsc`: the lowest queue id of a priority topic comes first */
  constructor(metadata: Metadata, lowestFirst: boolean) {
    this.#metadata = metadata;
    this.#lowestFirst = lowestFirst;
  }

  /** @param queueCount at least 1 */
  next(subscription: Subscription, queueCount: number): QueueOrder {
    const { rotation } = subscription;
    const factor = this.#priorityFactor(subscription);
    const favoured = Math.floor((rotation * factor) / FACTOR_MAX);
    if (Math.floor(((rotation + 1) * factor) / FACTOR_MAX) > favoured) {
      return this.#lowestFirst ? { first: 0, step: 1 } : { first: queueCount - 1, step: -1 };
    }
    return { first: (rotation - favoured) % queueCount, step: 1 };
  }

  /** 0 = by turns only. */
  #priorityFactor({ topicUid, groupUid }: Subscription): number {
    if (this.#metadata.topicByUid(topicUid)?.messageType !== 'PRIORITY') return 0;
    const value = this.#metadata.groupByUid(groupUid)?.attributes.get(PRIORITY_FACTOR);
    const factor = value === undefined ? FACTOR_MAX : Number.parseInt(value, 10);
    return factor >= 0 && factor <= FACTOR_MAX ? factor : FACTOR_MAX;
  }
}
