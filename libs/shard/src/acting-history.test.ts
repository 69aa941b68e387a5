import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Random, seededRandom } from '@orbitmq/base';
import type { Delivery, OpenedShard } from './index.ts';
import { ActingPair, MASTER, numberOf, SLAVE } from './test-acting.ts';

const HISTORIES = Number(process.env.SEEDS ?? 60);
const COUNT = 30;
/** Longer than any lease. */
const LONG_MS = 120_000;

/** Consumers of one group, at the master and at the slave that stands in, in an order of chance. */
class History {
  readonly pair = new ActingPair();
  readonly acknowledged = new Set<number>();
  readonly #random: Random;
  readonly #held: Delivery[] = [];

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  get isOrderly(): boolean {
    return this.pair.group.consumeMessageOrderly;
  }

  async run(): Promise<void> {
    const { pair } = this;
    await pair.setUp({ orderly: this.#chance(3) });
    await pair.send(0, COUNT);
    await this.#consume(() => pair.master, 8);
    await pair.copy();
    // What the slave never hears of.
    await this.#consume(() => pair.master, this.#random.below(6));
    await pair.kill(MASTER);
    await pair.act();
    for (let part = 0; part < 3; part++) {
      await this.#consume(() => pair.slave.shard, 8);
      if (!this.#chance(3)) continue;
      await pair.kill(SLAVE);
      await pair.act();
    }
    await pair.openMaster(this.#chance(2));
    if (this.#chance(2)) await this.#consume(() => pair.master, 6);
    await this.#handOver();
    pair.master.releaseDeadLetters();
    await this.#consume(() => pair.master, 6);
  }

  /** All that the group is still given, and acknowledges. */
  async drain(): Promise<number[]> {
    const { pair } = this;
    const drained: number[] = [];
    await pair.clock.advance(LONG_MS);
    for (;;) {
      const some = await pair.receive(pair.master);
      if (some.length === 0) return drained;
      drained.push(...some.map(numberOf));
      for (const delivery of some) await pair.acknowledge(pair.master, delivery);
    }
  }

  async #handOver(): Promise<void> {
    const { pair } = this;
    const common = pair.slave.leadersPart.endOffset;
    const settlements = await pair.settlements();
    for (let times = 1 + this.#random.below(3); times > 0; times--) {
      const ownFrom = Math.max(common, pair.master.replica.epochs().at(-1)!.startOffset);
      for (const settlement of settlements) pair.master.takeSettlement(settlement, ownFrom);
      await pair.clock.settle(pair.master.settled());
      if (!this.#chance(3)) continue;
      const { checksum } = pair.master.checksum();
      await pair.kill(MASTER);
      await pair.openMaster();
      assert.equal(pair.master.checksum().checksum, checksum, 'a replay gives the same state');
    }
  }

  async #consume(shard: () => OpenedShard, steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const kind = this.#random.below(10);
      if (kind < 4) await this.#receive(shard());
      else if (kind < 8) await this.#acknowledge(shard());
      else await this.pair.clock.advance(this.#random.below(20_000));
    }
  }

  async #receive(shard: OpenedShard): Promise<void> {
    const invisibleMs = this.#chance(2) ? 60_000 : 5_000;
    this.#held.push(...(await this.pair.receive(shard, 1 + this.#random.below(4), invisibleMs)));
  }

  async #acknowledge(shard: OpenedShard): Promise<void> {
    const delivery = this.#held.splice(this.#random.below(this.#held.length + 1), 1)[0];
    if (delivery === undefined || !this.#isKnownTo(shard, delivery)) return;
    const outcome = await this.pair.acknowledge(shard, delivery);
    if (outcome === 'done') this.acknowledged.add(numberOf(delivery));
  }

  /** The handle is one that clients could show there: see `Shard.isKept`. */
  #isKnownTo(shard: OpenedShard, { leaseId }: Delivery): boolean {
    return leaseId < shard.replica.endOffset || shard === this.pair.master;
  }

  #chance(ofTimes: number): boolean {
    return this.#random.below(ofTimes) === 0;
  }
}

describe('a slave that stands in for its master, by chance', () => {
  it(`loses no acknowledgement and no message, seeds 0 to ${HISTORIES - 1}`, async () => {
    for (let seed = 0; seed < HISTORIES; seed++) {
      const history = new History(seed);
      await history.run();
      const drained = await history.drain();
      const { acknowledged } = history;
      const again = drained.filter((number) => acknowledged.has(number));
      assert.deepEqual(again, [], `seed ${seed}: what was acknowledged comes again`);
      assert.equal(new Set(drained).size, drained.length, `seed ${seed}: twice`);
      assert.equal(drained.length + acknowledged.size, COUNT, `seed ${seed}: something is lost`);
      if (history.isOrderly)
        assert.deepEqual(
          drained,
          drained.toSorted((one, other) => one - other),
          `seed ${seed}`,
        );
    }
  });
});
