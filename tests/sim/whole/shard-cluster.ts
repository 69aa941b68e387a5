import { seededRandom } from '@orbitmq/base';
import type { OpenedShard, ShardOptions } from '@orbitmq/shard';
import type { SimClock } from '@orbitmq/testkit';
import type { Answer, ClusterEvents, ClusterUnderTest, Mishap } from './cluster.ts';
import { OpenCalls } from './open-calls.ts';
import { type Place, ShardClient } from './shard-client.ts';
import { ShardProcess, type Stop } from './shard-process.ts';

const SEGMENT_SIZES = [8192, 16384, 65536];
/** Longer than any history, also when the wall clock jumps. */
const NEVER_MS = 1e9;
/** Far beyond what a history lasts, also when the wall clock jumps: what was sent before is always known. */
const DEDUP_WINDOW_MS = 86_400_000;

/** One shard in one process, over a simulated disk that breaks. */
export class ShardCluster extends ShardClient implements ClusterUnderTest {
  readonly retentionMs: number;
  readonly forgets: boolean;
  readonly description: string;
  readonly mishaps: readonly Mishap[];
  readonly #process: ShardProcess;
  readonly #calls: OpenCalls;
  #events!: ClusterEvents;

  constructor(clock: SimClock, seed: number) {
    const random = seededRandom(seed * 4 + 3);
    super(clock, random);
    const pick = <Item>(items: readonly Item[]): Item => items[random.below(items.length)]!;
    const segmentSizeBytes = pick(SEGMENT_SIZES);
    const nature = pick(['still', 'still', 'removing', 'full', 'jumping']);
    const flushDiskType = pick(['SYNC_FLUSH', 'SYNC_FLUSH', 'ASYNC_FLUSH'] as const);
    this.forgets = flushDiskType === 'ASYNC_FLUSH';
    this.description = `${flushDiskType}, segments of ${segmentSizeBytes} bytes, ${nature}`;
    const retentionMs = nature === 'removing' ? pick([1500, 4000]) : NEVER_MS;
    // A disk that is nearly full has its oldest segments removed before their time.
    this.retentionMs = nature === 'full' ? 0 : retentionMs;
    const options: ShardOptions = {
      log: {
        flushDiskType,
        segmentSizeBytes,
        recordBytesMax: 4096,
        unsettledBytesMax: 65536,
        tailCacheBytes: 65536,
        flushIntervalMs: 100,
      },
      outstandingMax: pick([60, 1000]),
      retentionMs,
      retentionIntervalMs: 500,
      heldAfterExpiryMs: pick([0, 3000]),
      diskReserveBytes: 3 * segmentSizeBytes,
      dedupWindowMs: DEDUP_WINDOW_MS,
    };
    this.#process = new ShardProcess(clock, seed, options);
    this.#calls = new OpenCalls(() => this.#process.hasFailed);
    const isCalm = random.below(6) === 0;
    this.mishaps = isCalm ? [] : this.#mishaps(nature);
  }

  async start(events: ClusterEvents): Promise<void> {
    this.#events = events;
    await this.#process.start();
  }

  async heal(): Promise<void> {
    if (this.#process.hasFailed) await this.#restart(this.#pick(['kill', 'power']));
  }

  async calm(): Promise<void> {
    this.#process.emptyDisk();
    this.#process.setClockRight();
    await this.#restart(this.#pick(['clean', 'kill', 'power']));
  }

  async verify(): Promise<void> {
    await this.#process.compareWithReplay(true);
  }

  async stop(): Promise<void> {
    await this.clock.settle(this.#process.shard.close());
  }

  // ── calls ──

  protected looked(): OpenedShard {
    return this.#process.shard;
  }

  protected call<Value>(run: (at: Place) => Promise<Value>): Promise<Answer<Value>> {
    return this.#calls.of(() => {
      const shard = this.#process.shard;
      return run({
        shard,
        isOver: () => shard !== this.#process.shard,
        checkCurrent() {},
        acknowledged() {},
        touched() {},
      });
    });
  }

  // ── inside ──

  #mishaps(nature: string): Mishap[] {
    const disk = (): ShardProcess['disk'] => this.#process.disk;
    const error = 'EIO';
    const mishaps: Record<string, [number, () => unknown]> = {
      kill: [3, () => this.#restart('kill')],
      power: [4, () => this.#restart('power')],
      clean: [2, () => this.#restart('clean')],
      snapshot: [4, () => void this.looked().snapshot()],
      'snapshot, then power': [3, () => this.#snapshotAndCrash()],
      'slow disk': [
        3,
        () => disk().inject({ operation: this.#pick(['write', 'sync']), delayMs: this.random.below(300), count: 3 }),
      ],
      'log fails': [
        2,
        () =>
          disk().inject({
            operation: this.#pick(['write', 'sync'] as const),
            path: 'commitlog',
            error,
            after: this.random.below(4),
          }),
      ],
      'views fail': [
        3,
        () =>
          disk().inject({
            operation: this.#pick(['write', 'sync', 'rename', 'syncDirectory', 'open'] as const),
            path: this.#pick(['queueindex', 'snapshots']),
            error,
            after: this.random.below(3),
          }),
      ],
      'compare with replay': [2, () => this.#process.compareWithReplay(this.random.below(2) === 0)],
      'recover twice': [1, () => this.#process.recoverTwice()],
    };
    if (nature === 'removing') mishaps['time passes'] = [8, () => this.clock.advance(1000 + this.random.below(2500))];
    if (nature === 'jumping') {
      mishaps['wall clock jumps'] = [5, () => this.#process.jumpWall(this.#pick([-3_600_000, 3_600_000, -1000, 5000]))];
    }
    if (nature === 'full') {
      const segment = this.#process.options.log.segmentSizeBytes!;
      mishaps['disk full'] = [5, () => this.#process.fillDisk(this.random.below(3) * segment)];
      mishaps['disk emptied'] = [4, () => this.#process.emptyDisk()];
    }
    return Object.entries(mishaps).map(([name, [weight, run]]) => ({
      name,
      weight,
      run: async () => {
        await run();
      },
    }));
  }

  async #restart(how: Stop): Promise<void> {
    await this.#process.end(how, ({ forgottenFromMs }) => {
      this.#calls.abandon();
      this.#events.onDeath(forgottenFromMs);
    });
    const agedMs = await this.#process.start();
    this.#events.onStart(agedMs);
  }

  /** The power fails while a snapshot is written, or just after. */
  async #snapshotAndCrash(): Promise<void> {
    void this.looked().snapshot();
    await this.clock.advance(this.random.below(20));
    await this.#restart('power');
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.random.below(items.length)]!;
  }
}
