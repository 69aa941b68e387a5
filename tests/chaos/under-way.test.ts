import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { AdminClient } from '@orbitmq/client';
import { Code, type Message } from '@orbitmq/protocol/apache.rocketmq.v2';
import { Producer } from 'rocketmq-client-nodejs';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { ElectedShard } from './elected-shard.ts';
import { History } from './history.ts';

const PATIENCE_MS = 60_000;
const HELD = { topic: 'held', group: 'holders', brokerName: 'broker-a', invisibleMs: 60_000 };
const TIMED = { topic: 'timed', group: 'timed-readers', brokerName: 'broker-a', invisibleMs: 10_000 };
const DEALS = { topic: 'deals', group: 'deal-readers', brokerName: 'broker-a', invisibleMs: 10_000 };
const SILENT = { debug() {}, info() {}, warn() {}, error() {}, close() {} };
const COMMIT = 1;
const UNKNOWN = 0;
const TIMERS = 20;
const VISIBLE_AGAIN_MS = 10_000;

describe('what is under way when a master is killed', () => {
  it('goes on under the next one: leases, progress, timers and open transactions', async () => {
    await using shard = await ElectedShard.start({ transactionTimeOut: 1_000, transactionCheckInterval: 1_000 });
    using client = new MessagingClient(shard.cluster.nameServers[0]!.endpoint, 'application');
    const checks = [await holdLeases(client), await openTransaction(client, shard), await planTimers(client)];
    await killMaster(shard);
    await Promise.all(checks.map((check) => check()));
  });
});

/** Receipt handles settle with the next master, and what is acknowledged stays so. */
async function holdLeases(client: MessagingClient): Promise<() => Promise<void>> {
  for (let index = 0; index < 10; index++) await client.send({ topic: HELD.topic, body: Buffer.from(`${index}`) });
  const held: Message[] = [];
  while (held.length < 10) held.push(...(await client.receiveMessages(HELD)));
  const handles = held.map(({ systemProperties }) => systemProperties!.receiptHandle!);
  for (const handle of handles.slice(0, 5)) await ack(client, handle);
  return async () => {
    for (const handle of handles.slice(5, 9)) await ack(client, handle);
    // The last one is given back: it alone comes again, when it is visible again.
    const [givenBackMs] = await until(async () => {
      const askedMs = performance.now();
      const { status } = await client.changeInvisible(HELD.topic, HELD.group, handles[9]!, VISIBLE_AGAIN_MS);
      return status?.code === Code.OK ? [askedMs] : [];
    });
    const again = await until(() => client.receiveMessages(HELD));
    assert.ok(performance.now() - givenBackMs! >= VISIBLE_AGAIN_MS, 'it came while it was invisible');
    assert.deepEqual(again.map(textOf), held.slice(9).map(textOf));
    assert.equal(again[0]!.systemProperties!.deliveryAttempt, 2);
  };
}

/** Timed messages come once, and not early. */
async function planTimers(client: MessagingClient): Promise<() => Promise<void>> {
  const history = new History([TIMED.group]);
  for (let index = 0; index < TIMERS; index++) {
    assert.ok(await history.sendTimed(client, TIMED, `timed-${index}`, 1_000 + index * 300, false));
  }
  return async () => {
    await until(async () => {
      await history.receive(client, TIMED);
      return history.missing().length === 0 ? [true] : [];
    });
    await history.receive(client, TIMED);
    assert.deepEqual(history.broken(), []);
    assert.equal(history.countOf('recv', 'ok'), TIMERS);
  };
}

/** A half message is checked, and committed. */
async function openTransaction(client: MessagingClient, shard: ElectedShard): Promise<() => Promise<void>> {
  await makeTransactional(shard);
  const asked: string[] = [];
  let resolution = UNKNOWN;
  const checker = {
    check: (message: { readonly messageId: string }) => {
      asked.push(message.messageId);
      return Promise.resolve(resolution as never);
    },
  };
  const endpoints = shard.cluster.accessPoint;
  const producer = new Producer({ endpoints, namespace: '', topic: DEALS.topic, logger: SILENT, checker });
  await producer.startup();
  await producer.send({ topic: DEALS.topic, body: Buffer.from('deal') }, producer.beginTransaction());
  return async () => {
    resolution = COMMIT;
    try {
      const [message] = await until(() => client.receiveMessages(DEALS));
      assert.equal(textOf(message!), 'deal');
      assert.ok(asked.includes(message!.systemProperties!.messageId), 'committed without a check');
    } finally {
      await producer.shutdown();
    }
  };
}

function textOf({ body }: Message): string {
  return Buffer.from(body).toString();
}

/** Acknowledges until that is certain. */
async function ack(client: MessagingClient, handle: string): Promise<void> {
  await until(async () => ((await client.ack(HELD.topic, HELD.group, handle)).status?.code === Code.OK ? [true] : []));
}

/** Kills whoever leads, waits until another member does, and starts the killed one again. */
async function killMaster(shard: ElectedShard): Promise<void> {
  await shard.allInSync();
  const { leader, epoch } = await shard.tenure();
  await leader.kill();
  await shard.leader(epoch, shard.others(leader));
  leader.start();
  await leader.waitReady();
}

/** What is found first, asked for again and again; failures of calls are passed over, as an application does. */
async function until<Found>(find: () => Promise<readonly Found[]>): Promise<readonly Found[]> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await find().catch(() => []);
    if (found.length > 0) return found;
    assert.ok(performance.now() < endMs, `nothing came for ${PATIENCE_MS} ms`);
    await pause(50);
  }
}

async function makeTransactional(shard: ElectedShard): Promise<void> {
  const admin = new AdminClient({ address: `127.0.0.1:${(await shard.leader()).adminPort}` });
  try {
    const attributesPut = new Map([['message.type', 'TRANSACTION']]);
    await admin.putTopic({ name: DEALS.topic, attributesPut, attributesRemoved: [] });
  } finally {
    admin.close();
  }
}
