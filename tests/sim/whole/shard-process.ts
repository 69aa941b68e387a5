import assert from 'node:assert/strict';
import { type Random, seededRandom } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { type OpenedShard, openShard, type ShardOptions } from '@orbitmq/shard';
import { type SimClock, SimDisk, type SimProcessClock } from '@orbitmq/testkit';

const DIRECTORY = '/store';
const CAPACITY_BYTES = 2 ** 30;
/** Under ASYNC_FLUSH a power loss may cost what was answered so shortly before. */
const FORGOTTEN_MS = 1500;
const silent: Logger = { child: () => silent, debug() {}, info() {}, warn() {}, error() {} };

export type Stop = 'clean' | 'kill' | 'power';

/** How a process came to its end. */
export interface Death {
  readonly forgottenFromMs: number;
}

/** What a recovery has found. */
interface RecoveredState {
  readonly position: number;
  readonly checksum: number;
  /** Something was due, and has been stored at once. */
  readonly hasGrown: boolean;
}

/** A shard's process over a simulated disk: it starts, dies, and starts again on what the disk has kept. */
export class ShardProcess {
  readonly options: ShardOptions;
  readonly #clock: SimClock;
  readonly #random: Random;
  readonly #seed: number;
  #disk: SimDisk;
  #shard!: OpenedShard;
  #processClock!: SimProcessClock;
  #life = 0;
  #failedAtMs = Number.POSITIVE_INFINITY;
  /** Since the start of the process, and in all. */
  #wallJumpedMs = 0;
  #wallShiftMs = 0;
  #wallShiftHighestMs = 0;

  constructor(clock: SimClock, seed: number, options: ShardOptions) {
    this.#clock = clock;
    this.#seed = seed;
    this.#random = seededRandom(seed * 4 + 1);
    this.options = options;
    this.#disk = new SimDisk({ clock, random: seededRandom(seed * 4 + 2), capacityBytes: CAPACITY_BYTES });
  }

  get shard(): OpenedShard {
    return this.#shard;
  }

  get disk(): SimDisk {
    return this.#disk;
  }

  get hasFailed(): boolean {
    return Number.isFinite(this.#failedAtMs);
  }

  /** @returns by how much leases may have aged beyond what the clock says */
  async start(): Promise<number> {
    this.#failedAtMs = Number.POSITIVE_INFINITY;
    this.#processClock = this.#clock.process();
    const agedMs = Math.max(0, this.#wallJumpedMs);
    this.#wallJumpedMs = 0;
    const onFailure = (): void => {
      this.#failedAtMs = this.#clock.monotonicMs();
    };
    this.#shard = await this.#clock.settle(this.#open(this.#disk, this.#processClock, onFailure));
    return agedMs;
  }

  /**
   * Ends the process, in order or not.
   * @param onDead hears of it at the moment of its death, before anything else happens
   */
  async end(how: Stop, onDead: (death: Death) => void): Promise<void> {
    const stopped = this.#shard;
    const hadFailed = this.hasFailed;
    const isClean = how === 'clean' && !hadFailed;
    if (isClean) {
      this.#disk.setCapacity(CAPACITY_BYTES);
      await this.#clock.settle(stopped.close()).catch((error: Error) => {
        if (!this.hasFailed) throw error;
      });
    }
    this.#life++;
    this.#processClock.stop();
    const random = seededRandom(this.#random.below(2 ** 31));
    const endedAtMs = Math.min(this.#failedAtMs, this.#clock.monotonicMs());
    this.#disk = how === 'power' ? this.#disk.crash(random) : this.#disk.kill(random);
    this.#disk.setCapacity(CAPACITY_BYTES);
    const forgets = how === 'power' && this.options.log.flushDiskType === 'ASYNC_FLUSH';
    onDead({ forgottenFromMs: forgets ? endedAtMs - FORGOTTEN_MS : Number.POSITIVE_INFINITY });
    if (!isClean || this.hasFailed) return;
    const found = await this.#recoverCopy(this.#disk, false);
    const { position, checksum } = stopped.checksum();
    // A timer may have fired, or a lease ended, as soon as it served again.
    if (found.position !== position) return;
    assert.equal(found.checksum, checksum, 'a clean stop and start changes no state');
  }

  jumpWall(byMs: number): void {
    this.#clock.jumpWall(byMs);
    this.#wallJumpedMs += byMs;
    this.#wallShiftMs += byMs;
    this.#wallShiftHighestMs = Math.max(this.#wallShiftHighestMs, this.#wallShiftMs);
  }

  /** A wall clock that was set back goes right again: nobody has to wait an hour for what is due in a second. */
  setClockRight(): void {
    if (this.#wallShiftMs < this.#wallShiftHighestMs) this.jumpWall(this.#wallShiftHighestMs - this.#wallShiftMs);
  }

  fillDisk(leftBytes: number): void {
    let usedBytes = 0;
    for (const bytes of this.#disk.image().values()) usedBytes += bytes.length;
    this.#disk.setCapacity(usedBytes + leftBytes);
  }

  emptyDisk(): void {
    this.#disk.setCapacity(CAPACITY_BYTES);
  }

  /** What a replay of everything that can be read gives is what the live views say. */
  async compareWithReplay(withoutViews: boolean): Promise<void> {
    if (!(await this.#isQuiet())) return;
    const live = this.#shard.checksum();
    const replayed = await this.#recoverCopy(this.#disk, withoutViews);
    // Something may have fired between.
    if (replayed.position !== live.position) return;
    assert.equal(replayed.checksum, live.checksum, 'a replay gives the state of the live views');
  }

  /** Recovery of a crashed log changes nothing when it is done again. */
  async recoverTwice(): Promise<void> {
    const crashed = this.#disk.copy().crash(seededRandom(this.#random.below(2 ** 31)));
    const clock = this.#clock.process();
    await this.#clock.settle(this.#open(crashed, clock, () => {}));
    clock.stop();
    // It must not go on in the dark: retention, say, would still append.
    const recovered = crashed.kill();
    const first = recovered.image();
    const once = await this.#recoverCopy(recovered, false);
    const again = recovered.copy();
    const twice = await this.#recoverCopy(again, true);
    // What is made at the start, as a topic for dead letters, has the time at which it was made.
    if (!once.hasGrown && !twice.hasGrown) {
      assert.equal(twice.checksum, once.checksum, 'a second recovery gives the same state');
    }
    for (const [path, bytes] of again.image()) {
      if (!path.includes('commitlog')) continue;
      const before = first.get(path) ?? Buffer.alloc(0);
      assert.ok(Buffer.compare(bytes, before) === 0, `a second recovery leaves ${path} alone`);
    }
  }

  /** Waits until nothing is under way; false when the process ends over it. */
  async #isQuiet(): Promise<boolean> {
    for (let round = 0; round < 20; round++) {
      if (this.hasFailed) return false;
      const { position } = this.#shard.checksum();
      const { logEndOffset, logFlushedOffset } = this.#shard.statistics();
      if (logEndOffset === position && logFlushedOffset === position) return true;
      await this.#clock.advance(40);
    }
    return false;
  }

  /** State of a copy of the files, as recovery finds it before time goes on. */
  async #recoverCopy(disk: SimDisk, withoutViews: boolean): Promise<RecoveredState> {
    const copy = disk.copy();
    copy.setCapacity(CAPACITY_BYTES);
    if (withoutViews) {
      for (const path of copy.image().keys()) {
        if (/queueindex|snapshots/.test(path)) await this.#clock.settle(copy.remove(path));
      }
    }
    const clock = this.#clock.process();
    const shard = await this.#clock.settle(this.#open(copy, clock, () => {}));
    const { position, checksum } = shard.checksum();
    const hasGrown = position > shard.recovery.endOffset;
    clock.stop();
    copy.kill();
    return { position, checksum, hasGrown };
  }

  #open(vfs: SimDisk, clock: SimProcessClock, onFailure: () => void): Promise<OpenedShard> {
    const random = seededRandom(this.#seed + this.#life);
    return openShard({ vfs, clock, random, logger: silent, directory: DIRECTORY, options: this.options, onFailure });
  }
}
