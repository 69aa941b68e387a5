import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { appCommand, bundleApps } from '@orbitmq/tools';
import { type Cluster, startCluster } from '../cluster.ts';
import { waitUntil } from '../interop/child.ts';

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Time in which the tool must answer; the machine is shared, so it is well above what is wanted (0.3 s). */
const ANSWER_MS_MAX = 2_000;
/** The quickest of so many answers counts: what else goes on on the machine can hold up any one of them. */
const ANSWERS = 5;

describe('mqadmin against a running cluster', () => {
  let cluster: Cluster;
  before(async () => {
    await bundleApps(['mqadmin']);
    cluster = await startCluster({ nameServerCount: 2, brokerCount: 2 });
  });
  after(() => cluster.stop());

  const mqadmin = (...args: string[]) => run([...args, '-n', cluster.namesrvAddr]);
  const succeed = async (...args: string[]) => {
    const { code, stdout, stderr } = await mqadmin(...args);
    assert.equal(code, 0, `mqadmin ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };

  it('lists the brokers of the cluster', async () => {
    let tookMs = Number.POSITIVE_INFINITY;
    for (let count = 0; count < ANSWERS && tookMs >= ANSWER_MS_MAX; count++) {
      const beganMs = performance.now();
      const shown = await succeed('clusterList');
      tookMs = Math.min(tookMs, performance.now() - beganMs);
      for (const broker of cluster.brokers) assert(shown.includes(broker.name), shown);
    }
    assert(tookMs < ANSWER_MS_MAX, `it took ${tookMs} ms`);
  });

  it('makes, shows, alters and removes a topic', async () => {
    await succeed(
      'updateTopic',
      '-c',
      'DefaultCluster',
      '-t',
      'made',
      '-r',
      '4',
      '-w',
      '4',
      '-a',
      '+message.type=FIFO',
    );
    assert.match(await succeed('topicList'), /^made$/m);
    const route = await succeed('topicRoute', '-t', 'made');
    for (const broker of cluster.brokers) assert(route.includes(broker.name), route);
    await succeed('updateTopicPerm', '-t', 'made', '-p', '4');
    await succeed('deleteTopic', '-c', 'DefaultCluster', '-t', 'made');
    await waitUntil('the topic is gone', 5_000, async () => !/^made$/m.test(await succeed('topicList')));
  });

  it('sends a message, receives it and shows how far the group is', async () => {
    await succeed('updateTopic', '-c', 'DefaultCluster', '-t', 'carried');
    await succeed('sendMessage', '-t', 'carried', '-p', 'hello from mqadmin', '-c', 'tag-a', '-k', 'key-a');
    const received = await succeed('consumeMessage', '-t', 'carried', '-g', 'carriers');
    assert.match(received, /hello from mqadmin/);
    assert.match(await succeed('consumerProgress', '-g', 'carriers'), /carried/);
    assert.match(await succeed('topicStatus', '-t', 'carried'), /broker-[ab]/);

    const [closed, open] = cluster.brokers.map(({ name }) => name);
    await succeed('updateTopicPerm', '-b', closed!, '-t', 'carried', '-p', '4');
    for (const nameServer of cluster.namesrvAddr.split(';')) {
      await waitUntil('the route shows it', 5_000, async () =>
        (await run(['topicRoute', '-t', 'carried', '-n', nameServer])).stdout.includes('"perm": 4'),
      );
    }
    for (let count = 0; count < 4; count++) {
      assert.match(await succeed('sendMessage', '-t', 'carried', '-p', 'where it may'), new RegExp(`^${open} `, 'm'));
    }
    await succeed('updateTopicPerm', '-b', closed!, '-t', 'carried', '-p', '6');
  });

  it('sends a message to each broker and back, as a client that is given an access point', async () => {
    for (const { endpoint } of [...cluster.nameServers, cluster.brokers[0]!]) {
      const shown = await succeed('roundTrip', '-e', endpoint);
      for (const { name } of cluster.brokers)
        assert.match(shown, new RegExp(`^${name} +127.0.0.1:\\d+ +\\d+ +\\d+$`, 'm'));
    }
    assert.doesNotMatch(await succeed('topicList'), /round-trip/, 'what it has made for itself is gone');
    await succeed('roundTrip', '-e', cluster.nameServers[0]!.endpoint, '-t', 'trips', '-g', 'travellers', '--tls');
    const { code, stderr } = await mqadmin('roundTrip', '-e', '127.0.0.1:1', '-t', 'trips', '--timeoutSeconds', '1');
    assert.equal(code, 1);
    assert.match(stderr, /no round trip through 127.0.0.1:1: no route for "trips"/);
  });

  it('lists and cancels messages that wait for their time', async () => {
    await succeed('updateTopic', '-c', 'DefaultCluster', '-t', 'waiting', '-a', '+message.type=DELAY');
    for (const key of ['key-a', 'key-b', 'key-b']) {
      await succeed('sendMessage', '-t', 'waiting', '-p', 'later', '-k', key, '-d', '3600');
    }
    const listed = await succeed('listTimedMessages', '-t', 'waiting');
    assert.equal(listed.match(/key-/g)?.length, 3, listed);
    const cancelled = await succeed('cancelTimedMessages', '-t', 'waiting', '-k', 'key-b');
    assert.equal(cancelled.match(/key-b/g)?.length, 2, cancelled);
    const left = await succeed('listTimedMessages', '-t', 'waiting');
    assert.match(left, /key-a/);
    assert.doesNotMatch(left, /key-b/);
  });

  it('finds messages, tells their story and sets where a group goes on', async () => {
    await succeed('updateTopic', '-c', 'DefaultCluster', '-t', 'searched', '-r', '1', '-w', '1');
    for (const body of ['first body', 'second body', 'third body']) {
      await succeed('sendMessage', '-t', 'searched', '-b', 'broker-a', '-p', body, '-k', 'wanted other');
    }
    const found = JSON.parse(await succeed('queryMsgByKey', '-t', 'searched', '-k', 'wanted', '--json'));
    assert.equal(found.length, 3);
    assert.match(
      await succeed('printMsg', '-t', 'searched', '-b', '2020-01-01#00:00:00:000'),
      /first body[\s\S]*third body/,
    );
    await succeed('consumeMessage', '-t', 'searched', '-g', 'searchers');
    const story = await succeed('queryMsgById', '-t', 'searched', '-i', found[2].messageId);
    assert.match(story, /first body[\s\S]*searchers +settled[\s\S]*searchers +delivered[\s\S]*searchers +settled/);
    assert.match(
      await succeed('queryMsgByOffset', '-t', 'searched', '-b', 'broker-a', '-i', '0', '-o', '1'),
      /second body/,
    );
    const back = ['resetOffsetByTime', '-g', 'searchers', '-t', 'searched', '-s', '2020-01-01#00:00:00:000'];
    assert.match(await succeed(...back, '--dry-run'), /3 messages would be delivered again, 0 skipped/);
    assert.match(await succeed('consumerProgress', '-g', 'searchers'), /Diff Total: 0/);
    assert.match(await succeed(...back), /3 messages are delivered again/);
    assert.match(await succeed('consumerProgress', '-g', 'searchers'), /Diff Total: 3/);
    await succeed('updateSubGroup', '-c', 'DefaultCluster', '-g', 'followers');
    await succeed('cloneGroupOffset', '-s', 'searchers', '-d', 'followers', '-t', 'searched');
    assert.match(await succeed('consumerProgress', '-g', 'followers'), /Diff Total: 3/);
    assert.match(await succeed('skipAccumulatedMessage', '-g', 'searchers', '-t', 'searched'), /3 skipped/);
    assert.match(await succeed('consumerProgress', '-g', 'searchers'), /Diff Total: 0/);
    const { code, stderr } = await mqadmin('queryMsgById', '-i', 'nobody-sent-it');
    assert.equal(code, 1);
    assert.match(stderr, /no broker has a message "nobody-sent-it"/);
  });

  it('makes and shows a consumer group', async () => {
    await succeed('updateSubGroup', '-c', 'DefaultCluster', '-g', 'orderly', '-o', 'true', '-r', '3');
    const shown = await succeed('getConsumerConfig', '-c', 'DefaultCluster', '-g', 'orderly');
    assert.match(shown, /broker-a +true +true +3 /);
    await succeed('deleteSubGroup', '-c', 'DefaultCluster', '-g', 'orderly');
  });

  it('says what is wrong and how to do it right', async () => {
    const refused: readonly (readonly [args: string[], says: RegExp])[] = [
      [['updateTopic', '-c', 'DefaultCluster', '-t', 'bad/name'], /bad\/name/],
      [['updateTopic', '-c', 'NoSuchCluster', '-t', 'fine'], /NoSuchCluster/],
      [['updateTopic', '-c', 'DefaultCluster'], /topic/],
      [['topicStatus', '-t', 'nobody-made-it'], /nobody-made-it/],
      [['noSuchVerb'], /noSuchVerb/],
      [['updateSubGroup', '-g', 'misled', '-a', '+priority.factor=50'], /--attributes; found "\+priority.factor=50"/],
      [['sendMessage', '-t', 'carried', '-p', 'x', '-d', '5'], /takes no DELAY messages; found that it takes NORMAL/],
      [['sendMessage', '-t', 'carried', '-p', 'x', '-d', '5', '-g', 'g'], /only one/],
    ];
    for (const [args, says] of refused) {
      const { code, stdout, stderr } = await mqadmin(...args);
      assert.notEqual(code, 0, `mqadmin ${args.join(' ')} went well: ${stdout}`);
      assert.match(stdout + stderr, says);
      assert.doesNotMatch(stdout + stderr, /\n\s+at /);
    }
  });
});

function run(args: readonly string[]): Promise<Result> {
  const [program, ...rest] = appCommand('mqadmin', 'bundle');
  return new Promise((resolve) => {
    execFile(program!, [...rest, ...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}
