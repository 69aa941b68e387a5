import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { appCommand, bundleApps } from '@orbitmq/tools';
import { type Cluster, startCluster } from '../cluster.ts';
import { waitUntil } from '../interop/child.ts';
import { MessagingClient } from './messaging-client.ts';

const GROUP = 'payers';
const DEAD = `%DLQ%${GROUP}`;

describe('dead letters of a running cluster', () => {
  let cluster: Cluster;
  before(async () => {
    await bundleApps(['mqadmin']);
    cluster = await startCluster({ nameServerCount: 1, brokerCount: 2 });
  });
  after(() => cluster.stop());

  const mqadmin = async (...args: string[]): Promise<string> => {
    const [program, ...rest] = appCommand('mqadmin', 'bundle');
    const { stdout } = await promisify(execFile)(program!, [...rest, ...args, '-n', cluster.namesrvAddr], {
      timeout: 30_000,
    });
    return stdout;
  };

  it('are made through the relay, read from %DLQ%, listed, handed back once, and counted', async () => {
    const topic = 'payments';
    await mqadmin('updateTopic', '-c', 'DefaultCluster', '-t', topic);
    await mqadmin('updateSubGroup', '-c', 'DefaultCluster', '-g', GROUP, '-r', '1');
    const [broker] = cluster.brokers;
    const brokerName = broker!.name;
    using direct = new MessagingClient(broker!.endpoint);
    using relay = new MessagingClient(cluster.nameServers[0]!.endpoint);
    for (const id of ['p1', 'p2']) {
      const sent = await direct.send({ topic, messageId: id, keys: [`key-${id}`], body: Buffer.from(`paid ${id}`) });
      assert.equal(sent.status?.code, Code.OK, sent.status?.message);
    }
    const place = { topic, group: GROUP, brokerName };
    const taken = await waitForMessages(() => direct.receiveMessages(place), 2);
    for (const { systemProperties } of taken) {
      const { status } = await relay.forwardToDeadLetters(topic, GROUP, systemProperties!.receiptHandle!);
      assert.equal(status?.code, Code.OK, status?.message);
    }
    assert.deepEqual(taken.map(({ systemProperties }) => systemProperties!.messageId).sort(), ['p1', 'p2']);
    const letters = await waitForMessages(
      () => direct.receiveMessages({ topic: DEAD, group: 'auditors', brokerName }),
      2,
    );
    assert.deepEqual(
      letters.map(({ systemProperties, body }) => [systemProperties!.deadLetterQueue, Buffer.from(body).toString()]),
      // Queues take turns, so the one sent first need not be the one taken first.
      taken.map(({ systemProperties }) => {
        const { messageId } = systemProperties!;
        return [{ topic, messageId }, `paid ${messageId}`];
      }),
    );
    await waitUntil('the topic is listed', 5_000, async () => (await mqadmin('topicList')).split('\n').includes(DEAD));
    assert.equal(await broker!.metric('rocketmq_send_to_dlq_messages_total', `consumer_group="${GROUP}"`), 2);

    const dry = await mqadmin('redriveDLQ', '-g', GROUP, '--dry-run');
    assert.match(dry, /2 of 2 dead letters would be redriven/);
    const one = await mqadmin('redriveDLQ', '-g', GROUP, '-k', 'key-p2', '--rate', '10');
    assert.match(one, /p2 +payments .* redriven/);
    assert.match(one, /1 of 1 dead letters redriven/);
    const [again] = await waitForMessages(() => direct.receiveMessages(place), 1);
    assert.deepEqual([again!.systemProperties!.messageId, again!.systemProperties!.deliveryAttempt], ['p2', 1]);
    assert.equal(again!.topic?.name, topic);
    await direct.ack(topic, GROUP, again!.systemProperties!.receiptHandle!);
    assert.match(await mqadmin('redriveDLQ', '-g', GROUP), /1 of 1 dead letters redriven/);
    assert.match(await mqadmin('redriveDLQ', '-g', GROUP), /0 of 0 dead letters redriven/);
    await assert.rejects(mqadmin('redriveDLQ', '-g', 'nobody'), /no broker has dead letters .*"nobody"/);
  });
});

async function waitForMessages<Item>(receive: () => Promise<readonly Item[]>, count: number): Promise<Item[]> {
  const items: Item[] = [];
  await waitUntil(`${count} messages`, 20_000, async () => {
    items.push(...(await receive()));
    return items.length >= count;
  });
  return items;
}
