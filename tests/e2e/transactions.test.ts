import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, it } from 'node:test';
import {
  Code,
  MessageType,
  MessagingServiceDefinition,
  type Status,
  TransactionResolution,
  TransactionSource,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { appCommand, bundleApps } from '@orbitmq/tools';
import { type Cluster, startCluster } from '../cluster.ts';
import { waitUntil } from '../interop/child.ts';
import { MessagingClient, resource } from './messaging-client.ts';

const TOPIC = 'payments';
const { COMMIT, ROLLBACK } = TransactionResolution;

interface Half {
  readonly messageId: string;
  readonly transactionId: string;
}

let cluster: Cluster;
let client: MessagingClient;
before(async () => {
  await bundleApps(['mqadmin']);
  cluster = await startCluster({ nameServerCount: 1, brokerCount: 2 });
  client = new MessagingClient(cluster.nameServers[0]!.endpoint);
  await mqadmin('updateTopic', '-c', 'DefaultCluster', '-t', TOPIC, '-a', '+message.type=TRANSACTION');
});
after(async () => {
  client[Symbol.dispose]();
  await cluster.stop();
});

function mqadmin(...args: string[]): Promise<string> {
  const [command, ...rest] = appCommand('mqadmin', 'bundle');
  return new Promise((resolve, reject) => {
    execFile(command!, [...rest, ...args, '-n', cluster.namesrvAddr], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${stdout}${stderr}`));
    });
  });
}

async function sendHalf(): Promise<Half> {
  const { status, entries } = await client.send({ topic: TOPIC, type: MessageType.TRANSACTION });
  assert.equal(status?.code, Code.OK, status?.message);
  return entries[0]!;
}

async function end({ messageId, transactionId }: Half, resolution: TransactionResolution): Promise<Status> {
  const request = {
    topic: resource(TOPIC),
    messageId,
    transactionId,
    resolution,
    source: TransactionSource.SOURCE_CLIENT,
    traceContext: '',
  };
  const options = { metadata: client.metadata, timeoutMs: 10_000 };
  return (await client.rpc.unary(MessagingServiceDefinition, 'endTransaction', request, options)).status!;
}

async function receivedIds(): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const { name } of cluster.brokers) {
    const messages = await client.receiveMessages({ topic: TOPIC, group: 'bank', brokerName: name });
    for (const { systemProperties } of messages) ids.add(systemProperties!.messageId);
  }
  return ids;
}

async function metric(pattern: RegExp): Promise<number> {
  let sum = 0;
  for (const { httpPort } of cluster.brokers) {
    const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    for (const line of text.split('\n')) if (pattern.test(line)) sum += Number(line.split(' ').at(-1));
  }
  return sum;
}

it('ends transactions through a name server, on whichever broker they are', async () => {
  const halves: Half[] = [];
  for (let index = 0; index < 6; index++) halves.push(await sendHalf());
  assert.equal(await metric(/^rocketmq_half_messages\{/), 6);
  for (const [index, half] of halves.entries()) {
    const status = await end(half, index % 2 === 0 ? COMMIT : ROLLBACK);
    assert.equal(status.code, Code.OK, status.message);
  }
  assert.equal((await end(halves[0]!, ROLLBACK)).code, Code.INVALID_TRANSACTION_ID);
  assert.equal((await end({ ...halves[0]!, transactionId: 'nonsense' }, COMMIT)).code, Code.INVALID_TRANSACTION_ID);
  const committed = halves.filter((_, index) => index % 2 === 0).map(({ messageId }) => messageId);
  const seen = new Set<string>();
  await waitUntil('what was committed', 20_000, async () => {
    for (const id of await receivedIds()) seen.add(id);
    return seen.size >= committed.length;
  });
  assert.deepEqual([...seen].sort(), committed.sort());
  assert.equal(await metric(/^rocketmq_half_messages\{/), 0);
  assert.equal(await metric(/^rocketmq_commit_messages_total\{/), 3);
  assert.equal(await metric(/^rocketmq_rollback_messages_total\{/), 3);
  assert.equal(await metric(/^rocketmq_finish_message_latency_count\{/), 3);
});

it('lets operators see and end them', async () => {
  const [first, second] = [await sendHalf(), await sendHalf()];
  const shown = await mqadmin('listTransactions', '-t', TOPIC);
  for (const { messageId } of [first, second]) assert(shown.includes(messageId), shown);
  await mqadmin('endTransaction', '-t', TOPIC, '-i', first.messageId, '-e', 'commit');
  await mqadmin('endTransaction', '-t', TOPIC, '-i', second.messageId, '-e', 'rollback');
  await assert.rejects(mqadmin('endTransaction', '-t', TOPIC, '-i', first.messageId, '-e', 'commit'), /no open/);
  assert.equal((await end(second, ROLLBACK)).code, Code.OK);
  assert.equal((await end(second, COMMIT)).code, Code.INVALID_TRANSACTION_ID);
  await waitUntil('what was committed', 20_000, async () => (await receivedIds()).has(first.messageId));
});
