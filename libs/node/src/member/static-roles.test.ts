import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import { type FollowerStream, type LeaderStream, REPLICATION_DEFAULTS } from '@orbitmq/replication';
import type { Logger } from '@orbitmq/runtime';
import { SimClock, SimDisk, SimNetwork, type SimProcessClock, type SimSocket } from '@orbitmq/testkit';
import { shardFiles } from './shard-files.ts';
import { ShardMember } from './shard-member.ts';

const CATCH_UP_MS = 30_000;

const NOTHING_EVER: AsyncIterable<never> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
};

/** A machine of a shard with static roles, ASYNC_FLUSH and SYNC_MASTER: `m0` is the master. */
class TestMachine {
  readonly name: string;
  /** What the log has said, by level. */
  readonly said: { readonly level: string; readonly text: string; readonly facts: Record<string, unknown> }[] = [];
  readonly fatal: Error[] = [];
  readonly #id: number;
  readonly #clock: SimClock;
  readonly #network: SimNetwork;
  #disk: SimDisk;
  #inSync: readonly number[] = [];
  #hasRebooted = false;
  readonly #ended = new Set<SimProcessClock>();
  process!: SimProcessClock;
  member!: ShardMember;

  constructor(id: number, clock: SimClock, network: SimNetwork) {
    this.#id = id;
    this.name = `m${id}`;
    this.#clock = clock;
    this.#network = network;
    this.#disk = new SimDisk({ clock, random: seededRandom(id + 1) });
  }

  get inSync(): readonly number[] {
    return this.#inSync;
  }

  get disk(): SimDisk {
    return this.#disk;
  }

  async start(): Promise<void> {
    const process = this.#clock.process();
    this.process = process;
    this.#disk = this.#disk.kill(seededRandom(3), process);
    const logger = this.#logger();
    const member = new ShardMember({
      identity: { cluster: 'c', shard: 's', member: this.#id, incarnation: 'i', version: 'v' },
      clientAddress: `${this.name}:1`,
      replicationAddress: this.name,
      acknowledge: 'confirmed',
      inSyncMin: 1,
      settleMs: 3000,
      mayLoseConfirmed: true,
      files: shardFiles({
        vfs: this.#disk,
        clock: process,
        random: seededRandom(this.#id + 5),
        logger,
        directory: '/store',
        options: {
          // Nothing is fsynced by itself within a test.
          log: {
            flushDiskType: 'ASYNC_FLUSH',
            segmentSizeBytes: 16384,
            recordBytesMax: 8192,
            flushIntervalMs: 100_000,
          },
          diskReserveBytes: 0,
        },
      }),
      clock: process,
      logger,
      replication: REPLICATION_DEFAULTS,
      events: { onLeading() {}, onLeadingEnds() {}, onFollowing() {}, onLeaderKnown() {} },
      connect: (address) => this.#connect(process, address),
      role: {
        kind: 'static',
        isLeader: this.#id === 0,
        leaderAddress: async () => 'm0',
        inSync: {
          read: async () => this.#inSync,
          write: async (members) => {
            this.#inSync = members;
            return true;
          },
        },
        catchUpMs: CATCH_UP_MS,
        mayLackStored: () => this.#hasRebooted,
        onComplete: () => {
          this.#hasRebooted = false;
        },
      },
      onFatal: (error) => this.fatal.push(error),
    });
    this.member = member;
    this.#network.listen(this.name, (socket: SimSocket<never, never>) => {
      const acceptor = member.replication ?? member.catchUp;
      if (acceptor === undefined) socket.close();
      else void acceptor.accept(socket as unknown as LeaderStream);
    });
    await this.#clock.settle(member.start());
  }

  kill(): void {
    this.#end();
    this.#disk = this.#disk.kill(seededRandom(7), this.#clock);
  }

  /** What was not fsynced is gone. */
  losePower(): void {
    this.#end();
    this.#disk = this.#disk.crash(seededRandom(7), 'none', this.#clock);
    this.#hasRebooted = true;
  }

  async stop(): Promise<void> {
    await this.#clock.settle(this.member.stop());
    this.process.stop();
    assert.deepEqual(this.fatal, []);
  }

  #connect(process: SimProcessClock, address: string): FollowerStream {
    // A process that was killed hears and says nothing.
    if (this.#ended.has(process)) return { write: () => undefined, close() {}, incoming: NOTHING_EVER };
    return this.#network.connect<never, never>(this.name, address) as unknown as FollowerStream;
  }

  #end(): void {
    this.#ended.add(this.process);
    this.process.stop();
    this.#network.kill(this.name);
  }

  #logger(): Logger {
    const say = (level: string) => (facts: Record<string, unknown>, text: string) => {
      this.said.push({ level, text, facts });
    };
    const logger: Logger = {
      child: () => logger,
      debug() {},
      info: say('info'),
      warn: say('warn'),
      error: say('error'),
    };
    return logger;
  }
}

/** A master with slaves. */
class Shard {
  readonly clock = new SimClock();
  readonly network = new SimNetwork(this.clock, seededRandom(9));
  readonly machines: readonly TestMachine[];

  constructor(slaves: number) {
    this.machines = Array.from({ length: slaves + 1 }, (_, id) => new TestMachine(id, this.clock, this.network));
  }

  async start(): Promise<void> {
    for (const machine of this.machines) await machine.start();
    await this.inSync();
  }

  get master(): TestMachine {
    return this.machines[0]!;
  }

  async inSync(count = this.machines.length): Promise<void> {
    await this.clock.runUntil(() => this.master.member.replication?.inSync.length === count);
  }

  /** Appends something that is acknowledged by all in sync. @returns where the log ends then */
  async write(name: string): Promise<number> {
    const { shard } = this.master.member.tenure!;
    const writing = shard.putTopic({
      name,
      readQueueCount: 1,
      writeQueueCount: 1,
      permission: 6,
      messageType: 'MIXED',
      retentionMs: undefined,
      retentionBytes: undefined,
      autoCreated: false,
      attributes: new Map(),
    });
    await this.clock.settle(writing);
    return shard.replica.confirmedOffset;
  }

  get topics(): string[] {
    return [...this.master.member.tenure!.shard.metadata.topics()].map(({ name }) => name).sort();
  }

  async stop(): Promise<void> {
    for (const machine of this.machines.toReversed()) await machine.stop();
  }
}

describe('a master of a static role whose machine went down', () => {
  it('R1: gets from its slave what it lost, before it leads', async () => {
    const shard = new Shard(1);
    const [master, slave] = shard.machines as [TestMachine, TestMachine];
    await shard.start();
    assert.deepEqual(master.inSync, [0, 1]);
    const { epoch } = master.member;
    const end = await shard.write('acknowledged');
    master.losePower();
    await master.start();
    assert.equal(master.member.state, 'catching-up');
    assert.ok(master.member.copy!.replica.endOffset < end);
    await shard.inSync();
    assert.deepEqual(shard.topics, ['acknowledged']);
    assert.ok(master.member.epoch > epoch);
    assert.ok(
      master.member.tenure!.shard.replica.epochs().at(-1)!.startOffset >= end,
      'all that was acknowledged is there',
    );
    assert.ok(!slave.said.some(({ text }) => text.includes('is cut back')));
    await shard.write('later');
    await shard.stop();
  });

  it('waits for a slave that was in sync, as long as is configured, and then leads with what it has', async () => {
    const shard = new Shard(1);
    const [master, slave] = shard.machines as [TestMachine, TestMachine];
    await shard.start();
    const end = await shard.write('acknowledged');
    master.losePower();
    await shard.clock.advance(100);
    slave.kill();
    await master.start();
    await shard.clock.advance(CATCH_UP_MS - 1000);
    assert.equal(master.member.state, 'catching-up');
    await shard.clock.advance(2000);
    assert.equal(master.member.state, 'leader');
    assert.deepEqual(shard.topics, []);
    assert.ok(master.said.some(({ level, text }) => level === 'error' && text.includes('may be missing')));
    // The slave gives up what nobody else has, and keeps it in a file.
    await slave.start();
    await shard.inSync();
    const aside = slave.said.find(({ text }) => text.includes('kept in a file'))!;
    const file = slave.disk.image().get(aside.facts.path as string)!;
    assert.ok(Buffer.from(file).includes('acknowledged'));
    assert.equal(Number(aside.facts.from) + file.length, end);
    await shard.stop();
  });

  it('asks nobody when no slave was in sync, or only its process was killed', async () => {
    const shard = new Shard(1);
    const [master, slave] = shard.machines as [TestMachine, TestMachine];
    await shard.start();
    await shard.write('acknowledged');
    master.kill();
    await master.start();
    assert.equal(master.member.state, 'leader');
    await shard.inSync();
    slave.kill();
    await shard.inSync(1);
    assert.deepEqual(master.inSync, [0]);
    await shard.write('alone');
    master.losePower();
    await master.start();
    assert.equal(master.member.state, 'leader');
    assert.deepEqual(
      shard.topics,
      ['acknowledged'],
      'what all had is fsynced before one of them is not waited for any more',
    );
    await slave.start();
    await shard.inSync();
    await shard.stop();
  });

  it('takes what the slave has that has most, and stops in the middle of its waiting', async () => {
    const shard = new Shard(2);
    const [master, first, second] = shard.machines as [TestMachine, TestMachine, TestMachine];
    await shard.start();
    await shard.write('acknowledged');
    master.losePower();
    first.losePower();
    await master.start();
    await first.start();
    await shard.clock.advance(500);
    await shard.inSync();
    assert.deepEqual(shard.topics, ['acknowledged']);
    master.losePower();
    first.kill();
    second.kill();
    await master.start();
    await shard.clock.advance(1000);
    assert.equal(master.member.state, 'catching-up');
    await master.stop();
    assert.equal(master.member.state, 'closed');
  });
});
