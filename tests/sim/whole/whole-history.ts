import { type Random, seededRandom } from '@orbitmq/base';
import { SimClock } from '@orbitmq/testkit';
import type { ClusterUnderTest } from './cluster.ts';
import { ShardCluster } from './shard-cluster.ts';
import { type Trace, Workload } from './workload.ts';

/** What a history has done, for the curious. */
export interface WholeSummary {
  readonly seed: number;
  readonly cluster: string;
  readonly topics: readonly string[];
  readonly groups: readonly string[];
  readonly sentCount: number;
  readonly deliveredCount: number;
  readonly letterCount: number;
  readonly redrivenCount: number;
  readonly deathCount: number;
  readonly simulatedMs: number;
}

/** Longer than any lease or delay that consumers ask for. */
const QUIET_MS = 4500;
const END_MS_MAX = 120_000;
const TRACED_MAX = 40_000;

/** Makes the cluster of a seed. */
export type ClusterOf = (clock: SimClock, seed: number, note: Trace) => ClusterUnderTest;

/** How long a history is, and how much happens in it. Times in simulated milliseconds. */
export interface Pace {
  readonly stepsMin: number;
  /** One more than the most. */
  readonly stepsEnd: number;
  /** Longest time of a step. */
  readonly stepMs: number;
  /** Of a hundred steps so many are mishaps. */
  readonly mishaps: number;
  /** Where something may be forgotten, that topics and groups are there is so old before anything happens. */
  readonly oldMs: number;
  /** Dead letters are handed back at the end, and consumed. */
  readonly redrives: boolean;
}

const UNHURRIED: Pace = { stepsMin: 40, stepsEnd: 120, stepMs: 60, mishaps: 10, oldMs: 3000, redrives: true };

const shardCluster: ClusterOf = (clock, seed) => new ShardCluster(clock, seed);

/**
 * One seeded life of a cluster with everything at once: all kinds of messages, groups and mishaps; then peace, in which
 * everything that was promised must come out.
 */
export class WholeHistory {
  readonly #seed: number;
  readonly #random: Random;
  readonly #clock = new SimClock();
  readonly #cluster: ClusterUnderTest;
  readonly #workload: Workload;
  readonly #pace: Pace;
  readonly #traced: (readonly [number, string, readonly unknown[]])[] = [];
  /** When the mishaps ended and consumers began to wait. */
  #calm = { atMs: 0, wallMs: 0 };
  #deathCount = 0;
  #letterCount = 0;

  constructor(seed: number, clusterOf: ClusterOf = shardCluster, pace: Pace = UNHURRIED) {
    this.#seed = seed;
    this.#random = seededRandom(seed * 4 + 7);
    this.#pace = pace;
    const note: Trace = (what, ...facts) => this.#note(what, ...facts);
    this.#cluster = clusterOf(this.#clock, seed, note);
    this.#workload = new Workload(this.#cluster, this.#clock, seed, note);
  }

  async run(): Promise<WholeSummary> {
    const workload = this.#workload;
    await this.#cluster.start({
      onDeath: (forgottenFromMs) => {
        this.#deathCount++;
        workload.died(forgottenFromMs);
      },
      onStart: (agedMs) => workload.started(agedMs),
    });
    await this.#clock.settle(workload.begin());
    // What is so young may be forgotten, and nothing would be left to look at.
    const { oldMs, stepsMin, stepsEnd } = this.#pace;
    if (this.#cluster.forgets) await this.#clock.advance(oldMs);
    const steps = stepsMin + this.#random.below(stepsEnd - stepsMin);
    for (let step = 0; step < steps; step++) await this.#step();
    await this.#end();
    return {
      seed: this.#seed,
      cluster: this.#cluster.description,
      topics: workload.topics.map(({ name }) => name),
      groups: workload.groups.map(({ spec }) => spec.name),
      sentCount: workload.messages.all.length,
      deliveredCount: workload.deliveredCount,
      letterCount: this.#letterCount,
      redrivenCount: workload.redrivenCount,
      deathCount: this.#deathCount,
      simulatedMs: Math.round(this.#clock.monotonicMs()),
    };
  }

  /** The last of what happened, one thing a line; what has to do with `words` only, when there are some. */
  trace(countMax: number, words: readonly string[] = []): string {
    const lines = this.#traced.map(([atMs, what, facts]) => {
      return `${atMs.toFixed(1).padStart(9)} ${what} ${facts.map((fact) => textOf(fact)).join(' ')}`;
    });
    const isWanted = (line: string): boolean => words.length === 0 || words.some((word) => line.includes(word));
    return lines.filter(isWanted).slice(-countMax).join('\n');
  }

  async #step(): Promise<void> {
    const dice = this.#random.below(100);
    const { mishaps, stepMs } = this.#pace;
    if (dice < mishaps) await this.#mishap();
    else if (dice < mishaps + 4) await this.#clock.advance(this.#random.below(1500));
    else if (dice < mishaps + 6) await this.#lookAtLags();
    else this.#workload.step();
    await this.#clock.advance(this.#random.below(stepMs));
    await this.#cluster.heal();
    this.#workload.check();
  }

  async #mishap(): Promise<void> {
    const { mishaps } = this.#cluster;
    let dice = this.#random.below(mishaps.reduce((sum, { weight }) => sum + weight, 1));
    for (const { name, weight, run } of mishaps) {
      dice -= weight;
      if (dice >= 0) continue;
      this.#note(`── ${name}`);
      return await run((count) => {
        for (let call = 0; call < count; call++) this.#workload.step();
      });
    }
  }

  async #lookAtLags(): Promise<void> {
    for (let round = 0; round < 20 && this.#workload.openCalls > 0; round++) await this.#clock.advance(50);
    await this.#cluster.heal();
    if (this.#workload.openCalls === 0) this.#workload.checkLags();
  }

  async #end(): Promise<void> {
    this.#note('── calm');
    await this.#cluster.calm();
    this.#workload.dropHand();
    this.#calm = { atMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() };
    await this.#drain();
    await this.#judge();
    if (this.#pace.redrives) await this.#redriveAll();
    await this.#cluster.verify();
    await this.#cluster.stop();
    this.#workload.check();
  }

  async #redriveAll(): Promise<void> {
    for (const group of this.#workload.groups) await this.#clock.settle(this.#workload.redriveAll(group));
    await this.#drain();
    await this.#judge();
  }

  /** Nothing but consumers, until nothing has come for so long that nothing will. */
  async #drain(): Promise<void> {
    const workload = this.#workload;
    let isOver = false;
    const pause = (): Promise<void> => new Promise((resolve) => void this.#clock.setTimer(100, resolve));
    for (const group of workload.groups) {
      for (const topic of group.topics) void workload.consume(group, topic, () => !isOver, pause);
    }
    const begunMs = this.#clock.monotonicMs();
    let [quietSinceMs, count] = [begunMs, workload.deliveredCount];
    while (this.#clock.monotonicMs() - begunMs < END_MS_MAX) {
      workload.endTransactions();
      await this.#clock.advance(250);
      workload.check();
      if (workload.deliveredCount !== count || workload.pendingCount > 0) {
        [quietSinceMs, count] = [this.#clock.monotonicMs(), workload.deliveredCount];
      }
      if (this.#clock.monotonicMs() - quietSinceMs > QUIET_MS) break;
    }
    isOver = true;
    this.#note('── drained');
  }

  async #judge(): Promise<void> {
    const workload = this.#workload;
    await this.#clock.settle(workload.audit());
    workload.check();
    for (const group of workload.groups) {
      const letters = await this.#clock.settle(workload.letters(group));
      this.#letterCount += letters.length;
      group.check(letters, this.#cluster.retentionMs, this.#calm);
    }
    workload.checkLags();
  }

  #note(what: string, ...facts: readonly unknown[]): void {
    this.#traced.push([this.#clock.monotonicMs(), what, facts]);
    if (this.#traced.length > TRACED_MAX) this.#traced.splice(0, TRACED_MAX / 2);
  }
}

function textOf(fact: unknown): string {
  if (typeof fact === 'string') return fact;
  return JSON.stringify(fact, (key, value: unknown) => (key === 'handle' ? undefined : value)) ?? '';
}
