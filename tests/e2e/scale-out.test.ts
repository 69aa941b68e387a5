import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { bundleApps } from '@orbitmq/tools';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { waitUntil } from '../interop/child.ts';
import { MessagingClient } from './messaging-client.ts';
import { mqadmin } from './mqadmin-tool.ts';

describe('topics are declared, and spread to new brokers', () => {
  let cluster: Cluster;
  let directory: string;
  let [first, ...later]: Member[] = [];
  before(async () => {
    await bundleApps(['mqadmin']);
    cluster = await startCluster({ brokerCount: 3 });
    directory = cluster.directory;
    [first, ...later] = cluster.brokers as [Member, ...Member[]];
    for (const broker of later) {
      await broker.kill();
      rmSync(broker.dataDirectory, { recursive: true });
    }
  });
  after(() => cluster.stop());

  const succeed = async (...args: string[]) => {
    const { code, stdout, stderr } = await mqadmin([...args, '-n', cluster.namesrvAddr]);
    assert.equal(code, 0, `mqadmin ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  const isLogged = (broker: Member, text: string): boolean => broker.logLines().some(({ msg }) => msg === text);

  it('new brokers make the topics and groups of a cluster, once', async () => {
    await succeed(
      'updateTopic',
      '-b',
      'broker-a',
      '-t',
      'orders',
      '-r',
      '4',
      '-w',
      '4',
      '-a',
      '+message.type=FIFO,+reserve.time=3600000',
    );
    await succeed('updateSubGroup', '-b', 'broker-a', '-g', 'billing', '-o', 'true', '-r', '3');
    for (const broker of later) broker.start();
    await Promise.all(later.map((broker) => broker.waitReady()));
    await cluster.waitForRoutes();
    using client = new MessagingClient(cluster.nameServers[0]!.endpoint);
    const holders = async (): Promise<string[]> => {
      const { messageQueues } = await client.queryRoute('orders');
      return [...new Set(messageQueues.map(({ broker }) => broker!.name))].sort();
    };
    await waitUntil('all brokers hold the topic', 60_000, async () => (await holders()).length === 3);
    assert.equal((await client.queryRoute('orders')).messageQueues.length, 12);
    await waitUntil('the groups are there, too', 10_000, async () => {
      const shown = await succeed('getConsumerConfig', '-g', 'billing');
      return shown.match(/broker-[abc] +true +true +3 /g)?.length === 3;
    });
    for (const broker of later) {
      const pending = (): Promise<number> => broker.metric('orbitmq_node_topic_copy_pending');
      await waitUntil('the copy is stored as done', 10_000, async () => (await pending()) === 0);
      assert.match(await succeed('brokerStatus', '-b', broker.name), /topicCopy +: done/);
    }
    await succeed('deleteTopic', '-c', 'DefaultCluster', '-t', 'orders');
    await succeed('updateTopic', '-b', 'broker-a', '-t', 'orders');
    for (const broker of later) await broker.restart();
    await cluster.waitForRoutes();
    assert.deepEqual(await holders(), ['broker-a'], 'what was taken from a broker does not come back to it');
  });

  it('a file says what is to be there, from the start and whenever it changes', async () => {
    const path = join(directory, 'topics.json');
    const declare = (value: unknown): void => writeFileSync(path, JSON.stringify(value));
    declare({ topics: [{ name: 'declared', queueNum: 4, perm: 5 }], groups: [{ name: 'readers', retryMaxTimes: -1 }] });
    writeFileSync(join(directory, `${first!.name}.properties`), `provisionFile=${path}\n`, { flag: 'a' });
    await first!.stop();
    first!.start();
    await waitUntil('it ends', 20_000, () => !first!.running);
    const text = first!.log();
    assert.match(text, /provisionFile: the configuration has 3 problems:/);
    assert.match(text, /topics\[0\] \("declared"\): there is no key "queueNum"; did you mean queueNums\?/);
    declare({ topics: [{ name: 'declared', queueNums: 4 }], groups: [{ name: 'readers' }] });
    first!.start();
    await first!.waitReady();
    await cluster.waitForRoutes();
    assert.match(await succeed('topicStatus', '-t', 'declared'), /broker-a +3 /);
    declare({ topics: [{ name: 'declared', queueNums: 6 }] });
    await waitUntil('it is altered', 20_000, async () => / 5 /.test(await succeed('topicStatus', '-t', 'declared')));
    writeFileSync(path, '{');
    await waitUntil('the mistake is told', 20_000, () =>
      isLogged(first!, 'the provision file can not be used; what it said before stays in force'),
    );
    assert.equal(await first!.metric('orbitmq_provision_file_refused'), 1);
    assert.match(await succeed('getConsumerConfig', '-g', 'readers'), /broker-a/, 'nothing is deleted');
  });
});
