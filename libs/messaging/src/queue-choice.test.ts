import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import type { Topic } from '@orbitmq/views';
import fc from 'fast-check';
import { queueOfMessageGroup, queueOfPriority, RoundRobin } from './queue-choice.ts';

test('a message group has one queue, and keeps it or moves to the new one when a queue is added', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 1_000 }), (messageGroup, queueCount) => {
      const queueId = queueOfMessageGroup(messageGroup, queueCount);
      assert.ok(Number.isInteger(queueId) && queueId >= 0 && queueId < queueCount);
      assert.equal(queueOfMessageGroup(messageGroup, queueCount), queueId);
      const grown = queueOfMessageGroup(messageGroup, queueCount + 1);
      assert.ok(grown === queueId || grown === queueCount);
    }),
  );
});

test('a priority has the queue of its number, and the last one when there is none', () => {
  assert.deepEqual(
    [0, 1, 6, 7, 8, 2 ** 31 - 1].map((priority) => queueOfPriority(priority, 8)),
    [0, 1, 6, 7, 7, 7],
  );
  assert.equal(queueOfPriority(5, 1), 0);
});

test('message groups spread over all queues', () => {
  const counts = new Array<number>(8).fill(0);
  for (let index = 0; index < 8_000; index++) counts[queueOfMessageGroup(`order-${index}`, 8)]!++;
  for (const count of counts) assert.ok(count > 800 && count < 1_200, counts.join(' '));
});

test('the queue of a message group never changes between versions', () => {
  assert.deepEqual(
    ['a', 'b', 'order-1', 'order-2', 'größe', '订单'].map((group) => queueOfMessageGroup(group, 8)),
    [1, 1, 2, 1, 0, 7],
  );
});

test('messages without a group go round', () => {
  const robin = new RoundRobin(seededRandom(7));
  const topic = { writeQueueCount: 3 } as Topic;
  const single = { writeQueueCount: 1 } as Topic;
  const seen = Array.from({ length: 6 }, () => [robin.next(topic), robin.next(single)] as const);
  const first = seen[0]![0];
  assert.deepEqual(
    seen.map(([queueId]) => queueId),
    Array.from({ length: 6 }, (_, index) => (first + index) % 3),
  );
  assert.ok(seen.every(([, queueId]) => queueId === 0));
});
