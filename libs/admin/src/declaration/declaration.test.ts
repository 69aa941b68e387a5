import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { openShard } from '@orbitmq/shard';
import { SimClock } from '@orbitmq/testkit';
import { memoryVfs } from '@orbitmq/vfs';
import { applyDeclaration } from './apply-declaration.ts';
import { DeclarationError, readDeclaration } from './declaration.ts';

const DEFAULTS = { retryMaxTimes: 16, retryPolicy: { kind: 'customized', delaysMs: [1_000] } } as const;
const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };

function read(value: unknown) {
  return readDeclaration(typeof value === 'string' ? value : JSON.stringify(value), DEFAULTS);
}

function problemsOf(value: unknown): readonly string[] {
  try {
    read(value);
  } catch (error) {
    assert(error instanceof DeclarationError);
    return error.problems;
  }
  return [];
}

test('everything that is wrong is named, with the nearest known key', () => {
  const problems = problemsOf({
    topic: [],
    topics: [
      { name: 'orders', queueNum: 4, perm: 3, readQueueNums: 2000, attributes: { 'message.typ': 'FIFO' } },
      { name: 'a topic', writeQueueNums: 1.5, messageType: 'FIFA' },
      'orders',
      { name: 'orders' },
    ],
    groups: [
      { name: 'g', retryMaxTime: 3, consumeEnable: 'yes', attributes: { 'lite.bind.topik': 'x' } },
      {
        name: 'h',
        retryMaxTimes: -1,
        groupRetryPolicy: { type: 'CUSTOMIZED', customizedRetryPolicy: { next: ['1s'] } },
      },
      { name: 'i', groupRetryPolicy: { type: 'LINEAR' } },
    ],
  });
  const wanted = [
    /^the file: there is no key "topic"; did you mean topics\?$/,
    /^topics\[0\] \("orders"\): there is no key "queueNum"; did you mean queueNums\?$/,
    /^topics\[0\] \("orders"\): perm is "3"; must be 2/,
    /^topics\[0\] \("orders"\): readQueueNums is "2000"; must be 1…1024$/,
    /^topics\[0\] \("orders"\): there is no topic attribute "message.typ"; did you mean message.type\?$/,
    /^topics\[1\] \("a topic"\): a topic name consists of/,
    /^topics\[1\] \("a topic"\): writeQueueNums must be a whole number; found 1.5$/,
    /^topics\[1\] \("a topic"\): message.type is "FIFA"/,
    /^topics\[2\]: must be an object with name, queueNums/,
    /^the topic "orders" is declared twice/,
    /^groups\[0\] \("g"\): there is no key "retryMaxTime"; did you mean retryMaxTimes\?$/,
    /^groups\[0\] \("g"\): consumeEnable must be true or false; found/,
    /^groups\[0\] \("g"\): there is no group attribute "lite.bind.topik"; did you mean lite.bind.topic\?$/,
    /^groups\[1\] \("h"\): retryMaxTimes is "-1"; must be 0…1000$/,
    /^groups\[1\] \("h"\)\.groupRetryPolicy\.customizedRetryPolicy: next must be a list of whole milliseconds/,
    /^groups\[2\] \("i"\)\.groupRetryPolicy: type must be CUSTOMIZED or EXPONENTIAL; found "LINEAR"$/,
  ];
  for (const pattern of wanted) {
    assert(
      problems.some((problem) => pattern.test(problem)),
      `${pattern} in\n${problems.join('\n')}`,
    );
  }
  assert.match(problemsOf('{"topics": [}')[0]!, /^the file is no JSON: /);
  assert.match(problemsOf([])[0]!, /^the file: must be an object/);
  assert.match(problemsOf({ topics: [{}] })[0]!, /topics\[0\]: a topic name/);
  assert.match(problemsOf({ topics: [{ name: '%DLQ%g' }] })[0]!, /topics of the server/);
});

test('what is declared is made, altered where it is otherwise, and what is not declared stays', async () => {
  const clock = new SimClock();
  const shard = await openShard({
    vfs: memoryVfs(),
    clock,
    random: seededRandom(1),
    logger: SILENT,
    directory: '/store',
    options: { log: { flushDiskType: 'ASYNC_FLUSH', segmentSizeBytes: 1 << 22 } },
    defer: setImmediate,
  });
  const apply = (value: unknown) => clock.settle(applyDeclaration(shard, read(value), DEFAULTS));
  const declared = {
    topics: [
      { name: 'orders', queueNums: 4, messageType: 'FIFO', attributes: { 'reserve.time': 3_600_000 } },
      { name: 'plain' },
    ],
    groups: [
      {
        name: 'billing',
        consumeMessageOrderly: true,
        retryMaxTimes: 3,
        groupRetryPolicy: { type: 'CUSTOMIZED', customizedRetryPolicy: { next: [1_000, 5_000] } },
      },
      { name: 'other', groupRetryPolicy: { type: 'EXPONENTIAL', exponentialRetryPolicy: { initial: 10, max: 100 } } },
    ],
  };
  assert.deepEqual(await apply(declared), { createdCount: 4, alteredCount: 0, failures: [] });
  const orders = shard.metadata.topic('orders')!;
  assert.deepEqual(
    [orders.readQueueCount, orders.writeQueueCount, orders.messageType, orders.retentionMs, orders.autoCreated],
    [4, 4, 'FIFO', 3_600_000, false],
  );
  const billing = shard.metadata.group('billing')!;
  assert.deepEqual([billing.consumeMessageOrderly, billing.retryMaxTimes], [true, 3]);
  assert.deepEqual(billing.retryPolicy, { kind: 'customized', delaysMs: [1_000, 5_000] });
  const { version } = shard.metadata;
  assert.deepEqual(await apply(declared), { createdCount: 0, alteredCount: 0, failures: [] });
  assert.equal(shard.metadata.version, version, 'nothing is written where nothing changes');
  const changed = { topics: [{ name: 'orders', queueNums: 8, attributes: { 'reserve.time': null } }], groups: [] };
  assert.deepEqual(await apply(changed), { createdCount: 0, alteredCount: 1, failures: [] });
  const { readQueueCount, messageType, retentionMs } = shard.metadata.topic('orders')!;
  assert.deepEqual([readQueueCount, messageType, retentionMs], [8, 'FIFO', undefined]);
  assert.notEqual(shard.metadata.topic('plain'), undefined);
  const lite = { topics: [{ name: 'lite', messageType: 'LITE', attributes: { 'lite.topic.expiration': '60' } }] };
  await apply(lite);
  const { failures, createdCount } = await apply({ topics: [{ name: 'lite', messageType: 'FIFO' }, { name: 'last' }] });
  assert.equal(createdCount, 1);
  assert.match(failures[0]!, /^lite: lite.topic.expiration is "60"; only a topic of type LITE has it/);
});
