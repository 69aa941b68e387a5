import type { Random } from '@orbitmq/base';
import type { SimClock, SimNetwork } from '@orbitmq/testkit';
import type { Mishap } from '../whole/cluster.ts';
import type { Machine, Settings } from './machine.ts';

/** What the nemesis does things to. */
export interface Victim {
  readonly machines: readonly Machine[];
  readonly network: SimNetwork;
  readonly settings: Settings;
  /** Who leads, or led last. */
  readonly leading: Machine | undefined;
}

const GOOD_DELAY_MS = [0.1, 0.5] as const;
const GOOD_LEASE_DELAY_MS = 2;
/** Longest that a hand-over waits for the heir. */
const HAND_OVER_MS = 300;

/** By name: how often it comes beside others, and what happens. */
type Chances = Record<string, readonly [number, (traffic: (count: number) => void) => unknown]>;

/** What goes wrong with machines, links and Leases, and how it is put right. */
export class Nemesis {
  readonly mishaps: readonly Mishap[];
  readonly #victim: Victim;
  readonly #clock: SimClock;
  readonly #random: Random;
  /** Links that are cut on purpose, `from>to`. */
  readonly #cut = new Set<string>();
  /** Machines that are not started again before. */
  readonly #downUntilMs = new Map<Machine, number>();

  constructor(victim: Victim, clock: SimClock, random: Random) {
    this.#victim = victim;
    this.#clock = clock;
    this.#random = random;
    this.mishaps = Object.entries({ ...this.#chances(), ...this.#several() }).map(([name, [weight, run]]) => ({
      name,
      weight,
      run: async (traffic) => {
        await run(traffic);
      },
    }));
  }

  /** Some of what is broken is put right, by chance. */
  async repairSome(): Promise<void> {
    for (const machine of this.#machines) {
      if (machine.process === undefined && this.#mayStart(machine) && this.#chance(0.35)) await this.#start(machine);
      if (machine.isPaused && this.#chance(0.3)) machine.clock.resume();
      if (this.#chance(0.2)) this.#repairLease(machine);
      if (this.#chance(0.2)) machine.mend();
    }
    if (this.#chance(0.2)) this.#repairLinks();
  }

  async repairAll(): Promise<void> {
    this.#repairLinks();
    for (const machine of this.#machines) {
      machine.clock.resume();
      machine.mend();
      machine.damage(0);
      this.#repairLease(machine);
      if (machine.process === undefined) await this.#start(machine);
    }
  }

  get #machines(): readonly Machine[] {
    return this.#victim.machines;
  }

  #chances(): Chances {
    const { roles, options, fills } = this.#victim.settings;
    const chances: Chances = {
      'kill the leader': [5, () => this.#leader.end('kill')],
      'kill one': [3, () => this.#any().end('kill')],
      'kill all': [1, () => this.#each((machine) => machine.end('kill'))],
      'power of the leader': [4, () => this.#power(this.#leader)],
      'power of one': [3, () => this.#power(this.#any())],
      'power of all': [2, () => this.#each((machine) => this.#power(machine))],
      'stop the leader': [2, () => void this.#leader.stop(HAND_OVER_MS)],
      'stop one': [1, () => void this.#any().stop(HAND_OVER_MS)],
      'pause the leader': [6, () => this.#pause(this.#leader)],
      'pause one': [2, () => this.#pause(this.#any())],
      'cut one off': [3, () => this.#cutOff(this.#any(), true, true)],
      'cut the leader off': [3, () => this.#cutOff(this.#leader, true, true)],
      'one hears nobody': [2, () => this.#cutOff(this.#anyOrLeader(), true, false)],
      'nobody hears one': [2, () => this.#cutOff(this.#anyOrLeader(), false, true)],
      'cut a link': [3, () => this.#cutLink()],
      'slow links': [3, () => this.#slowLinks()],
      'slow disk': [5, () => this.#slowDisk(this.#anyOrLeader())],
      'log fails': [1, () => this.#failLog(this.#anyOrLeader())],
      'damaged on its way': [2, () => this.#any().damage(1 + this.#random.below(2))],
      snapshot: [3, () => this.#snapshot(this.#anyOrLeader())],
      attest: [2, () => void this.#leader.process?.tenure?.shard.attest().catch(() => {})],
    };
    if (fills) {
      const segmentBytes = options.log.segmentSizeBytes!;
      chances['full disk'] = [8, () => this.#anyOrLeader().fill(this.#random.below(3) * segmentBytes)];
    }
    if (roles === 'elected') {
      chances['hand over'] = [4, () => void this.#leader.process?.handOver(undefined, HAND_OVER_MS, () => {})];
      chances['leases away'] = [3, () => this.#each(({ lease }) => this.#breakLease(lease.way, 0))];
      chances['lease of one'] = [4, () => this.#breakLease(this.#anyOrLeader().lease.way, this.#random.below(3))];
      chances['slow leases'] = [2, () => this.#each(({ lease }) => this.#breakLease(lease.way, 2))];
      chances['stale leases'] = [3, () => this.#each(({ lease: { way } }) => this.#makeStale(way))];
    }
    return chances;
  }

  /** One thing after the other, while calls are under way. */
  #several(): Chances {
    const { roles, acknowledge } = this.#victim.settings;
    const chances: Chances = {};
    if (acknowledge === 'confirmed') {
      chances['cut off, then killed'] = [2, () => this.#cutOffAndKill()];
      chances['power while a disk is slow'] = [4, (traffic) => this.#powerOfSlowDisks(traffic)];
      chances['snapshot before it is confirmed'] = [2, (traffic) => this.#snapshotAlone(traffic)];
    }
    if (roles === 'elected') {
      chances['the leader is alone'] = [4, () => this.#alone(this.#leader)];
      chances['alone, renewed late'] = [2, (traffic) => this.#renewedLate(traffic)];
      if (this.#machines.length > 2) chances['an older leader calls'] = [4, (traffic) => this.#olderLeader(traffic)];
      chances['in sync unheard'] = [2, (traffic) => this.#inSyncUnheard(traffic)];
    }
    return chances;
  }

  // ── machines ──

  async #start(machine: Machine): Promise<void> {
    if (!machine.hasPower) this.#plug(machine, true);
    await machine.start();
  }

  #power(machine: Machine): void {
    if (machine.process === undefined) return;
    // Nobody is told: there is no kernel any more that could.
    this.#plug(machine, false);
    machine.end('power');
  }

  #plug(machine: Machine, isIn: boolean): void {
    for (const other of this.#machines) {
      if (other === machine) continue;
      for (const [from, to] of [
        [machine.name, other.name],
        [other.name, machine.name],
      ] as const) {
        const isCut = !isIn || this.#cut.has(`${from}>${to}`) || (!other.hasPower && other !== machine);
        this.#victim.network.link(from, to, { isCut });
      }
    }
  }

  #pause(machine: Machine): void {
    if (machine.process !== undefined) machine.clock.pause();
  }

  #slowDisk(machine: Machine): void {
    const operation = this.#pick(['write', 'sync', 'sync'] as const);
    machine.break({ operation, delayMs: 50 + this.#random.below(700), count: 1 + this.#random.below(3) });
  }

  #failLog(machine: Machine): void {
    const operation = this.#pick(['write', 'sync'] as const);
    machine.break({ operation, path: 'commitlog', error: 'EIO', after: this.#random.below(3) });
  }

  #snapshot({ process }: Machine): void {
    void process?.tenure?.shard.snapshot();
    void process?.copy?.snapshot();
  }

  // ── links ──

  #cutOff(machine: Machine, into: boolean, outOf: boolean): void {
    for (const other of this.#machines) {
      if (other === machine) continue;
      if (into) this.#setLink(other.name, machine.name);
      if (outOf) this.#setLink(machine.name, other.name);
    }
  }

  #cutLink(): void {
    const [one, other] = [this.#any(), this.#any()];
    if (one !== other) this.#setLink(one.name, other.name);
  }

  #setLink(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
    this.#victim.network.link(from, to, { isCut: true });
  }

  #slowLinks(): void {
    const one = this.#anyOrLeader();
    const most = 5 + this.#random.below(250);
    for (const other of this.#machines) {
      if (other === one) continue;
      if (this.#chance(0.7)) this.#victim.network.link(one.name, other.name, { delayMs: [most / 4, most] });
      if (this.#chance(0.7)) this.#victim.network.link(other.name, one.name, { delayMs: [most / 4, most] });
    }
  }

  #repairLinks(): void {
    this.#cut.clear();
    for (const one of this.#machines) {
      for (const other of this.#machines) {
        if (one === other) continue;
        const isCut = !one.hasPower || !other.hasPower;
        this.#victim.network.link(one.name, other.name, { isCut, delayMs: GOOD_DELAY_MS });
      }
    }
  }

  // ── Leases ──

  /** @param how 0: away, 1: answers are lost, 2: slow */
  #breakLease(way: Machine['lease']['way'], how: number): void {
    if (how === 0) way.isCut = true;
    else if (how === 1) way.losesAnswers = true;
    else way.delayMs = 50 + this.#random.below(400);
  }

  #repairLease({ lease: { way } }: Machine): void {
    way.isCut = false;
    way.losesAnswers = false;
    way.isStale = false;
    way.answerDelayMs = 0;
    way.delayMs = GOOD_LEASE_DELAY_MS;
  }

  #makeStale(way: Machine['lease']['way']): void {
    if (this.#chance(0.6)) way.isStale = true;
  }

  // ── several at once ──

  /** What a follower has not fsynced is gone, and whoever has it comes back late. */
  async #powerOfSlowDisks(traffic: (count: number) => void): Promise<void> {
    const leader = this.#leader;
    const slow = this.#machines.filter((machine) => machine !== leader);
    for (const machine of slow) machine.break({ operation: 'sync', delayMs: 800, count: 4 });
    traffic(2 + this.#random.below(4));
    await this.#clock.advance(this.#random.below(150));
    for (const machine of this.#machines) this.#power(machine);
    this.#downUntilMs.set(leader, this.#clock.monotonicMs() + 500 + this.#random.below(2500));
    for (const machine of slow) {
      machine.mend();
      await this.#start(machine);
    }
  }

  /** The Lease is renewed, and its leader hears of that when the Lease has nearly run out, and of nobody else. */
  async #renewedLate(traffic: (count: number) => void): Promise<void> {
    const leader = this.#leader;
    const { way } = leader.lease;
    way.answerDelayMs = 200 + this.#random.below(90);
    await this.#clock.advance(this.#random.below(400));
    this.#cutOff(leader, true, true);
    await this.#clock.advance(this.#random.below(300));
    way.isCut = true;
    for (let round = 0; round < 14 && this.#leader === leader; round++) await this.#clock.advance(50);
    for (let round = 0; round < 4; round++) {
      traffic(2);
      await this.#clock.advance(20);
    }
  }

  /** A leader takes a snapshot of what nobody else has, and dies. */
  async #snapshotAlone(traffic: (count: number) => void): Promise<void> {
    const leader = this.#leader;
    this.#cutOff(leader, false, true);
    traffic(2 + this.#random.below(4));
    await this.#clock.advance(10 + this.#random.below(30));
    this.#snapshot(leader);
    await this.#clock.advance(20 + this.#random.below(60));
    leader.end('kill');
  }

  /** A leader does not know that there is another one, and one that follows that one is told of the first again. */
  async #olderLeader(traffic: (count: number) => void): Promise<void> {
    const older = this.#leader;
    this.#cutOff(older, true, true);
    older.lease.way.isCut = true;
    for (let round = 0; round < 20 && this.#leader === older; round++) await this.#clock.advance(50);
    const newer = this.#leader;
    if (newer === older) return;
    await this.#clock.advance(150 + this.#random.below(250));
    traffic(2 + this.#random.below(4));
    await this.#clock.advance(20 + this.#random.below(40));
    const follower = this.#pick(this.#machines.filter((machine) => machine !== older && machine !== newer));
    follower.lease.way.isStale = true;
    this.#repairLinks();
    newer.lease.way.isCut = true;
    await this.#clock.advance(60 + this.#random.below(100));
    newer.end('kill');
    this.#downUntilMs.set(newer, this.#clock.monotonicMs() + 1500);
    follower.lease.way.isStale = false;
  }

  /** A follower comes into the Lease, its leader does not hear of that, and then goes away. */
  async #inSyncUnheard(traffic: (count: number) => void): Promise<void> {
    const leader = this.#leader;
    const follower = this.#pick(this.#machines.filter((machine) => machine !== leader));
    const links = [`${leader.name}>${follower.name}`, `${follower.name}>${leader.name}`];
    this.#setLink(leader.name, follower.name);
    this.#setLink(follower.name, leader.name);
    await this.#clock.advance(600 + this.#random.below(300));
    for (const link of links) this.#cut.delete(link);
    for (const [from, to] of links.map((link) => link.split('>') as [string, string])) {
      if (leader.hasPower && follower.hasPower) this.#victim.network.link(from, to, { isCut: false });
    }
    leader.lease.way.losesAnswers = true;
    await this.#clock.advance(50 + this.#random.below(80));
    this.#setLink(leader.name, follower.name);
    traffic(1 + this.#random.below(4));
    await this.#clock.advance(this.#random.below(120));
    leader.end('kill');
    this.#downUntilMs.set(leader, this.#clock.monotonicMs() + 1500);
  }

  #alone(machine: Machine): void {
    this.#cutOff(machine, this.#chance(0.8), this.#chance(0.8));
    this.#breakLease(machine.lease.way, this.#random.below(2));
  }

  /** A copy lags behind, and then has to do without the one that knows more. */
  async #cutOffAndKill(): Promise<void> {
    const leader = this.#leader;
    const follower = this.#any();
    if (follower === leader) return;
    this.#setLink(leader.name, follower.name);
    await this.#clock.advance(this.#random.below(400));
    leader.end('kill');
  }

  // ── help ──

  #mayStart(machine: Machine): boolean {
    return (this.#downUntilMs.get(machine) ?? 0) <= this.#clock.monotonicMs();
  }

  get #leader(): Machine {
    return this.#victim.leading ?? this.#any();
  }

  #any(): Machine {
    return this.#pick(this.#machines);
  }

  #anyOrLeader(): Machine {
    return this.#chance(0.5) ? this.#leader : this.#any();
  }

  #each(run: (machine: Machine) => void): void {
    for (const machine of this.#machines) run(machine);
  }

  #chance(probability: number): boolean {
    return this.#random.below(1000) < probability * 1000;
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)]!;
  }
}
