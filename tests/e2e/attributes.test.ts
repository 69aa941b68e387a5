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
});
