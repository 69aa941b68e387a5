import { javaStringHash, type Random } from '@orbitmq/base';
import type { Topic } from '@orbitmq/views';

const TWO_POW_32 = 2 ** 32;

/**
 * Queue of a message group: jump consistent hashing (Lamping and Veach) of its Java string hash, so that of n queues
 * only the n-th part of the groups moves when one more is added. The same on every broker and for every language.
 * @param queueCount ≥ 1
 */
export function queueOfMessageGroup(messageGroup: string, queueCount: number): number {
  let state = javaStringHash(messageGroup);
  let queue = 0;
  for (let jump = 0; jump < queueCount; ) {
    queue = jump;
    // the next number of a generator seeded by the hash, 0 < n ≤ 1 (mulberry32)
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    const fraction = (((mixed ^ (mixed >>> 14)) >>> 0) + 1) / TWO_POW_32;
    jump = Math.floor((queue + 1) / fraction);
  }
  return queue;
}

/**
 * Queue of a priority, 0 or more: each has its own, as far as there are queues; all higher ones share the last.
 * @param queueCount ≥ 1
 */
export function queueOfPriority(priority: number, queueCount: number): number {
  return Math.min(priority, queueCount - 1);
}

/** Spreads messages without a message group over the queues of their topic, one after the other. */
export class RoundRobin {
  private readonly nextQueue = new WeakMap<Topic, { value: number }>();
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  next(topic: Topic): number {
    let next = this.nextQueue.get(topic);
    if (!next) {
      next = { value: this.random.below(topic.writeQueueCount) };
      this.nextQueue.set(topic, next);
    }
    const queueId = next.value;
    next.value = queueId + 1 < topic.writeQueueCount ? queueId + 1 : 0;
    return queueId;
  }
}
