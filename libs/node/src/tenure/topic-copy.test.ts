import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import type { Group, Topic } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { Logger } from '@orbitmq/runtime';
import { type OpenedShard, openShard } from '@orbitmq/shard';
import { SimClock } from '@orbitmq/testkit';
import { memoryVfs } from '@orbitmq/vfs';
import type { BrokerSettings, ClusterSettings } from './cluster-settings.ts';
import { GROUP_DEFAULTS } from './group-defaults.ts';
import { TopicCopy } from './topic-copy.ts';

const OTHER_CLOCK_MS = 5_000_000_000_000;

/** A new shard, and what it may learn of its cluster. */
class World {
  readonly clock = new SimClock();
  readonly #vfs = memoryVfs();
  readonly warned: string[] = [];
  cluster: ClusterSettings | undefined;
  shard!: OpenedShard;
  copy!: TopicCopy;

  async open(what: 'all' | 'unordered' | 'none' = 'all'): Promise<void> {
    const warn = (_fields: unknown, message: string): void => void this.warned.push(message);
    const logger: Logger = { child: () => logger, debug() {}, info() {}, warn, error() {} };
    const options = { log: { flushDiskType: 'ASYNC_FLUSH', segmentSizeBytes: 1 << 22 } } as const;
    const parts = { vfs: this.#vfs, clock: this.clock, random: seededRandom(1), logger, defer: setImmediate };
    this.shard = await this.clock.settle(openShard({ ...parts, directory: '/store', options }));
    this.copy = new TopicCopy({
      what,
      ask: async () => this.cluster,
      groupDefaults: GROUP_DEFAULTS,
      clock: this.clock,
      logger,
      onFatal: (error) => {
        throw error;
      },
    });
    this.copy.begin(this.shard);
  }

  async reopen(): Promise<void> {
    this.copy.end();
    await Promise.all([this.shard.close(), this.clock.advance(100)]);
    await this.open();
  }

  get topics(): string[] {
    return [...this.shard.metadata.topics()].map(({ name }) => name).sort();
  }

  get state(): 'none' | 'pending' | 'done' {
    const { topicCopy } = this.shard.metadata.standing;
    if (topicCopy === undefined) return 'none';
    return topicCopy.endMs === undefined ? 'pending' : 'done';
  }
}

/** A broker whose clock is another one. @param madeMs of each topic, how long ago */
function broker(brokerName: string, made: Readonly<Record<string, number>>, fields: Partial<BrokerSettings> = {}) {
  const topics = Object.entries(made).map(
    ([name, agoMs]): Topic => ({
      name,
      readQueueCount: 4,
      writeQueueCount: 4,
      permission: 6,
      attributes: new Map([
        ['message.type', name.startsWith('fifo') ? 'FIFO' : 'NORMAL'],
        ['reserve.time', '3600000'],
      ]),
      autoCreated: name.startsWith('auto'),
      createdMs: BigInt(OTHER_CLOCK_MS - agoMs),
    }),
  );
  return {
    brokerName,
    topics,
    groups: [],
    nowMs: OTHER_CLOCK_MS,
    isPassing: false,
    ...fields,
  } satisfies BrokerSettings;
}

function group(name: string, fields: Partial<Group> = {}): Group {
  return {
    name,
    consumeEnable: true,
    consumeMessageOrderly: true,
    retryMaxTimes: 3,
    retryPolicy: { customized: { delaysMs: [7n] }, exponential: undefined },
    attributes: new Map(),
    autoCreated: false,
    createdMs: BigInt(OTHER_CLOCK_MS - 1e9),
    ...fields,
  };
}

const OLD = 1e9;
const NOBODY = new Map<string, string>();
const AWAY = new Map([['broker-b', 'it has no master now']]);

describe('TopicCopy', () => {
  it('makes what all other brokers hold, with its settings, and the groups made by name', async () => {
    const world = new World();
    const a = broker('broker-a', { orders: OLD, 'only-a': OLD, 'auto-made': OLD, '%DLQ%g': OLD, TBW102: OLD });
    const b = broker('broker-b', { orders: OLD, 'only-b': OLD, 'auto-made': OLD, '%DLQ%g': OLD, TBW102: OLD });
    const groups = [group('billing'), group('auto', { autoCreated: true })];
    const joining = broker('broker-c', {}, { isPassing: true });
    world.cluster = { brokers: [{ ...a, groups }, { ...b, groups }, joining], silent: NOBODY, hasSilentTopics: false };
    await world.open();
    assert.equal(world.state, 'pending');
    await world.clock.runUntil(() => world.state === 'done');
    assert.deepEqual(world.topics, ['auto-made', 'orders']);
    const { readQueueCount, messageType, retentionMs, autoCreated } = world.shard.metadata.topic('orders')!;
    assert.deepEqual([readQueueCount, messageType, retentionMs, autoCreated], [4, 'NORMAL', 3_600_000, false]);
    assert.equal(world.shard.metadata.topic('auto-made')?.autoCreated, true);
    const { consumeMessageOrderly, retryPolicy } = world.shard.metadata.group('billing')!;
    assert.deepEqual([consumeMessageOrderly, retryPolicy], [true, { kind: 'customized', delaysMs: [7] }]);
    assert.equal(world.shard.metadata.group('auto'), undefined);
  });

  it('leaves alone what was made after it had begun, whatever the clocks say', async () => {
    const world = new World();
    await world.open();
    await world.clock.advance(60_000);
    world.cluster = {
      brokers: [broker('broker-a', { before: 62_000, after: 59_999 })],
      silent: NOBODY,
      hasSilentTopics: false,
    };
    await world.clock.runUntil(() => world.state === 'done');
    assert.deepEqual(world.topics, ['before']);
  });

  it('goes on where it was interrupted, and is never done twice', async () => {
    const world = new World();
    await world.open();
    await world.clock.settle(
      world.shard.putTopic({
        name: 'first-message',
        ...{ readQueueCount: 1, writeQueueCount: 1, permission: 6, messageType: 'NORMAL' },
        ...{ retentionMs: undefined, retentionBytes: undefined, autoCreated: true, attributes: new Map() },
      }),
    );
    await world.reopen();
    assert.equal(world.state, 'pending');
    world.cluster = { brokers: [broker('broker-a', { orders: OLD })], silent: NOBODY, hasSilentTopics: false };
    await world.clock.runUntil(() => world.state === 'done');
    assert.deepEqual(world.topics, ['first-message', 'orders']);
    await world.clock.settle(world.shard.deleteTopic('orders'));
    await world.reopen();
    await world.clock.advance(60_000);
    assert.deepEqual([world.state, world.topics], ['done', ['first-message']]);
  });

  it('ends after a while where there is nobody but new brokers', async () => {
    const world = new World();
    world.cluster = {
      brokers: [broker('broker-b', { theirs: OLD }, { isPassing: true })],
      silent: NOBODY,
      hasSilentTopics: false,
    };
    await world.open();
    await world.clock.advance(9_000);
    assert.equal(world.state, 'pending');
    await world.clock.runUntil(() => world.state === 'done', 3_000);
    assert.deepEqual(world.topics, []);
  });

  it('waits for brokers that do not answer, but not for ever when others do', async () => {
    const world = new World();
    const a = broker('broker-a', { orders: OLD });
    world.cluster = { brokers: [], silent: AWAY, hasSilentTopics: true };
    await world.open();
    await world.clock.advance(120_000);
    assert.deepEqual([world.state, world.warned.length], ['pending', 1]);
    world.cluster = { brokers: [a], silent: AWAY, hasSilentTopics: true };
    await world.clock.runUntil(() => world.state === 'done');
    assert.deepEqual(world.topics, ['orders']);
  });

  it('ends where those who do not answer hold nothing', async () => {
    const world = new World();
    world.cluster = { brokers: [], silent: AWAY, hasSilentTopics: false };
    await world.open();
    await world.clock.advance(9_000);
    assert.equal(world.state, 'pending');
    await world.clock.runUntil(() => world.state === 'done', 3_000);
    assert.deepEqual([world.topics, world.warned], [[], []]);
  });

  it('does nothing on a shard that has had topics, nor where it is told not to', async () => {
    const world = new World();
    world.cluster = {
      brokers: [broker('broker-a', { orders: OLD, 'fifo-orders': OLD })],
      silent: NOBODY,
      hasSilentTopics: false,
    };
    await world.open('none');
    await world.clock.advance(60_000);
    assert.equal(world.state, 'none');
    await world.clock.settle(world.shard.putGroup({ ...GROUP_DEFAULTS, ...PLAIN, name: 'g' }));
    await world.reopen();
    await world.clock.advance(60_000);
    assert.deepEqual([world.state, world.topics], ['none', []]);
    const unordered = new World();
    unordered.cluster = world.cluster;
    await unordered.open('unordered');
    await unordered.clock.runUntil(() => unordered.state === 'done');
    assert.deepEqual(unordered.topics, ['orders']);
  });
});

const PLAIN = { consumeEnable: true, consumeMessageOrderly: false, autoCreated: false, attributes: new Map() };
