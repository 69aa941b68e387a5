import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KIB, MIB, seededRandom } from '@orbitmq/base';
import type { FollowerMessage } from '@orbitmq/protocol/orbitmq.replication.v1';
import type { Logger } from '@orbitmq/runtime';
import { type CommitLog, type CopyReason, type LogChunk, type LogRecord, openCommitLog } from '@orbitmq/storage';
import { SimClock, SimDisk, SimNetwork, type SimSocket } from '@orbitmq/testkit';
import type { FollowerCopy } from './copy.ts';
import { FollowerReplication } from './follower.ts';
import { LeaderReplication } from './leader.ts';
import { READS_MAX } from './session-reads.ts';
import type { FollowerStream, LeaderStream } from './stream.ts';
import { REPLICATION_DEFAULTS } from './times.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
/** No read takes longer: it asks two followers at most. */
const BOUND_MS = 1000;
/** No record that is larger is given. */
const READ_BYTES_MAX = 60_000;

/** A follower with its log, whose stream the test can watch and mute. */
interface Follower {
  readonly disk: SimDisk;
  readonly log: CommitLog;
  readonly replication: FollowerReplication;
  readonly host: string;
  /** Its answers to reads, as they left. */
  readonly answers: FollowerMessage[];
  isMute: boolean;
}

/** A leader over a real log, and followers of it. */
class Bench {
  readonly clock = new SimClock();
  readonly network = new SimNetwork(this.clock, seededRandom(1));
  readonly followers: Follower[] = [];
  readonly #closing: (() => Promise<void>)[] = [];
  log!: CommitLog;
  leader!: LeaderReplication;
  records: LogRecord[] = [];

  static async open({ followerCount = 1, recordCount = 40, payloadBytes = 300 } = {}): Promise<Bench> {
    const bench = new Bench();
    const { clock, network } = bench;
    bench.log = (await bench.#open(0)).log;
    bench.leader = new LeaderReplication({
      ...{ cluster: 'c', shard: 's', member: 0, clientAddress: 'here:1', log: bench.log, clock, logger: SILENT },
      settings: { ...REPLICATION_DEFAULTS, readBytesMax: READ_BYTES_MAX },
      publish: async () => true,
      onNewerEpoch: () => {},
    });
    network.listen('m0', (socket: SimSocket<never, never>) => {
      void bench.leader.accept(socket as unknown as LeaderStream);
    });
    for (let index = 0; index < recordCount; index++) {
      bench.records.push(bench.log.append(8, [Buffer.alloc(payloadBytes, index)]));
    }
    await clock.settle(bench.log.settled());
    for (let member = 1; member <= followerCount; member++) await bench.#follow(member);
    await clock.runUntil(() => bench.leader.inSync.length === 1 + followerCount);
    return bench;
  }

  async #open(member: number): Promise<{ log: CommitLog; disk: SimDisk }> {
    const { clock } = this;
    const disk = new SimDisk({ clock, random: seededRandom(member + 1) });
    const opening = openCommitLog({
      ...{ vfs: disk, clock, random: seededRandom(member + 9), directory: `/${member}` },
      role: member === 0 ? 'leader' : 'follower',
      options: { flushDiskType: 'SYNC_FLUSH', segmentSizeBytes: 8 * MIB, tailCacheBytes: 64 * KIB },
    });
    const log = await clock.settle(opening);
    this.#closing.push(() => log.close());
    return { log, disk };
  }

  async #follow(member: number): Promise<void> {
    const { clock, network } = this;
    const { log, disk } = await this.#open(member);
    const copy: FollowerCopy = {
      replica: log,
      get appliedOffset() {
        return log.confirmedOffset;
      },
      receive: (chunk) => log.receive(chunk),
      confirm: (limit) => log.confirm(limit),
      trim: () => {},
    };
    const host = `m${member}`;
    const connect = (): FollowerStream => {
      const socket = network.connect<never, never>(host, 'm0') as unknown as FollowerStream;
      const write = (message: FollowerMessage): undefined => {
        if (message.readAnswer === undefined) return void socket.write(message);
        follower.answers.push(message);
        if (!follower.isMute) socket.write(message);
      };
      return { write, close: () => socket.close(), incoming: socket.incoming };
    };
    const replication = new FollowerReplication({
      identity: { cluster: 'c', shard: 's', member, incarnation: 'i', version: 'v' },
      host: { copy, cut: async () => {}, startAnew: async () => {} },
      ...{ clock, logger: SILENT, settings: REPLICATION_DEFAULTS, connect },
      ...{ onAccepted: () => {}, onCaughtUp: () => {}, onLost: () => {} },
    });
    const follower: Follower = { disk, log, replication, host, answers: [], isMute: false };
    this.followers.push(follower);
    this.#closing.unshift(() => replication.close());
    replication.follow('m0');
  }

  read(from: number, bytesMax = 4096, why: CopyReason = 'far'): Promise<LogChunk | undefined> {
    return this.clock.settle(this.leader.copies.read(from, bytesMax, why), BOUND_MS + 50);
  }

  async close(): Promise<void> {
    this.leader.close();
    for (const close of this.#closing) await this.clock.settle(close());
  }
}

describe('reads at followers', () => {
  it('give whole records from a follower in sync, as the leader has them', async () => {
    const bench = await Bench.open();
    const [first, second] = bench.records;
    const chunk = await bench.read(first!.physicalOffset, 2000);
    const own = await bench.clock.settle(
      Promise.resolve(bench.log.readChunk(first!.physicalOffset, chunk!.bytes.length)),
    );
    assert.deepEqual(Buffer.from(chunk!.bytes), Buffer.from(own.bytes));
    assert.equal(chunk!.startOffset, first!.physicalOffset);
    assert.ok(chunk!.bytes.length <= 2000 && chunk!.endOffset > second!.physicalOffset);
    // One record is given even when it is larger.
    assert.equal((await bench.read(first!.physicalOffset, 8))?.endOffset, second!.physicalOffset);
    await bench.close();
  });

  it('give nothing that is not confirmed, nothing that is no record, and no more than a bound', async () => {
    const bench = await Bench.open({ recordCount: 60, payloadBytes: 50_000 });
    const { log, records } = bench;
    assert.equal(await bench.read(records[0]!.physicalOffset + 8), undefined);
    assert.equal(await bench.read(log.endOffset), undefined);
    assert.equal(await bench.read(log.endOffset + 4096), undefined);
    const most = await bench.read(records[0]!.physicalOffset, 2 ** 31);
    assert.ok(most!.bytes.length <= READ_BYTES_MAX);
    const large = log.append(8, [Buffer.alloc(READ_BYTES_MAX)]);
    await bench.clock.settle(log.confirmed());
    assert.equal(await bench.read(large.physicalOffset), undefined);
    // The follower has it, but may not hear that anything is confirmed.
    const [{ log: copy }] = bench.followers as [Follower];
    bench.network.link('m1', 'm0', { isCut: true });
    const unconfirmed = log.append(8, [Buffer.alloc(100)]);
    await bench.clock.runUntil(() => copy.storedOffset === log.endOffset);
    const reading = bench.leader.copies.read(unconfirmed.physicalOffset, 4096, 'lost');
    await bench.clock.advance(20);
    bench.network.heal();
    assert.equal(await bench.clock.settle(reading, BOUND_MS), undefined);
    assert.equal(bench.followers[0]!.answers.at(-1)?.readAnswer?.records, undefined);
    await bench.close();
  });

  it('turn to another follower when one can not read, and wait for nobody for long', async () => {
    const bench = await Bench.open({ followerCount: 2 });
    const { clock, followers, records } = bench;
    const { physicalOffset } = records[0]!;
    const [one, other] = followers as [Follower, Follower];
    one.isMute = true;
    const beginMs = clock.monotonicMs();
    assert.notEqual(await bench.read(physicalOffset), undefined);
    assert.ok(clock.monotonicMs() - beginMs <= BOUND_MS);
    // It is left alone for a while, so nobody waits for it again.
    const askedBefore = one.answers.length;
    for (let count = 0; count < 5; count++) {
      const startMs = clock.monotonicMs();
      assert.notEqual(await bench.read(physicalOffset), undefined);
      assert.ok(clock.monotonicMs() - startMs < 50);
    }
    assert.equal(one.answers.length, askedBefore);
    other.isMute = true;
    assert.equal(await bench.read(physicalOffset), undefined);
    one.isMute = false;
    other.isMute = false;
    await clock.advance(5000);
    assert.notEqual(await bench.read(physicalOffset), undefined);
    await bench.close();
  });

  it('ask who is behind only for what is lost, and only for what it has', async () => {
    const bench = await Bench.open({ recordCount: 200, payloadBytes: 5_000 });
    const { clock, network, records, leader, log } = bench;
    // It leaves the in-sync set, and catches up slowly when it is back.
    network.link('m0', 'm1', { isCut: true });
    network.link('m1', 'm0', { isCut: true });
    for (let index = 0; index < 50; index++) log.append(8, [Buffer.alloc(5_000)]);
    await clock.runUntil(() => leader.inSync.length === 1);
    const [{ disk }] = bench.followers as [Follower];
    disk.inject({ operation: 'write', path: 'commitlog', count: 1e9, delayMs: 60_000 });
    network.heal();
    await clock.runUntil(() => leader.followers().some(({ storedOffset }) => storedOffset > 0));
    assert.deepEqual(leader.inSync, [0]);
    const old = records[0]!.physicalOffset;
    assert.equal(await bench.read(old, 4096, 'far'), undefined);
    assert.equal((await bench.read(old, 4096, 'lost'))?.startOffset, old);
    const answersBefore = bench.followers[0]!.answers.length;
    assert.equal(await bench.read(log.endOffset - 5_040, 4096, 'lost'), undefined);
    assert.equal(bench.followers[0]!.answers.length, answersBefore);
    await bench.close();
  });

  it('end when the stream ends, and are expected again for a while', async () => {
    const bench = await Bench.open();
    const { clock, leader, network, followers, records } = bench;
    const { physicalOffset } = records[0]!;
    followers[0]!.isMute = true;
    const reading = leader.copies.read(physicalOffset, 4096, 'far');
    await clock.advance(10);
    await clock.settle(followers[0]!.replication.close());
    const beginMs = clock.monotonicMs();
    assert.equal(await clock.settle(reading, BOUND_MS), undefined);
    assert.ok(clock.monotonicMs() - beginMs < 50, 'it does not wait for who is gone');
    network.kill('m1');
    await clock.advance(20_000);
    assert.deepEqual([leader.copies.areExpected, await bench.read(physicalOffset)], [true, undefined]);
    await clock.advance(20_000);
    assert.equal(leader.copies.areExpected, false);
    await bench.close();
  });

  it('are expected again also of who was there for long', async () => {
    const bench = await Bench.open();
    await bench.clock.advance(60_000);
    await bench.clock.settle(bench.followers[0]!.replication.close());
    await bench.clock.advance(10_000);
    assert.equal(bench.leader.copies.areExpected, true);
    await bench.close();
  });

  it('ask two followers at most', async () => {
    const bench = await Bench.open({ followerCount: 4 });
    for (const follower of bench.followers) follower.isMute = true;
    assert.equal(await bench.read(bench.records[0]!.physicalOffset), undefined);
    assert.equal(bench.followers.filter(({ answers }) => answers.length > 0).length, 2);
    await bench.close();
  });

  it('let a follower that did not answer several of them rest no longer than for one', async () => {
    const bench = await Bench.open();
    const [follower] = bench.followers as [Follower];
    const { physicalOffset } = bench.records[0]!;
    follower.isMute = true;
    await Promise.all(Array.from({ length: READS_MAX }, () => bench.read(physicalOffset)));
    follower.isMute = false;
    await bench.clock.advance(1_100);
    assert.notEqual(await bench.read(physicalOffset), undefined);
    await bench.close();
  });

  it('are over when a follower says that it leaves its copy alone', async () => {
    const bench = await Bench.open({ recordCount: 60, payloadBytes: 50_000 });
    const [{ disk, replication }] = bench.followers as [Follower];
    disk.inject({ operation: 'read', path: 'commitlog', count: 1, delayMs: 5_000 });
    void bench.leader.copies.read(bench.records[0]!.physicalOffset, 4096, 'far');
    await bench.clock.advance(10);
    let isLeftAlone = false;
    const closing = replication.close().then(() => {
      isLeftAlone = true;
    });
    await bench.clock.advance(4_000);
    assert.equal(isLeftAlone, false);
    await bench.clock.settle(closing, 2_000);
    await bench.close();
  });

  it('are bounded in number: more of them find nobody', async () => {
    const bench = await Bench.open();
    bench.followers[0]!.isMute = true;
    const { physicalOffset } = bench.records[0]!;
    const settled: (LogChunk | undefined)[] = [];
    for (let count = 0; count < READS_MAX + 3; count++) {
      void bench.leader.copies.read(physicalOffset, 4096, 'far').then((chunk) => settled.push(chunk));
    }
    await bench.clock.advance(1);
    assert.deepEqual(settled, [undefined, undefined, undefined]);
    await bench.clock.advance(BOUND_MS);
    assert.equal(settled.length, READS_MAX + 3);
    await bench.close();
  });

  it('find nobody while the disk of the follower can not read either', async () => {
    const bench = await Bench.open({ recordCount: 60, payloadBytes: 50_000 });
    const [{ disk }] = bench.followers as [Follower];
    const repair = disk.inject({ operation: 'read', path: 'commitlog', count: 1e9, error: 'EIO' });
    const { physicalOffset } = bench.records[0]!;
    assert.equal(await bench.read(physicalOffset), undefined);
    repair();
    assert.notEqual(await bench.read(physicalOffset), undefined);
    await bench.close();
  });
});
