import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import type { FollowerMessage_Hello } from '@orbitmq/protocol/orbitmq.replication.v1';
import type { Logger } from '@orbitmq/runtime';
import type { EpochStart, LogChunk } from '@orbitmq/storage';
import { SimClock, SimNetwork, type SimSocket } from '@orbitmq/testkit';
import type { FollowerCopy } from './copy.ts';
import { LeaderCatchUp } from './leader-catch-up.ts';
import type { FollowerStream, LeaderStream } from './stream.ts';
import { REPLICATION_DEFAULTS } from './times.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const WAIT_MS = 10_000;

/** A log of which only its bounds matter: record after record of ten bytes. */
class TestLog {
  endOffset: number;
  readonly #epochs: readonly EpochStart[];

  constructor(endOffset: number, epochs: readonly EpochStart[]) {
    this.endOffset = endOffset;
    this.#epochs = epochs;
  }

  hello(member: number): FollowerMessage_Hello {
    return {
      ...{ cluster: 'c', shard: 's', member, incarnation: 'i', version: 'v', logId: 'a1', startOffset: 0n },
      endOffset: BigInt(this.endOffset),
      epochs: this.#epochs.map(({ epoch, startOffset }) => ({
        epoch: BigInt(epoch),
        physicalOffset: BigInt(startOffset),
      })),
      epochSeen: BigInt(this.#epochs.at(-1)!.epoch),
    };
  }

  readChunk(startOffset: number): LogChunk {
    const endOffset = Math.min(this.endOffset, startOffset + 10);
    return { startOffset, endOffset, bytes: Buffer.alloc(endOffset - startOffset) };
  }

  copy(): FollowerCopy {
    const log = this;
    return {
      replica: {
        logId: 'a1',
        startOffset: 0,
        get endOffset() {
          return log.endOffset;
        },
        epochs: () => log.#epochs,
      },
      receive: (chunk: LogChunk) => {
        assert.equal(chunk.startOffset, log.endOffset);
        log.endOffset = chunk.endOffset;
      },
    } as unknown as FollowerCopy;
  }
}

const EPOCHS = [{ epoch: 1, startOffset: 0 }];

class Bench {
  readonly clock = new SimClock();
  readonly master = new TestLog(40, EPOCHS);
  readonly #network = new SimNetwork(this.clock, seededRandom(1));
  readonly catchUp: LeaderCatchUp;

  constructor(members: readonly number[]) {
    this.catchUp = new LeaderCatchUp({
      ...{ cluster: 'c', shard: 's', member: 0, copy: this.master.copy(), members, waitMs: WAIT_MS },
      ...{ clock: this.clock, logger: SILENT, settings: REPLICATION_DEFAULTS },
    });
    this.#network.listen('master', (socket: SimSocket<never, never>) => {
      void this.catchUp.accept(socket as unknown as LeaderStream);
    });
  }

  /** A slave shows what it has. */
  async give(member: number, log: TestLog, changes: Partial<FollowerMessage_Hello> = {}): Promise<void> {
    const stream = this.#network.connect<never, never>('slave', 'master') as unknown as FollowerStream;
    stream.write({ hello: { ...log.hello(member), ...changes } });
    await this.clock.settle(answer(stream, log));
  }

  ended(): Promise<unknown> {
    return this.clock.settle(this.catchUp.ended, 2 * WAIT_MS);
  }
}

/** What a follower does on its stream until that ends. */
async function answer(stream: FollowerStream, log: TestLog): Promise<void> {
  for await (const { fetch } of stream.incoming) {
    if (fetch === undefined) break;
    for (let position = Number(fetch.fromOffset); ; ) {
      const { startOffset, endOffset, bytes } = log.readChunk(position);
      stream.write({ records: { startOffset: BigInt(startOffset), endOffset: BigInt(endOffset), records: bytes } });
      if (endOffset === position) break;
      position = endOffset;
    }
  }
  stream.close();
}

describe('a leader that catches up before it leads', () => {
  it('takes what a slave has more, and waits for nobody else when that was the last', async () => {
    const bench = new Bench([1]);
    await bench.give(1, new TestLog(95, EPOCHS));
    assert.deepEqual(await bench.ended(), { epochSeen: 1, isComplete: true });
    assert.equal(bench.master.endOffset, 95);
    assert.ok(bench.clock.monotonicMs() < 1000);
  });

  it('gives others that were in sync a moment, and takes the most', async () => {
    const bench = new Bench([1, 2]);
    await bench.give(1, new TestLog(60, EPOCHS));
    await bench.give(2, new TestLog(80, EPOCHS));
    await bench.give(3, new TestLog(70, EPOCHS));
    assert.deepEqual(await bench.ended(), { epochSeen: 1, isComplete: true });
    assert.equal(bench.master.endOffset, 80);
  });

  it('waits its time for those alone that were in sync', async () => {
    const bench = new Bench([1]);
    await bench.give(2, new TestLog(60, EPOCHS));
    assert.deepEqual(await bench.ended(), { epochSeen: 1, isComplete: false });
    assert.ok(bench.clock.monotonicMs() >= WAIT_MS);
    assert.equal(bench.master.endOffset, 60);
  });

  it('takes nothing of a log that is another one, or went another way, and leads above its epoch', async () => {
    const bench = new Bench([1, 2]);
    await bench.give(1, new TestLog(90, EPOCHS), { logId: 'b2' });
    await bench.give(1, new TestLog(90, EPOCHS), { shard: 'another' });
    await bench.give(0, new TestLog(90, EPOCHS));
    assert.equal(bench.master.endOffset, 40);
    await bench.give(1, new TestLog(90, [...EPOCHS, { epoch: 7, startOffset: 30 }]));
    assert.deepEqual(await bench.ended(), { epochSeen: 7, isComplete: true });
    assert.equal(bench.master.endOffset, 40);
  });

  it('goes by no epoch that no log can have, as it could not lead above it', async () => {
    const bench = new Bench([1]);
    await bench.give(1, new TestLog(90, EPOCHS), { epochSeen: 2n ** 40n });
    await bench.give(1, new TestLog(90, [...EPOCHS, { epoch: 2 ** 32 - 1, startOffset: 80 }]));
    assert.equal(bench.master.endOffset, 40);
    await bench.give(1, new TestLog(60, EPOCHS));
    assert.deepEqual(await bench.ended(), { epochSeen: 1, isComplete: true });
  });

  it('takes nothing once it is closed', async () => {
    const bench = new Bench([1]);
    bench.catchUp.close();
    assert.equal(await bench.ended(), undefined);
    await bench.give(1, new TestLog(90, EPOCHS));
    assert.equal(bench.master.endOffset, 40);
  });
});
