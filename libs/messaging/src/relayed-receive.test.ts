import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { RECEIVE_MODE_HEADER, type ReceiveMode } from '@orbitmq/protocol';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { CallOptions } from '@orbitmq/rpc';
import { as, idsOf, message, type Received, type ReceiveWish, TestBroker } from './test-broker.ts';

let broker: TestBroker;
let topic = '';
let topicNumber = 0;
before(async () => {
  broker = await TestBroker.start();
});
after(() => broker.stop());
beforeEach(async () => {
  topic = `t${topicNumber++}`;
  await broker.makeTopic(topic, 'NORMAL', 4);
});

const send = async (id: string): Promise<void> => void (await broker.send(message(id, { topic })));
const inMode = (mode: ReceiveMode, clientId = 'consumer'): CallOptions => as(clientId, { [RECEIVE_MODE_HEADER]: mode });
const take = (wish: ReceiveWish = {}, clientId?: string): Promise<Received> =>
  broker.receiveLater({ topic, ...wish }, inMode('take', clientId));
const watch = (wish: ReceiveWish = {}, clientId?: string): Promise<Received> =>
  broker.receiveLater({ topic, ...wish }, inMode('watch', clientId));
const untilWaiting = (count: number): Promise<void> =>
  broker.until(() => broker.service.gauges().waitingPolls === count);

test('a take gives what is there, and does not wait', async () => {
  assert.equal((await take()).status.code, Code.MESSAGE_NOT_FOUND);
  await send('a');
  assert.deepEqual(idsOf(await take()), ['a']);
  assert.equal((await take()).status.code, Code.MESSAGE_NOT_FOUND);
});

test('a take has the whole time of its caller, however short', async () => {
  await send('a');
  const options = { ...inMode('take'), timeoutMs: 2_000 };
  assert.deepEqual(idsOf(await broker.receiveLater({ topic }, options)), ['a']);
});

test('a watch tells that there is something, and leaves it', async () => {
  await send('a');
  for (let round = 0; round < 3; round++) {
    const seen = await watch();
    assert.deepEqual([seen.status.code, seen.messages.length], [Code.OK, 0]);
  }
  const [taken] = (await take()).messages;
  assert.equal(taken?.systemProperties?.deliveryAttempt, 1);
});

test('a watch waits until something comes', async () => {
  const watching = watch();
  await untilWaiting(1);
  await send('a');
  assert.equal((await watching).status.code, Code.OK);
  assert.deepEqual(idsOf(await take()), ['a']);
});

test('a watch waits for a topic that its first message makes', async () => {
  const watching = watch({ topic: 'watched-before-it-is' });
  await untilWaiting(1);
  await broker.send(message('first', { topic: 'watched-before-it-is' }));
  assert.equal((await watching).status.code, Code.OK);
});

test('a watch ends before its deadline, or when nobody waits for it any more', async () => {
  const options = { ...inMode('watch'), timeoutMs: 3_000 };
  const startMs = broker.clock.monotonicMs();
  const seen = await broker.run(broker.receiveLater({ topic }, options));
  assert.equal(seen.status.code, Code.MESSAGE_NOT_FOUND);
  assert.ok(broker.clock.monotonicMs() - startMs <= 3_000);
  const abort = new AbortController();
  const watching = broker.receiveLater({ topic }, { ...inMode('watch'), signal: abort.signal });
  await untilWaiting(1);
  abort.abort();
  await assert.rejects(watching);
  await untilWaiting(0);
  await send('a');
  assert.equal((await take()).messages[0]?.systemProperties?.deliveryAttempt, 1);
});

test('one message wakes one watch, and the next only when the first takes nothing', async () => {
  const [first, second] = [watch({}, 'one'), watch({}, 'two')];
  await untilWaiting(2);
  await send('a');
  const told = await Promise.race([first.then(() => 'first'), second.then(() => 'second')]);
  assert.equal(broker.service.gauges().waitingPolls, 1);
  await broker.clock.advance(150);
  await Promise.all([first, second]);
  assert.ok(told);
  assert.deepEqual(idsOf(await take()), ['a']);
});

test('both refuse what a receive refuses', async () => {
  for (const mode of ['take', 'watch'] as const) {
    const refused = await broker.run(broker.receiveLater({ topic, sql: "a = 'x' AND (" }, inMode(mode)));
    assert.equal(refused.status.code, Code.ILLEGAL_FILTER_EXPRESSION);
  }
});
