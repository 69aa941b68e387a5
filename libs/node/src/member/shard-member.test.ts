import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import { type Lease, MemoryLeases } from '@orbitmq/coordination';
import { type LeaderMessage, LeaderMessage_Refusal_Reason as Reason } from '@orbitmq/protocol/orbitmq.replication.v1';
import { type FollowerStream, REPLICATION_DEFAULTS } from '@orbitmq/replication';
import type { Logger } from '@orbitmq/runtime';
import { SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';
import type { ElectedRole, StaticRole } from './member-options.ts';
import { shardFiles } from './shard-files.ts';
import { ShardMember } from './shard-member.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const DURATION_MS = 3000;

/** One member over a simulated disk and clock; whom it follows, the test says. */
class Bench {
  readonly clock = new SimClock();
  readonly leases = new MemoryLeases();
  readonly fatal: Error[] = [];
  readonly told: string[] = [];
  connectCount = 0;
  /** What a leader says at once; the stream ends behind it. */
  answer: LeaderMessage | undefined;
  readonly #disk = new SimDisk({ clock: this.clock, random: seededRandom(1) });
  process!: SimProcessClock;
  member!: ShardMember;

  async start(member: number, role: 'elected' | StaticRole): Promise<ShardMember> {
    this.process = this.clock.process();
    this.member = new ShardMember({
      identity: { cluster: 'c', shard: 's', member, incarnation: 'i', version: 'v' },
      clientAddress: 'here:1',
      replicationAddress: 'here:2',
      acknowledge: 'stored',
      inSyncMin: 1,
      settleMs: 3000,
      mayLoseConfirmed: false,
      files: shardFiles({
        vfs: this.#disk,
        clock: this.process,
        random: seededRandom(2),
        logger: SILENT,
        directory: '/store',
        options: {
          log: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 16384, recordBytesMax: 8192 },
          diskReserveBytes: 0,
        },
      }),
      clock: this.process,
      logger: SILENT,
      replication: REPLICATION_DEFAULTS,
      events: {
        onLeading: ({ epoch }) => this.told.push(`leads ${epoch}`),
        onLeadingEnds: () => this.told.push('leads no longer'),
        onFollowing: () => this.told.push('follows'),
        onLeaderKnown: () => {},
      },
      connect: () => this.#connect(),
      role: role === 'elected' ? this.#elected(member) : role,
      onFatal: (error) => this.fatal.push(error),
    });
    await this.clock.settle(this.member.start());
    return this.member;
  }

  async stop(): Promise<void> {
    await this.clock.settle(this.member.stop());
    this.process.stop();
  }

  get lease(): Lease | undefined {
    return this.leases.current?.lease;
  }

  /** Somebody else writes the Lease. */
  async rewrite(fields: Partial<Lease>): Promise<void> {
    const { current } = this.leases;
    await this.leases.connect().write({ ...current!.lease, ...fields }, current);
  }

  #elected(member: number): ElectedRole {
    return {
      kind: 'elected',
      store: this.leases.connect(),
      times: { durationMs: DURATION_MS, suspicionMs: 1000, marginMs: 300 },
      mayCreate: (isEmpty) => member === 0 && isEmpty,
      mayLackStored: () => false,
      onComplete: () => {},
    };
  }

  #connect(): FollowerStream {
    this.connectCount++;
    const { answer } = this;
    async function* incoming(): AsyncGenerator<LeaderMessage> {
      if (answer !== undefined) yield answer;
    }
    return { write: () => undefined, close() {}, incoming: incoming() };
  }
}

const NOT_LEADER: LeaderMessage = {
  sequence: 1n,
  epoch: 0n,
  confirmedOffset: 0n,
  welcome: undefined,
  records: undefined,
  heartbeat: undefined,
  refusal: { reason: Reason.REASON_NOT_LEADER, message: 'this member does not lead' },
};

describe('a member of a shard', () => {
  let bench: Bench;
  afterEach(() => bench.stop());

  it('with a static role asks a member that does not lead a few times a second, however long', async () => {
    bench = new Bench();
    bench.answer = NOT_LEADER;
    await bench.start(1, {
      kind: 'static',
      isLeader: false,
      leaderAddress: async () => 'elsewhere:2',
      inSync: { read: async () => [], write: async () => true },
      catchUpMs: 0,
      mayLackStored: () => false,
      onComplete: () => {},
    });
    await bench.clock.advance(60_000);
    assert(bench.connectCount > 100 && bench.connectCount < 600, String(bench.connectCount));
  });

  it('that is deposed while it is promoted follows again, and may lead later', async () => {
    bench = new Bench();
    await bench.start(0, 'elected');
    await bench.clock.advance(DURATION_MS);
    assert.equal(bench.member.state, 'leader');
    await bench.stop();
    bench.told.length = 0;
    const starting = bench.start(0, 'elected');
    await bench.clock.runUntil(() => bench.told.includes('follows'));
    // The lease passes on between its taking and the end of the promotion.
    await bench.clock.runUntil(() => bench.member.election?.epoch !== undefined);
    const epoch = bench.lease!.epoch + 1;
    await bench.rewrite({ holder: 7, epoch, replicationAddress: 'elsewhere:2' });
    assert.equal(await bench.clock.settle(bench.member.election!.changeInSync([0])), false);
    await bench.clock.advance(DURATION_MS);
    await starting;
    assert.deepEqual(bench.fatal, []);
    assert.equal(bench.member.state, 'follower');
    await bench.rewrite({ holder: undefined, inSync: [0] });
    await bench.clock.advance(DURATION_MS);
    assert.equal(bench.member.state, 'leader');
  });
});
