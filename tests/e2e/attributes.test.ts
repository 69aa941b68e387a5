import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { appCommand, bundleApps } from '@orbitmq/tools';
import { type Cluster, startCluster } from '../cluster.ts';

const CLUSTER = ['-c', 'DefaultCluster'];

describe('topics and groups with attributes', () => {
  let cluster: Cluster;
  before(async () => {
    await bundleApps(['mqadmin']);
    cluster = await startCluster({ nameServerCount: 1, brokerCount: 1 });
  });
  after(() => cluster.stop());

  const mqadmin = (...args: string[]): Promise<{ code: number; output: string }> => {
    const [program, ...first] = appCommand('mqadmin', 'bundle');
    return new Promise((resolve) => {
      execFile(
        program!,
        [...first, ...args, '-n', cluster.namesrvAddr],
        { timeout: 30_000 },
        (error, stdout, stderr) => {
          resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr });
        },
      );
    });
  };
  const succeed = async (...args: string[]): Promise<string> => {
    const { code, output } = await mqadmin(...args);
    assert.equal(code, 0, `mqadmin ${args.join(' ')}: ${output}`);
    return output;
  };

  it('messages with the highest priority come first', async () => {
    const made = await succeed('updateTopic', ...CLUSTER, '-t', 'urgent', '-a', '+message.type=PRIORITY');
    assert.match(made, /message\.type=PRIORITY/);
    for (const priority of [1, 5, 0, 3]) {
      await succeed('sendMessage', '-t', 'urgent', '-p', `body-${priority}-`, '--priority', String(priority));
    }
    const received = await succeed('consumeMessage', '-t', 'urgent', '-g', 'rescuers', '-c', '4');
    const bodies = [...received.matchAll(/body-\d-/g)].map(([body]) => body);
    assert.deepEqual(bodies, ['body-5-', 'body-3-', 'body-1-', 'body-0-']);
    const plain = await mqadmin('sendMessage', '-t', 'urgent', '-p', 'x');
    assert.notEqual(plain.code, 0);
    assert.match(plain.output, /takes no NORMAL messages.*--priority/);
  });

  it('a group keeps its attributes, and unknown ones are refused with the nearest', async () => {
    const update = ['updateSubGroup', ...CLUSTER, '-g', 'rescuers', '--attributes'];
    assert.match(await succeed(...update, '+priority.factor=80'), /priority\.factor=80/);
    assert.match(await succeed('getConsumerConfig', ...CLUSTER, '-g', 'rescuers'), /priority\.factor=80/);
    const shown = await succeed(...update, '-priority.factor');
    assert.doesNotMatch(shown, /priority\.factor/);
    for (const [attributes, message] of [
      ['+priority.factr=80', /did you mean priority\.factor\?/],
      ['+priority.factor=101', /must be a whole number, 0…100/],
      ['priority.factor=80', /written \+key=value or -key/],
    ] as const) {
      const { code, output } = await mqadmin(...update, attributes);
      assert.notEqual(code, 0);
      assert.match(output, message);
    }
  });

  it('messages of lite topics are sent, received by who names them, and found', async () => {
    await succeed('updateTopic', ...CLUSTER, '-t', 'rooms', '-a', '+message.type=LITE,+lite.topic.expiration=60');
    await succeed('updateSubGroup', ...CLUSTER, '-g', 'readers', '--attributes', '+lite.bind.topic=rooms');
    for (const [room, body] of [
      ['room-1', 'one'],
      ['room-1', 'two'],
      ['room-2', 'other'],
    ] as const) {
      await succeed('sendMessage', '-t', 'rooms', '-l', room, '-p', body, '-k', `key-${body}`);
    }
    const untold = await mqadmin('sendMessage', '-t', 'rooms', '-p', 'x');
    assert.notEqual(untold.code, 0);
    assert.match(untold.output, /for LITE a lite topic with -l/);

    const [broker] = cluster.brokers;
    assert.match(await succeed('getBrokerLiteInfo', ...CLUSTER, '-d'), new RegExp(`${broker!.name} +2 +0 +0`));
    assert.match(await succeed('getParentTopicInfo', '-p', 'rooms'), /60 +2 +readers/);
    assert.match(await succeed('getLiteTopicInfo', '-p', 'rooms', '-l', 'room-1', '-s'), / 0 +2 /);

    const received = await succeed('consumeMessage', '-t', 'rooms', '-g', 'readers', '-l', 'room-1', '-c', '2');
    assert.match(received, /LITE TOPIC: room-1 .*BODY: one\n.*LITE TOPIC: room-1 .*BODY: two/);
    assert.doesNotMatch(received, /other/);
    const both = await succeed('consumeMessage', '-t', 'rooms', '-g', 'readers', '-l', 'room-1,room-2', '-c', '1');
    assert.match(both, /LITE TOPIC: room-2 .*BODY: other/);
    assert.doesNotMatch(both, /room-1/);

    const lag = await succeed('getLiteGroupInfo', '-p', 'rooms', '-g', 'readers');
    assert.match(lag, new RegExp(`${broker!.name} `), lag);
    const messageId = /MSGID: (\w+)/.exec(both)![1]!;
    const found = await succeed('queryMsgByUniqueKey', '-t', 'rooms', '-i', messageId);
    assert.match(found, /key-other/);
    assert.match(found, /readers.*settled/);
    // the second message of its lite topic, whose queue has a number of its own
    assert.match(await succeed('queryMsgByKey', '-t', 'rooms', '-k', 'key-two'), / 65\d{3} +1 /);
  });
});
