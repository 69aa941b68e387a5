import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import type { SettleRequest, SettleResponse } from '@orbitmq/protocol/orbitmq.replication.v1';
import { LeaderMessage_Refusal_Reason as Reason } from '@orbitmq/protocol/orbitmq.replication.v1';
import {
  type FollowerStream,
  type LeaderStream,
  REPLICATION_DEFAULTS,
  type SettlementPeer,
} from '@orbitmq/replication';
import { RpcError } from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';
import type { Delivery, OpenedShard } from '@orbitmq/shard';
import { SimClock, SimDisk, SimNetwork, type SimProcessClock, type SimSocket } from '@orbitmq/testkit';
import { shardFiles } from './shard-files.ts';
import { ShardMember } from './shard-member.ts';
import type { StandInRules } from './stand-in.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const DELAY_MS = 3000;
const COUNT = 20;

const NOTHING_EVER: AsyncIterable<never> = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
};

/** A machine of a shard with static roles: `m0` is the master. */
class Machine {
  readonly fatal: Error[] = [];
  readonly told: string[] = [];
  readonly #id: number;
  readonly #shard: Shard;
  #disk: SimDisk;
  #hasRebooted = false;
  #inSync: readonly number[] = [];
  #process: SimProcessClock | undefined;
  member!: ShardMember;

  constructor(id: number, shard: Shard) {
    this.#id = id;
    this.#shard = shard;
    this.#disk = new SimDisk({ clock: shard.clock, random: seededRandom(id + 1) });
  }

  get name(): string {
    return `m${this.#id}`;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** The shard from which it serves, as master or in its place. */
  get serving(): OpenedShard | undefined {
    return this.member.tenure?.shard ?? this.member.acting?.shard;
  }

  async start({ slaveReads = true, handsOver = true } = {}): Promise<void> {
    const { clock, network } = this.#shard;
    const process = clock.process();
    this.#process = process;
    this.#disk = this.#disk.kill(seededRandom(3), process);
    this.member = new ShardMember({
      identity: { cluster: 'c', shard: 's', member: this.#id, incarnation: 'i', version: 'v' },
      clientAddress: `${this.name}:1`,
      replicationAddress: this.name,
      acknowledge: 'stored',
      inSyncMin: 1,
      settleMs: 3000,
      mayLoseConfirmed: true,
      files: shardFiles({
        vfs: this.#disk,
        clock: process,
        random: seededRandom(this.#id + 5),
        logger: SILENT,
        directory: '/store',
        options: {
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
      logger: SILENT,
      replication: REPLICATION_DEFAULTS,
      events: {
        onLeading() {},
        onLeadingEnds() {},
        onFollowing() {},
        onLeaderKnown() {},
        onActing: () => this.told.push('acts'),
        onActingEnds: () => this.told.push('acts no more'),
      },
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
        catchUpMs: 30_000,
        mayLackStored: () => this.#hasRebooted,
        onComplete: () => {
          this.#hasRebooted = false;
        },
        actingMembers: async () => this.#shard.actingMembers(),
        ...(handsOver ? { standIn: this.#standIn(slaveReads) } : {}),
      },
      onFatal: (error) => this.fatal.push(error),
    });
    const { member } = this;
    network.listen(this.name, (socket: SimSocket<never, never>) => {
      const acceptor = member.replication ?? member.catchUp;
      if (acceptor === undefined) socket.close();
      else void acceptor.accept(socket as unknown as LeaderStream);
    });
    await clock.settle(member.start());
  }

  #standIn(slaveReads: boolean): StandInRules {
    return {
      delayMs: slaveReads ? DELAY_MS : undefined,
      isLeaderAway: async () => !this.#shard.hasNameServer || !this.#shard.master.isRunning,
      connect: () => this.#shard.peer(),
    };
  }

  kill(): void {
    this.#end();
    this.#disk = this.#disk.kill(seededRandom(7), this.#shard.clock);
  }

  /** What was not fsynced is gone. */
  losePower(): void {
    this.#end();
    this.#disk = this.#disk.crash(seededRandom(7), 'none', this.#shard.clock);
    this.#hasRebooted = true;
  }

  async stop(): Promise<void> {
    await this.#shard.clock.settle(this.member.stop());
    this.#end();
    assert.deepEqual(this.fatal, []);
  }

  #connect(process: SimProcessClock, address: string): FollowerStream {
    // A process that was killed hears and says nothing.
    if (this.#process !== process) return { write: () => undefined, close() {}, incoming: NOTHING_EVER };
    return this.#shard.network.connect<never, never>(this.name, address) as unknown as FollowerStream;
  }

  #end(): void {
    this.#process?.stop();
    this.#process = undefined;
    this.#shard.network.kill(this.name);
  }
}

/** A master with a slave, and a group that reads a topic. */
class Shard {
  readonly clock = new SimClock();
  readonly network = new SimNetwork(this.clock, seededRandom(9));
  readonly master = new Machine(0, this);
  readonly slave = new Machine(1, this);
  /** Somebody says whether the master is there. */
  hasNameServer = true;
  /** A call to the master takes so long. */
  callMs = 5;

  async start(): Promise<void> {
    await this.master.start();
    await this.slave.start();
    await this.inSync();
    const { shard } = this.master.member.tenure!;
    await this.clock.settle(
      shard.putTopic({
        name: 'topic',
        readQueueCount: 1,
        writeQueueCount: 1,
        permission: 6,
        messageType: 'MIXED',
        retentionMs: undefined,
        retentionBytes: undefined,
        autoCreated: false,
        attributes: new Map(),
      }),
    );
    await this.clock.settle(
      shard.putGroup({
        name: 'group',
        consumeEnable: true,
        consumeMessageOrderly: false,
        retryMaxTimes: 16,
        retryPolicy: { kind: 'customized', delaysMs: [1000] },
        autoCreated: false,
        attributes: new Map(),
      }),
    );
    const topic = shard.metadata.topic('topic')!;
    for (let index = 0; index < COUNT; index++) {
      const message = { system: new Uint8Array(4), rest: Buffer.from(`${index}`.padStart(200)) };
      shard.send({ topic, queueId: 0, tagHash: 0, message });
    }
    await this.clock.settle(shard.settled());
    await this.equal();
  }

  async stop(): Promise<void> {
    await this.slave.stop();
    if (this.master.isRunning) await this.master.stop();
  }

  async inSync(): Promise<void> {
    await this.clock.runUntil(() => this.master.member.replication?.inSync.length === 2);
  }

  /** The slave has all that the master has, and the same state. */
  async equal(): Promise<void> {
    await this.inSync();
    await this.clock.runUntil(() => {
      const [shard, copy] = [this.master.member.tenure?.shard, this.slave.member.copy];
      return shard !== undefined && copy?.appliedOffset === shard.replica.endOffset;
    });
    assert.deepEqual(this.slave.member.copy!.checksum(), this.master.member.tenure!.shard.checksum());
  }

  async acting(): Promise<void> {
    await this.clock.runUntil(() => this.slave.member.acting !== undefined);
  }

  actingMembers(): readonly number[] {
    return this.slave.isRunning && this.slave.member.acting !== undefined ? [1] : [];
  }

  peer(): SettlementPeer {
    return { settle: (request) => this.#settle(request), close() {} };
  }

  async take(machine: Machine, countMax: number, invisibleMs = 600_000): Promise<Delivery[]> {
    const request = { filter: undefined, countMax, bytesMax: 1e6, invisibleMs, attemptId: undefined };
    return await this.clock.settle(machine.serving!.receive({ ...this.#names(machine), ...request }));
  }

  async acknowledge(machine: Machine, ...deliveries: readonly Delivery[]): Promise<void> {
    const { serving } = machine;
    for (const delivery of deliveries) serving!.acknowledge({ ...delivery, ...this.#names(machine) });
    await this.clock.settle(serving!.settled());
  }

  #names({ serving }: Machine) {
    const { metadata } = serving!;
    return { group: metadata.group('group')!, topic: metadata.topic('topic')! };
  }

  async #settle(request: SettleRequest): Promise<SettleResponse> {
    const { master } = this;
    await this.#pass();
    if (!master.isRunning) throw new RpcError('UNAVAILABLE', 'nobody is there');
    const { replication } = master.member;
    if (replication === undefined) {
      return { epoch: 0n, refusal: { reason: Reason.REASON_NOT_LEADER, message: 'not yet' }, commonOffset: 0n };
    }
    const response = await replication.settle(request);
    await this.#pass();
    return response;
  }

  #pass(): Promise<void> {
    return new Promise((resolve) => {
      this.clock.setTimer(this.callMs, resolve);
    });
  }
}

const numberOf = ({ message }: Delivery): number => Number(Buffer.from(message.rest).toString());
const numbersOf = (deliveries: readonly Delivery[]): number[] =>
  deliveries.map(numberOf).sort((one, other) => one - other);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

describe('a slave of a static role', () => {
  it('stands in for a master that is away, hands over, and follows', async () => {
    const shard = new Shard();
    const { master, slave } = shard;
    await shard.start();
    master.kill();
    await shard.clock.advance(DELAY_MS - 500);
    assert.equal(slave.member.state, 'follower');
    await shard.acting();
    const taken = await shard.take(slave, 6);
    await shard.acknowledge(slave, ...taken.slice(0, 4));
    assert.deepEqual(slave.told, ['acts']);
    await master.start();
    const { hold } = master.member.tenure!;
    assert.equal(hold.isOver, false);
    await shard.clock.settle(hold.released);
    assert.deepEqual(slave.told, ['acts', 'acts no more']);
    assert.deepEqual(numbersOf(await shard.take(master, COUNT)), range(6, COUNT));
    await shard.acknowledge(master, ...taken.slice(4));
    await shard.equal();
    await shard.stop();
  });

  it('waits when the master comes back soon, and when it is told not to stand in', async () => {
    const shard = new Shard();
    const { master, slave } = shard;
    await shard.start();
    master.kill();
    await shard.clock.advance(DELAY_MS - 1000);
    await master.start();
    assert.ok(master.member.tenure!.hold.isOver);
    await shard.equal();
    assert.deepEqual(slave.told, []);
    await slave.stop();
    await slave.start({ slaveReads: false });
    await shard.inSync();
    master.kill();
    await shard.clock.advance(60_000);
    assert.equal(slave.member.state, 'follower');
    await master.start();
    await shard.equal();
    await shard.stop();
  });

  it('hands over what it has settled also when it does not stand in any more', async () => {
    const shard = new Shard();
    const { master, slave } = shard;
    await shard.start();
    master.kill();
    await shard.acting();
    await shard.acknowledge(slave, ...(await shard.take(slave, 5)));
    await slave.stop();
    await slave.start({ slaveReads: false });
    await shard.clock.advance(60_000);
    assert.equal(slave.member.acting, undefined);
    await master.start();
    await shard.equal();
    assert.deepEqual(numbersOf(await shard.take(master, COUNT)), range(5, COUNT));
    await shard.stop();
  });

  it('follows without what it has settled when nobody would take that over any more', async () => {
    const shard = new Shard();
    const { master, slave } = shard;
    await shard.start();
    master.kill();
    await shard.acting();
    await shard.acknowledge(slave, ...(await shard.take(slave, 5)));
    await slave.stop();
    await slave.start({ handsOver: false });
    await master.start();
    await shard.clock.advance(5000);
    assert.deepEqual(master.member.replication!.inSync, [0, 1]);
    await shard.equal();
    assert.deepEqual(numbersOf(await shard.take(master, COUNT)), range(0, COUNT));
    await shard.stop();
  });

  it('goes on standing in when the master goes away in the middle of the hand-over', async () => {
    const shard = new Shard();
    const { master, slave } = shard;
    await shard.start();
    master.kill();
    await shard.acting();
    await shard.acknowledge(slave, ...(await shard.take(slave, 5)));
    shard.callMs = 300;
    await master.start();
    await shard.clock.runUntil(() => slave.told.includes('acts no more'));
    master.kill();
    await shard.acting();
    assert.deepEqual(numbersOf(await shard.take(slave, 5)), range(5, 10));
    await master.start();
    await shard.equal();
    assert.deepEqual(numbersOf(await shard.take(master, COUNT)), range(10, COUNT));
    await shard.stop();
  });

  it('that can ask nobody stands in again only when its master is away again', async () => {
    const shard = new Shard();
    const { master, slave } = shard;
    shard.hasNameServer = false;
    await shard.start();
    master.kill();
    await shard.acting();
    await master.start();
    await shard.equal();
    await shard.clock.advance(60_000);
    assert.deepEqual(slave.told, ['acts', 'acts no more']);
    master.kill();
    await shard.acting();
    await shard.stop();
  });

  it('loses nothing that was settled, whenever it is killed', async () => {
    for (let step = 0; step < 24; step++) {
      const shard = new Shard();
      const { master, slave } = shard;
      await shard.start();
      master.kill();
      await shard.acting();
      const taken = await shard.take(slave, 8);
      await shard.acknowledge(slave, ...taken.slice(0, 6));
      await master.start();
      await shard.clock.advance(step * 27);
      slave.kill();
      await slave.start();
      await shard.equal();
      assert.deepEqual(numbersOf(await shard.take(master, COUNT)), range(8, COUNT), `step ${step}`);
      await shard.acknowledge(master, ...taken.slice(6));
      await shard.equal();
      await shard.stop();
    }
  });

  it('gives a master that lost its power back what it lost, though it stands in for it', async () => {
    const shard = new Shard();
    const { master, slave } = shard;
    await shard.start();
    master.losePower();
    await shard.acting();
    const taken = await shard.take(slave, 5);
    assert.deepEqual(numbersOf(taken), range(0, 5));
    await shard.acknowledge(slave, ...taken);
    await master.start();
    assert.equal(master.member.state, 'catching-up');
    await shard.equal();
    assert.deepEqual(numbersOf(await shard.take(master, COUNT)), range(5, COUNT));
    await shard.stop();
  });
});
