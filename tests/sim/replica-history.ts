import assert from 'node:assert/strict';
import { type Random, seededRandom } from '@orbitmq/base';
import {
  type CommitLog,
  type CommitLogOptions,
  type EpochStart,
  type LeadOptions,
  type LogRole,
  openCommitLog,
  truncateLog,
} from '@orbitmq/storage';
import { SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';

const TYPE = 8;
const DIRECTORY = '/data';
const ROUNDS_MAX = 5;

/** A node that holds one copy. */
interface Node {
  disk: SimDisk;
  process: SimProcessClock;
  log: CommitLog | undefined;
  /** Of a log that is not open: everything before this byte outlives a loss of power. */
  flushedOffset: number;
}

/** A record that its leader has appended. */
interface Appended {
  readonly id: number;
  readonly physicalOffset: number;
  readonly endOffset: number;
}

type End = 'power' | 'kill' | 'close';

/** What a history has done. */
export interface ReplicaSummary {
  readonly confirmedCount: number;
  readonly cutCount: number;
  readonly promotionCount: number;
}

/**
 * One seeded history of two copies of a log on simulated disks, which take turns in leading: lives that end by a loss of power, a kill
 * or a clean stop of one or both, also in the middle of a recovery, a truncation or a promotion. What was confirmed is never
 * missing (but for what a loss of power costs where nobody waits for the disk), no copy takes a torn tail for damage, and in the end
 * both have the same bytes.
 */
export class ReplicaHistory {
  readonly #random: Random;
  readonly #clock = new SimClock();
  readonly #options: CommitLogOptions;
  readonly #nodes: Node[];
  #leader = 0;
  #records: Appended[] = [];
  #confirmedOffset = 0;
  #nextId = 1;
  #epoch = 0;
  #confirmedCount = 0;
  #cutCount = 0;
  #promotionCount = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const segmentSizeBytes = 4096 * (1 + this.#random.below(4));
    this.#options = {
      flushDiskType: this.#random.below(3) === 0 ? 'ASYNC_FLUSH' : 'SYNC_FLUSH',
      flushIntervalMs: 20,
      segmentSizeBytes,
      recordBytesMax: segmentSizeBytes / 2,
      unsettledBytesMax: 1 << 20,
      tailCacheBytes: 1 << 16,
      flushMarkDelayMs: 5 + this.#random.below(30),
      zeroFill: this.#random.below(4) === 0,
    };
    this.#nodes = [0, 1].map(() => {
      const process = this.#clock.process();
      const disk = new SimDisk({ clock: process, random: this.#random, latencyMs: 1, syncLatencyMs: 5 });
      return { disk, process, log: undefined, flushedOffset: 0 };
    });
  }

  async run(): Promise<ReplicaSummary> {
    const rounds = 2 + this.#random.below(ROUNDS_MAX - 1);
    for (let round = 0; round < rounds; round++) {
      await this.#begin();
      // Now and then a copy dies over the first that it is given.
      const isShort = this.#random.below(4) === 0;
      await this.#live(isShort);
      await this.#end(isShort);
    }
    await this.#begin();
    await this.#equalize();
    return {
      confirmedCount: this.#confirmedCount,
      cutCount: this.#cutCount,
      promotionCount: this.#promotionCount,
    };
  }

  get #leading(): CommitLog {
    return this.#nodes[this.#leader]!.log!;
  }

  get #following(): CommitLog {
    return this.#nodes[1 - this.#leader]!.log!;
  }

  /** Makes a leader, and brings the other one to where it can follow. */
  async #begin(): Promise<void> {
    const leader = this.#nodes[this.#leader]!;
    if (leader.log === undefined) {
      await this.#maybeInterrupt(leader, () => this.#open(leader, 'leader'));
      if (this.#random.below(2) === 0) leader.log = await this.#clock.settle(this.#open(leader, 'leader'));
      else await this.#promote(leader);
    } else if (leader.log.role === 'follower') {
      await this.#promote(leader);
    }
    await this.#checkContent();
    const follower = this.#nodes[1 - this.#leader]!;
    follower.log ??= await this.#openFollower(follower);
    await this.#cut(follower);
  }

  /** A follower becomes leader, perhaps only at the second try. */
  async #promote(node: Node): Promise<void> {
    this.#promotionCount++;
    await this.#maybeInterrupt(node, async () => {
      const log = await this.#open(node, 'follower');
      await log.lead(this.#lead());
    });
    node.log ??= await this.#openFollower(node);
    await this.#clock.settle(node.log.lead(this.#lead()));
    if (this.#random.below(3) > 0) return;
    await this.#clock.advance(this.#random.below(8));
    await this.#endOne(node, 'power');
    node.log = await this.#clock.settle(this.#open(node, 'leader'));
  }

  /** What the other one has and this leader has not goes. */
  async #cut(node: Node): Promise<void> {
    const [leader, follower] = [this.#leading, node.log!];
    const to = commonEnd(leader, follower);
    if (to >= follower.endOffset) return;
    this.#cutCount++;
    await this.#close(node);
    const cut = (): Promise<void> => {
      const { segmentSizeBytes } = this.#options;
      const settings = segmentSizeBytes === undefined ? {} : { segmentSizeBytes };
      return truncateLog({ vfs: node.disk, clock: node.process, directory: DIRECTORY, ...settings }, to, 0);
    };
    await this.#maybeInterrupt(node, cut);
    await this.#clock.settle(cut());
    node.log = await this.#openFollower(node);
    assert.equal(node.log.endOffset, to, 'the cut is not where it should be');
  }

  async #maybeInterrupt(node: Node, action: () => Promise<unknown>): Promise<void> {
    if (this.#random.below(2) === 0) return;
    if (node.log !== undefined) await this.#close(node);
    action().catch(() => {});
    await this.#clock.advance(this.#random.below(60));
    this.#replace(node, this.#random.below(3) === 0 ? 'kill' : 'power');
  }

  async #openFollower(node: Node): Promise<CommitLog> {
    return await this.#clock.settle(this.#open(node, 'follower'));
  }

  #open({ disk, process }: Node, role: LogRole): Promise<CommitLog> {
    return openCommitLog({
      vfs: disk,
      clock: process,
      random: this.#random,
      directory: DIRECTORY,
      options: this.#options,
      role,
      ...(role === 'leader' && { lead: this.#lead() }),
      onFailure: (error) => assert.fail(error),
    });
  }

  /** No two leaders have the same epoch: in a cluster the Lease sees to it. */
  #lead(): LeadOptions {
    return { acknowledge: 'confirmed', epoch: ++this.#epoch };
  }

  async #checkContent(): Promise<void> {
    const log = this.#leading;
    const found: { id: number; physicalOffset: number }[] = [];
    await this.#clock.settle(
      log.scan(log.startOffset, log.endOffset, ({ type, payload, physicalOffset }) => {
        assert.equal(type, TYPE);
        found.push({ id: Buffer.from(payload).readUInt32LE(0), physicalOffset });
      }),
    );
    const kept = this.#records.slice(0, found.length);
    assert.deepEqual(
      found,
      kept.map(({ id, physicalOffset }) => ({ id, physicalOffset })),
    );
    const missing = this.#records[found.length];
    if (missing !== undefined) assert.ok(missing.endOffset > this.#confirmedOffset, `record ${missing.id} is lost`);
    this.#records = kept;
    this.#confirmedCount += kept.filter(({ endOffset }) => endOffset <= this.#confirmedOffset).length;
  }

  async #live(isShort: boolean): Promise<void> {
    const random = this.#random;
    // Nothing is confirmed without the other one.
    this.#leading.confirm(0);
    for (let step = isShort ? 0 : random.below(60); step > 0; step--) {
      const dice = random.below(12);
      if (dice < 5) this.#append(1 + random.below(6));
      else if (dice < 8) await this.#give(1 + random.below(6000));
      else if (dice < 10) await this.#clock.advance(random.below(20));
      else this.#confirm();
    }
  }

  #append(count: number): void {
    for (let index = 0; index < count; index++) {
      const id = this.#nextId++;
      const payload = Buffer.alloc(4 + this.#random.below(this.#random.below(8) === 0 ? 1900 : 200), id);
      payload.writeUInt32LE(id, 0);
      const { physicalOffset, length } = this.#leading.append(TYPE, [payload]);
      this.#records.push({ id, physicalOffset, endOffset: physicalOffset + length });
    }
  }

  async #give(bytesMax: number): Promise<void> {
    const [leader, follower] = [this.#leading, this.#following];
    const chunk = await this.#clock.settle(Promise.resolve(leader.readChunk(follower.endOffset, bytesMax)));
    follower.receive(chunk);
  }

  /** The follower has told what it has stored; the leader tells what is confirmed. */
  #confirm(): void {
    const [leader, follower] = [this.#leading, this.#following];
    leader.confirm(follower.storedOffset);
    follower.confirm(leader.confirmedOffset);
    this.#confirmedOffset = Math.max(this.#confirmedOffset, Math.min(leader.storedOffset, follower.storedOffset));
  }

  /** The follower is in the midst of storing what its leader has fsynced long ago, batch by batch. */
  async #lagBehind(): Promise<void> {
    const leader = this.#leading;
    for (let batch = 2 + this.#random.below(6); batch > 0; batch--) {
      this.#append(1 + this.#random.below(5));
      await this.#clock.runUntil(() => leader.storedOffset === leader.endOffset);
    }
    const end = leader.storedOffset;
    const chunks = [];
    for (let from = this.#following.endOffset; from < end; from = chunks.at(-1)!.endOffset) {
      chunks.push(await this.#clock.settle(Promise.resolve(leader.readChunk(from, 9000))));
    }
    await this.#clock.advance(10);
    for (const chunk of chunks) if (chunk.startOffset === this.#following.endOffset) this.#following.receive(chunk);
    await this.#clock.advance(this.#random.below(8));
  }

  async #end(isShort: boolean): Promise<void> {
    const random = this.#random;
    if (isShort || random.below(2) === 0) await this.#lagBehind();
    const ends: End[] = ['power', 'power', 'kill', 'close'];
    const which = random.below(4);
    for (const [index, node] of this.#nodes.entries()) {
      if (which === 3 || which === 2 || which === index) await this.#endOne(node, ends[random.below(4)]!);
    }
    if (random.below(2) === 0) this.#leader = 1 - this.#leader;
    // A leader that is not to lead any more is opened again.
    const other = this.#nodes[1 - this.#leader]!;
    if (other.log?.role === 'leader') await this.#endOne(other, 'close');
  }

  async #endOne(node: Node, end: End): Promise<void> {
    if (end === 'close') {
      await this.#close(node);
    } else {
      node.flushedOffset = node.log!.flushedOffset;
      node.log = undefined;
    }
    this.#replace(node, end === 'close' ? 'kill' : end);
  }

  async #close(node: Node): Promise<void> {
    await this.#clock.settle(node.log!.close());
    node.flushedOffset = node.log!.flushedOffset;
    node.log = undefined;
  }

  #replace(node: Node, how: 'power' | 'kill'): void {
    // Any copy may lead next, here: in a cluster the one that has everything.
    if (how === 'power') this.#confirmedOffset = Math.min(this.#confirmedOffset, node.flushedOffset);
    node.process.stop();
    node.process = this.#clock.process();
    node.disk =
      how === 'power'
        ? node.disk.crash(this.#random, undefined, node.process)
        : node.disk.kill(this.#random, node.process);
  }

  async #equalize(): Promise<void> {
    const [leader, follower] = [this.#leading, this.#following];
    this.#append(1);
    const ownEnd = leader.endOffset;
    await this.#clock.runUntil(() => leader.storedOffset >= ownEnd);
    while (follower.endOffset < ownEnd) await this.#give(3000);
    await this.#clock.runUntil(() => follower.storedOffset >= ownEnd);
    this.#confirm();
    await this.#checkContent();
    assert.deepEqual(follower.epochs(), leader.epochs());
    const end = follower.storedOffset;
    let position = 0;
    while (position < end) {
      const one = await this.#clock.settle(Promise.resolve(leader.readChunk(position, 5000)));
      const other = await this.#clock.settle(Promise.resolve(follower.readChunk(position, one.bytes.length)));
      assert.deepEqual(Buffer.from(other.bytes), Buffer.from(one.bytes).subarray(0, other.bytes.length));
      position = other.endOffset;
    }
  }
}

/** Where the newest epoch that both have ends, as far as both have it. */
function commonEnd(one: CommitLog, other: CommitLog): number {
  // Nothing was confirmed when the other one, which was empty, began another log.
  if (one.logId !== other.logId) return 0;
  for (const { epoch, startOffset } of one.epochs().toReversed()) {
    const same = other.epochs().find((start) => start.epoch === epoch);
    if (same === undefined || same.startOffset !== startOffset) continue;
    return Math.min(endOf(one, epoch), endOf(other, epoch));
  }
  return 0;
}

function endOf(log: CommitLog, epoch: number): number {
  return log.epochs().find((start: EpochStart) => start.epoch > epoch)?.startOffset ?? log.endOffset;
}
