import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Topic, TopicType } from '@orbitmq/protocol/orbitmq.route.v1';
import fc from 'fast-check';
import { TopicCatalog } from './topic-catalog.ts';

function topicOf(name: string, queueCount = 4): Topic {
  const counts = { readQueueCount: queueCount, writeQueueCount: queueCount };
  return { name, ...counts, permission: 6, type: TopicType.TOPIC_TYPE_NORMAL, autoCreated: false };
}

describe('TopicCatalog', () => {
  it('tells what has changed, and raises its version only then', () => {
    const catalog = new TopicCatalog();
    assert.deepEqual(catalog.refresh([topicOf('a'), topicOf('b')]), ['a', 'b']);
    assert.equal(catalog.version, 1n);
    assert.deepEqual(catalog.refresh([topicOf('a'), topicOf('b')]), []);
    assert.equal(catalog.version, 1n);
    assert.deepEqual(catalog.refresh([topicOf('a', 8), topicOf('c')]), ['a', 'c', 'b']);
    assert.equal(catalog.version, 2n);
  });

  it('tells everything in chunks, the last one marked, also when there is nothing', () => {
    const catalog = new TopicCatalog();
    catalog.refresh(Array.from({ length: 2500 }, (_, index) => topicOf(`t${index}`)));
    const chunks = catalog.all().map(({ topics }) => topics!);
    assert.deepEqual(
      chunks.map(({ put, more }) => [put.length, more]),
      [
        [1000, true],
        [1000, true],
        [500, false],
      ],
    );
    const [nothing, ...rest] = new TopicCatalog().all();
    assert.deepEqual([nothing?.topics?.put, nothing?.topics?.more, rest.length], [[], false, 0]);
  });

  it('brings a copy to the same state by changes as by telling everything', () => {
    const state = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: 1, max: 3 }));
    fc.assert(
      fc.property(fc.array(state, { maxLength: 8 }), (states) => {
        const catalog = new TopicCatalog();
        const copy = new Map<string, number>();
        let version = catalog.version;
        for (const each of states) {
          const names = catalog.refresh(Object.entries(each).map(([name, count]) => topicOf(name, count)));
          if (names.length === 0) continue;
          for (const { topics } of catalog.changes(names, version)) {
            assert.equal(topics!.versionBefore, version);
            for (const name of topics!.removed) copy.delete(name);
            for (const topic of topics!.put) copy.set(topic.name, topic.readQueueCount);
          }
          version = catalog.version;
          assert.deepEqual(Object.fromEntries(copy), { ...each });
        }
      }),
    );
  });
});
