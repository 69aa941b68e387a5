import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { openShard } from '@orbitmq/shard';
import { SimClock } from '@orbitmq/testkit';
import { memoryVfs } from '@orbitmq/vfs';
import { GROUP_DEFAULTS } from './group-defaults.ts';
import { ProvisionFile } from './provision-file.ts';

test('a provision file counts from the start of a tenure, when it changes, and never when it can not be used', async () => {
  const clock = new SimClock();
  const errors: string[] = [];
  const error = (_fields: unknown, message: string): void => void errors.push(message);
  const logger: Logger = { child: () => logger, debug() {}, info() {}, warn() {}, error };
  const options = { log: { flushDiskType: 'ASYNC_FLUSH', segmentSizeBytes: 1 << 22 } } as const;
  const parts = { vfs: memoryVfs(), clock, random: seededRandom(1), logger, defer: setImmediate };
  const shard = await clock.settle(openShard({ ...parts, directory: '/store', options }));
  let text: string | undefined = '{"topics": [{"nam": "one"}]}';
  const file = new ProvisionFile({
    path: '/etc/topics.json',
    read: async () => text,
    groupDefaults: GROUP_DEFAULTS,
    clock,
    logger,
    onFatal: (failure) => {
      throw failure;
    },
  });
  const topics = (): string[] => [...shard.metadata.topics()].map(({ name }) => name).sort();
  assert.match(
    (await file.load()).join(),
    /^\/etc\/topics.json: topics\[0\]: there is no key "nam"; did you mean name\?/,
  );
  text = '{"topics": [{"name": "one"}]}';
  assert.deepEqual(await file.load(), []);
  await file.start();
  file.begin(shard);
  assert.deepEqual(topics(), ['one'], 'before anybody is served');
  text = '{"topics": [{"name": "one", "queueNums": 3}, {"name": "two"}], "groups": [{"name": "g"}]}';
  await clock.advance(2_000);
  assert.deepEqual([topics(), shard.metadata.topic('one')?.readQueueCount], [['one', 'two'], 3]);
  assert.notEqual(shard.metadata.group('g'), undefined);
  const { version } = shard.metadata;
  for (const bad of ['{', undefined]) {
    text = bad;
    await clock.advance(6_000);
    assert.deepEqual([file.problems.length, shard.metadata.version], [1, version]);
  }
  assert.equal(errors.length, 2, 'each is told once');
  text = '{"topics": [{"name": "three"}]}';
  await clock.advance(2_000);
  assert.deepEqual([file.problems.length, topics()], [0, ['one', 'three', 'two']], 'nothing is deleted');
  file.end();
  text = '{"topics": [{"name": "four"}]}';
  await clock.advance(2_000);
  assert.deepEqual(topics(), ['one', 'three', 'two'], 'it leads no more');
  file.begin(shard);
  assert.deepEqual(topics(), ['four', 'one', 'three', 'two']);
  await file.stop();
});
