import assert from 'node:assert/strict';
import { MqError, seededRandom } from '@orbitmq/base';
import { type Lease, MemoryLeases } from '@orbitmq/coordination';
import type { MemberEvents, Tenure } from '@orbitmq/node/member';
import type { FollowerShard, OpenedShard } from '@orbitmq/shard';
import { type SimClock, SimNetwork } from '@orbitmq/testkit';
import type { Answer, ClusterEvents, ClusterUnderTest, Mishap } from '../whole/cluster.ts';
import { Unknown } from '../whole/open-calls.ts';
import { type Place, ShardClient } from '../whole/shard-client.ts';
import { Violation } from '../whole/timeline.ts';
import type { Trace } from '../whole/workload.ts';
import { describeSettings, settingsOf } from './cluster-settings.ts';
import { compareCopies } from './compare-copies.ts';
import { LeaseLink } from './lease-link.ts';
import { LogJudge } from './log-judge.ts';
import { type End, Machine, type MachineEvents, type Settings } from './machine.ts';
import { Nemesis } from './nemesis.ts';

/** Everything serves again, and all copies are equal, so soon after the last mishap. Milliseconds. */
const HEAL_MS = 30_000;
/** Longest that a slow disk takes. */
const SLOWEST_MS = 800;
/** Codes of answers that leave open whether something was done. */
const UNKNOWN_CODES: ReadonlySet<string> = new Set(['MASTER_PERSISTENCE_TIMEOUT', 'SLAVE_PERSISTENCE_TIMEOUT']);

/** A shard on several machines: real members over simulated disks, clocks, links and Leases. */
export class ReplicatedCluster extends ShardClient implements ClusterUnderTest, MachineEvents {
  readonly retentionMs: number;
  readonly forgets: boolean;
  readonly description: string;
  readonly mishaps: readonly Mishap[];
  readonly settings: Settings;
  readonly machines: readonly Machine[];
  readonly network: SimNetwork;
  readonly #leases = new MemoryLeases();
  readonly #judge = new LogJudge();
  readonly #nemesis: Nemesis;
  readonly #note: Trace;
  /** Members whose machine lost power, and maybe what they had stored, until they have all that is confirmed again. */
  readonly #unsound = new Set<number>();
  /** By epoch: nobody could take over who had not lost power. */
  readonly #forsaken = new Set<number>();
  /** Who leads, or led last. */
  #current: { readonly machine: Machine; readonly tenure: Tenure } | undefined;
  #events!: ClusterEvents;
  /** Something that nobody waits for has shown that a promise is broken. */
  #violation: Error | undefined;

  constructor(clock: SimClock, seed: number, note: Trace) {
    const random = seededRandom(seed * 8 + 3);
    super(clock, random);
    this.#note = note;
    const { settings, memberCount } = settingsOf(random);
    this.settings = settings;
    this.retentionMs = settings.fills ? 0 : settings.options.retentionMs!;
    this.forgets = settings.acknowledge === 'stored' || settings.options.log.flushDiskType === 'ASYNC_FLUSH';
    this.description = `${memberCount} members, ${describeSettings(settings)}`;
    this.network = new SimNetwork(clock, seededRandom(seed * 8 + 5));
    this.machines = Array.from({ length: memberCount }, (_, member) => {
      const lease = new LeaseLink(clock, this.#leases, seededRandom(seed * 8 + 6 + member), (before, after) =>
        this.#taken(before, after),
      );
      return new Machine(member, { sim: clock, network: this.network, lease, seed }, settings, this);
    });
    this.#nemesis = new Nemesis(this, clock, seededRandom(seed * 8 + 4));
    this.mishaps = this.#nemesis.mishaps;
  }

  /** The machine whose member leads, or led last. */
  get leading(): Machine | undefined {
    return this.#current?.machine;
  }

  get lease(): Lease | undefined {
    return this.#leases.current?.lease;
  }

  async start(events: ClusterEvents): Promise<void> {
    this.#events = events;
    for (const machine of this.machines) await machine.start();
    await this.#healthy();
  }

  async heal(): Promise<void> {
    await this.#nemesis.repairSome();
    this.#check();
  }

  async calm(): Promise<void> {
    await this.#nemesis.repairAll();
    // What goes wrong slowly is to have done so.
    await this.clock.advance(SLOWEST_MS);
    await this.#healthy();
  }

  /** All copies are equal. */
  async verify(): Promise<void> {
    await this.#nemesis.repairAll();
    await this.#healthy();
    const { machine, tenure } = this.#current!;
    const attested = await this.clock.settle(tenure.shard.attest(), HEAL_MS);
    const copies = this.machines.filter((each) => each !== machine);
    await this.#until('copies have what was attested', () =>
      copies.every(({ process }) => (process?.copy?.attested?.position ?? -1) >= attested.position),
    );
    this.#check();
    for (const { process } of copies) {
      assert.deepEqual(process!.copy!.attested?.leaderChecksum, attested.checksum);
      await compareCopies(this.clock, tenure.shard.replica, process!.copy!.replica);
    }
  }

  async stop(): Promise<void> {
    for (const machine of this.machines) machine.end('kill');
    this.#check();
  }

  // ── calls ──

  protected looked(): OpenedShard {
    return this.#current!.tenure.shard;
  }

  protected call<Value>(run: (at: Place) => Promise<Value>): Promise<Answer<Value>> {
    const machine = this.#choose();
    if (machine === undefined) return Promise.resolve({ kind: 'refused', code: 'HA_NOT_AVAILABLE' });
    const begun = this.#judge.begins();
    return machine.calls.of(async () => {
      const waking = machine.clock.awake('network');
      if (waking !== undefined) await waking;
      const tenure = machine.process?.tenure;
      if (tenure === undefined) throw new MqError('HA_NOT_AVAILABLE', 'this member does not lead');
      const place = this.#placeOf(machine, tenure, begun);
      try {
        return await run(place);
      } catch (error) {
        if (error instanceof Violation) throw this.#found(error);
        if (error instanceof MqError ? UNKNOWN_CODES.has(error.code) : place.isOver()) throw new Unknown();
        throw error;
      }
    });
  }

  /** Clients mostly know who leads, but not always. */
  #choose(): Machine | undefined {
    const leaders = this.machines.filter(({ process }) => process?.tenure !== undefined);
    const current = leaders.find((machine) => machine === this.#current?.machine);
    if (current !== undefined && this.random.below(4) > 0) return current;
    return leaders[this.random.below(Math.max(1, leaders.length))];
  }

  #placeOf(machine: Machine, tenure: Tenure, begun: number): Place {
    const { shard, epoch } = tenure;
    const { member } = machine;
    const { position } = shard;
    return {
      shard,
      isOver: () => machine.process?.tenure?.shard !== shard || shard.replica.fenced !== undefined,
      checkCurrent: () => {
        if (this.#current?.tenure.shard !== shard || (this.lease?.epoch ?? epoch) !== epoch) throw new Unknown();
      },
      acknowledged: (end) => {
        this.#judge.answered({ member, epoch, end, atMs: this.clock.monotonicMs() }, begun, end > position);
      },
      touched: () => this.#judge.touched(shard.position, this.clock.monotonicMs()),
    };
  }

  // ── what members tell ──

  memberEvents(machine: Machine): MemberEvents {
    return {
      onLeading: (tenure) => this.#watched(() => this.#leads(machine, tenure)),
      onLeadingEnds: () => {},
      onFollowing: (copy) => this.#follows(machine, copy),
      onLeaderKnown: () => {},
    };
  }

  onEnd(machine: Machine, how: End): void {
    this.note(`${machine.name} ends: ${how}`);
    const { flushDiskType } = this.settings.options.log;
    if (how === 'power' && flushDiskType === 'ASYNC_FLUSH') this.#unsound.add(machine.member);
  }

  note(what: string, ...facts: readonly unknown[]): void {
    this.#note(what, ...facts);
  }

  #taken(before: Lease | undefined, after: Lease): void {
    this.note(`lease of member ${after.holder}`, after);
    if (before?.inSync.every((member) => this.#unsound.has(member))) this.#forsaken.add(after.epoch);
  }

  #leads(machine: Machine, tenure: Tenure): void {
    // It goes on after a hand-over that came to nothing.
    if (this.#current?.tenure.shard === tenure.shard) return;
    const { epoch, shard } = tenure;
    const { member } = machine;
    const log = shard.replica;
    const atMs = this.clock.monotonicMs();
    // One that was deposed already, while it was promoted.
    const isLate = this.#current !== undefined && this.#current.tenure.epoch > epoch;
    if (isLate) return;
    const forgottenFromMs = this.#judge.begun({
      member,
      epoch,
      log,
      atMs,
      mayLoseConfirmed: this.#forsaken.has(epoch) || this.#mayLackForGood(machine),
      mayLoseStored: this.settings.acknowledge === 'stored',
    });
    log.onConfirmed((offset) => {
      this.#judge.confirmed(log, offset, this.clock.monotonicMs());
      this.#lookAtCopies();
    });
    this.#unsound.delete(member);
    const isFirst = this.#current === undefined;
    this.#current = { machine, tenure };
    this.note(`member ${member} leads`, { epoch, start: log.endOffset, forgottenFromMs });
    if (isFirst) return;
    this.#events.onDeath(forgottenFromMs);
    this.#events.onStart(0);
  }

  /** A static master that lost power leads although nobody may have what it lost. */
  #mayLackForGood({ member, inSyncKept }: Machine): boolean {
    const { roles, acknowledge, catchUpMs } = this.settings;
    if (roles !== 'static' || !this.#unsound.has(member)) return false;
    if (acknowledge === 'stored' || catchUpMs < HEAL_MS) return true;
    // What it said alone nobody else had.
    const wasAlone = this.#current?.tenure.replication.inSync.length === 1;
    return wasAlone || inSyncKept.some((other) => other !== member && this.#unsound.has(other));
  }

  #follows(machine: Machine, copy: FollowerShard): void {
    this.#watched(() => this.#judge.applied(machine.member, copy.appliedOffset));
    copy.replica.onStored(() => this.#lookAt(machine));
  }

  #lookAtCopies(): void {
    for (const member of this.#unsound) this.#lookAt(this.machines[member]!);
  }

  /** A copy is sound again when it has all that is confirmed. */
  #lookAt({ member, process }: Machine): void {
    if (!this.#unsound.has(member) || process?.leader?.epoch !== this.#current?.tenure.epoch) return;
    const { confirmedOffset } = this.#current!.tenure.shard.replica;
    if ((process?.copy?.replica.storedOffset ?? 0) >= confirmedOffset) this.#unsound.delete(member);
  }

  // ── help ──

  /** Waits until everybody leads or follows, and has everything. */
  #healthy(): Promise<void> {
    return this.#until('R11 all members are in sync', () => {
      const current = this.#current;
      const tenure = current?.machine.process?.tenure;
      if (this.machines.some(({ isStopping }) => isStopping)) return false;
      if (tenure === undefined || tenure.shard !== current?.tenure.shard) return false;
      if (tenure.replication.inSync.length < this.machines.length) return false;
      return tenure.replication.followers().every(({ storedOffset }) => storedOffset >= tenure.shard.position);
    });
  }

  async #until(promise: string, condition: () => boolean): Promise<void> {
    const endMs = this.clock.monotonicMs() + HEAL_MS;
    while (!condition()) {
      this.#check();
      if (this.clock.monotonicMs() > endMs) throw new Violation(promise, { lease: this.lease });
      await this.#nemesis.repairAll();
      await this.clock.advance(20);
    }
    this.#check();
  }

  #check(): void {
    if (this.#violation !== undefined) throw this.#violation;
    for (const { member, process } of this.machines) {
      if (process?.copy !== undefined) this.#judge.applied(member, process.copy.appliedOffset);
      const attested = process?.copy?.attested;
      if (attested === undefined || attested.checksum === attested.leaderChecksum) continue;
      throw new Violation('R11 the state of a copy is that of its leader', { member, ...attested });
    }
  }

  #watched(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#found(error as Error);
    }
  }

  #found(error: Error): Error {
    this.#violation ??= error;
    return error;
  }
}
