import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MIB, seededRandom } from '@orbitmq/base';
import type { FollowerMessage, LeaderMessage } from '@orbitmq/protocol/orbitmq.replication.v1';
import type { Logger } from '@orbitmq/runtime';
import type { LogChunk } from '@orbitmq/storage';
import { SimClock, SimNetwork, type SimSocket } from '@orbitmq/testkit';
import type { FollowerCopy } from './copy.ts';
import { type FollowerHost, FollowerReplication } from './follower.ts';
import { REPLICATION_DEFAULTS } from './times.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const EPOCH = 3;
/** What the copy applies in a millisecond. Bytes. */
const APPLIED_PER_MS = 64 * 1024;
const CHUNK_BYTES = MIB;
/** The leader has confirmed far more than the copy has. */
const NOTHING: LeaderMessage = { sequence: 0n, epoch: BigInt(EPOCH), confirmedOffset: 2n ** 40n };

/** A copy that stores at once, and applies what is confirmed in its own time. */
class SlowCopy {
  endOffset: number;
  confirmedOffset = 0;
  appliedOffset = 0;
  readonly #clock: SimClock;
  #isApplying = false;

  constructor(clock: SimClock, endOffset: number) {
    this.#clock = clock;
    this.endOffset = endOffset;
  }

  copy(): FollowerCopy {
    const copy = this;
    const replica = {
      ...{ logId: 'a1', startOffset: 0, epoch: EPOCH, epochs: () => [{ epoch: EPOCH, startOffset: 0 }] },
      get endOffset() {
        return copy.endOffset;
      },
      get storedOffset() {
        return copy.endOffset;
      },
      get confirmedOffset() {
        return copy.confirmedOffset;
      },
      onStored: () => () => {},
    };
    return {
      replica,
      get appliedOffset() {
        return copy.appliedOffset;
      },
      receive: (chunk: LogChunk) => {
        copy.endOffset = chunk.endOffset;
      },
      confirm: (limit: number) => {
        copy.confirmedOffset = Math.max(copy.confirmedOffset, Math.min(limit, copy.endOffset));
        if (!copy.#isApplying) copy.#apply();
      },
      trim: () => {},
    } as unknown as FollowerCopy;
  }

  #apply(): void {
    this.#isApplying = this.appliedOffset < this.confirmedOffset;
    if (!this.#isApplying) return;
    this.#clock.setTimer(1, () => {
      this.appliedOffset = Math.min(this.confirmedOffset, this.appliedOffset + APPLIED_PER_MS);
      this.#apply();
    });
  }
}

/** A follower, and its leader as the test plays it. */
class Bench {
  readonly clock = new SimClock();
  readonly copy: SlowCopy;
  readonly heard: FollowerMessage[] = [];
  readonly follower: FollowerReplication;
  #leader: SimSocket<FollowerMessage, LeaderMessage> | undefined;
  #sequence = 0n;

  constructor(storedBytes: number) {
    this.copy = new SlowCopy(this.clock, storedBytes);
    const network = new SimNetwork(this.clock, seededRandom(1));
    network.listen('leader', (socket: SimSocket<FollowerMessage, LeaderMessage>) => {
      this.#leader = socket;
      void this.#listen(socket);
    });
    this.follower = new FollowerReplication({
      identity: { cluster: 'c', shard: 's', member: 1, incarnation: 'i', version: 'v' },
      host: { copy: this.copy.copy(), cut: async () => {}, startAnew: async () => {} } as FollowerHost,
      ...{ clock: this.clock, logger: SILENT, settings: REPLICATION_DEFAULTS },
      connect: () => network.connect<LeaderMessage, FollowerMessage>('follower', 'leader'),
      onAccepted: () => {},
      onCaughtUp: () => {},
      onLost: () => {},
    });
    this.follower.follow('leader:1');
  }

  async #listen(socket: SimSocket<FollowerMessage, LeaderMessage>): Promise<void> {
    for await (const message of socket.incoming) this.heard.push(message);
  }

  /** @returns its number */
  say(content: Partial<LeaderMessage>): bigint {
    this.#leader!.write({ ...NOTHING, sequence: ++this.#sequence, ...content });
    return this.#sequence;
  }

  welcome(): void {
    const at = BigInt(this.copy.endOffset);
    this.say({
      welcome: {
        ...{ logId: 'a1', startOffset: 0n, endOffset: at, cutOffset: at, startAnew: false },
        ...{ member: 0, clientAddress: 'leader:2' },
      },
    });
  }

  /** @param atOffset where the records begin */
  records(atOffset = this.copy.endOffset): void {
    const [startOffset, endOffset] = [BigInt(atOffset), BigInt(atOffset + CHUNK_BYTES)];
    this.say({ records: { startOffset, endOffset, records: Buffer.alloc(8) } });
  }

  beat(): bigint {
    return this.say({ heartbeat: { startOffset: 0n, endOffset: BigInt(this.copy.endOffset), inSync: [0, 1] } });
  }

  hasAnswered(sequence: bigint): boolean {
    return this.heard.some(({ position }) => position?.sequence === sequence);
  }
}

describe('a follower', () => {
  it('answers its leader, and goes on storing, while it has much to apply that was there before', async () => {
    const bench = new Bench(1024 * MIB);
    await bench.clock.advance(10);
    bench.welcome();
    await bench.clock.advance(10);
    bench.records();
    await bench.clock.advance(10);
    const sequence = bench.beat();
    await bench.clock.advance(REPLICATION_DEFAULTS.heartbeatIntervalMs);
    assert.ok(bench.copy.confirmedOffset - bench.copy.appliedOffset > 512 * MIB);
    assert.ok(bench.hasAnswered(sequence));
    await bench.follower.close();
  });

  it('takes no more than it can apply from memory when it catches up', async () => {
    const bench = new Bench(0);
    await bench.clock.advance(10);
    bench.welcome();
    await bench.clock.advance(10);
    for (let index = 0; index < 40; index++) bench.records(index * CHUNK_BYTES);
    for (let step = 0; step < 2000 && bench.copy.appliedOffset < 40 * CHUNK_BYTES; step++) {
      await bench.clock.advance(1);
      assert.ok(bench.copy.endOffset - bench.copy.appliedOffset < 8 * MIB);
    }
    assert.equal(bench.copy.appliedOffset, 40 * CHUNK_BYTES);
    await bench.follower.close();
  });
});
