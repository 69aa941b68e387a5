import { type Random, seededRandom } from '@orbitmq/base';
import type { Acknowledgement } from '@orbitmq/coordination';
import {
  type BootMark,
  type MemberEvents,
  readBootMark,
  ShardMember,
  type ShardMemberOptions,
  shardFiles,
} from '@orbitmq/node/member';
import { LeaderMessage_Refusal_Reason as Reason } from '@orbitmq/protocol/orbitmq.replication.v1';
import type { FollowerStream, LeaderStream, ReplicationSettings } from '@orbitmq/replication';
import type { Logger } from '@orbitmq/runtime';
import type { ShardOptions } from '@orbitmq/shard';
import { type SimClock, SimDisk, type SimFault, type SimNetwork, type SimSocket } from '@orbitmq/testkit';
import { OpenCalls } from '../whole/open-calls.ts';
import type { LeaseLink } from './lease-link.ts';
import { PausableClock } from './pausable-clock.ts';

const DIRECTORY = '/store';
const CAPACITY_BYTES = 2 ** 28;

/** What all machines of a shard have in common. */
export interface Settings {
  readonly roles: 'elected' | 'static';
  readonly acknowledge: Acknowledgement;
  readonly inSyncMin: number;
  /** Disks become full: then the oldest segments go before their time. */
  readonly fills: boolean;
  readonly options: ShardOptions;
  readonly replication: ReplicationSettings;
  readonly times: { readonly durationMs: number; readonly suspicionMs: number; readonly marginMs: number };
  readonly settleMs: number;
  /** See `StaticRole.catchUpMs`. */
  readonly catchUpMs: number;
}

/** What a machine tells, beside what its member does. */
export interface MachineEvents {
  memberEvents(machine: Machine): MemberEvents;
  /** Its process has ended, or is about to. */
  onEnd(machine: Machine, how: End): void;
  note(what: string, ...facts: readonly unknown[]): void;
}

/** `failed`: the process ended itself. */
export type End = 'kill' | 'power' | 'failed' | 'clean';

/** A part of a message that may carry bytes of the log. */
interface CarriedRecords {
  readonly records?: { readonly records: Uint8Array } | undefined;
}

/** A machine with a disk, and the process of one member on it. */
export class Machine {
  readonly member: number;
  readonly name: string;
  readonly lease: LeaseLink;
  readonly #sim: SimClock;
  readonly #network: SimNetwork;
  readonly #settings: Settings;
  readonly #events: MachineEvents;
  readonly #random: Random;
  #disk: SimDisk;
  #clock: PausableClock;
  #process: ShardMember | undefined;
  #calls = new OpenCalls(() => true);
  #life = 0;
  /** The run of the kernel, and what the process wrote of it last. */
  #boot = 1;
  #bootKept: string | undefined;
  /** The in-sync set as the process kept it last. */
  #inSyncKept: readonly number[] = [];
  #hasPower = true;
  #isStopping = false;
  /** Messages of the log that are damaged on their way here. */
  #damaged = 0;
  readonly #faults: (() => void)[] = [];

  constructor(
    member: number,
    world: { readonly sim: SimClock; readonly network: SimNetwork; readonly lease: LeaseLink; readonly seed: number },
    settings: Settings,
    events: MachineEvents,
  ) {
    this.member = member;
    this.name = `m${member}`;
    this.#sim = world.sim;
    this.#network = world.network;
    this.lease = world.lease;
    this.#settings = settings;
    this.#events = events;
    this.#random = seededRandom(world.seed * 16 + member);
    this.#clock = this.#newClock();
    this.#clock.stop();
    this.#disk = new SimDisk({ clock: world.sim, random: this.#random, capacityBytes: CAPACITY_BYTES });
  }

  /** The member; undefined while its process is down. */
  get process(): ShardMember | undefined {
    return this.#process;
  }

  /** Calls that its process has not answered. */
  get calls(): OpenCalls {
    return this.#calls;
  }

  get clock(): PausableClock {
    return this.#clock;
  }

  get hasPower(): boolean {
    return this.#hasPower;
  }

  /** Members that had all that was confirmed, as the next start of a static master is told. */
  get inSyncKept(): readonly number[] {
    return this.#inSyncKept;
  }

  /** Its process is about to end. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  get isPaused(): boolean {
    return this.#process !== undefined && this.#clock.isPaused;
  }

  /** The next so many messages with records come here with a bit turned. */
  damage(count: number): void {
    this.#damaged = count;
  }

  /** Begins a process. */
  async start(): Promise<void> {
    this.#life++;
    const clock = this.#newClock();
    this.#clock = clock;
    this.#hasPower = true;
    // An operator has made room, or another disk takes the copy.
    this.#disk.setCapacity(CAPACITY_BYTES);
    this.#disk = this.#disk.kill(seededRandom(this.#random.below(2 ** 31)), clock.of('disk'));
    const mark = await this.#bootMark();
    const process = new ShardMember(this.#optionsOf(clock, mark));
    this.#process = process;
    this.#calls = new OpenCalls(() => clock.isOver);
    this.#network.listen<never, never>(this.name, (socket) => this.#accept(process, clock, socket));
    process.start().catch((error: Error) => this.#fatal(clock, error));
  }

  /** Ends the process at once. */
  end(how: End): void {
    if (this.#process === undefined) return;
    this.#process = undefined;
    this.#isStopping = false;
    this.#clock.stop();
    const random = seededRandom(this.#random.below(2 ** 31));
    if (how === 'power') {
      this.#hasPower = false;
      this.#boot++;
      this.#disk = this.#disk.crash(random, undefined, this.#sim);
    } else {
      this.#disk = this.#disk.kill(random, this.#sim);
    }
    this.#network.kill(this.name);
    this.#calls.abandon();
    this.#events.onEnd(this, how);
  }

  /** Ends the process in order: what it leads it gives up. */
  async stop(giveUpMs: number): Promise<void> {
    const process = this.#process;
    const clock = this.#clock;
    if (process === undefined) return;
    this.#isStopping = true;
    try {
      await process.giveUp(giveUpMs, () => {});
      if (clock.isOver) return;
      await process.stop();
      if (!clock.isOver) this.end('clean');
    } catch (error) {
      // A disk that fails ends it, too.
      this.#fatal(clock, error as Error);
    }
  }

  /** Something goes wrong with the disk, as long as it lasts. */
  break(fault: SimFault): void {
    this.#faults.push(this.#disk.inject(fault));
  }

  /** The disk has room, and fails no more. */
  mend(): void {
    this.#disk.setCapacity(CAPACITY_BYTES);
    for (const stop of this.#faults.splice(0)) stop();
  }

  fill(leftBytes: number): void {
    let usedBytes = 0;
    for (const bytes of this.#disk.image().values()) usedBytes += Math.ceil(bytes.length / 4096) * 4096;
    this.#disk.setCapacity(usedBytes + leftBytes);
  }

  #newClock(): PausableClock {
    const random = this.#random;
    return new PausableClock(this.#sim, random.below(1_000_000), (limit) => random.below(limit));
  }

  #bootMark(): Promise<BootMark> {
    return readBootMark(
      DIRECTORY,
      {
        read: async (path) => (path.startsWith(DIRECTORY) ? this.#bootKept : `${this.#boot}`),
        write: async (_, text) => {
          this.#bootKept = text;
        },
      },
      this.#loggerOf(this.#clock),
    );
  }

  #optionsOf(clock: PausableClock, mark: BootMark): ShardMemberOptions {
    const { roles, acknowledge, inSyncMin, options, replication, settleMs, catchUpMs, times } = this.#settings;
    const logger = this.#loggerOf(clock);
    const onFatal = (error: Error): void => this.#fatal(clock, error);
    const files = shardFiles({
      vfs: this.#disk,
      clock,
      random: seededRandom(this.#random.below(2 ** 31)),
      logger,
      directory: DIRECTORY,
      options,
      onFailure: onFatal,
    });
    const isSync = options.log.flushDiskType === 'SYNC_FLUSH';
    const mayLackStored = (): boolean => !isSync && mark.hasRebooted;
    const onComplete = (): void => void mark.keep();
    return {
      identity: {
        cluster: 'simulated',
        shard: 'one',
        member: this.member,
        incarnation: `${this.member}/${this.#life}`,
        version: '5',
      },
      clientAddress: `clients-of-${this.name}`,
      replicationAddress: this.name,
      acknowledge,
      inSyncMin,
      mayLoseConfirmed: !isSync,
      settleMs,
      files,
      clock,
      logger,
      replication,
      events: this.#events.memberEvents(this),
      connect: (address) => this.#connect(clock, address),
      role:
        roles === 'static'
          ? {
              kind: 'static',
              isLeader: this.member === 0,
              leaderAddress: async () => 'm0',
              inSync: {
                read: async () => this.#inSyncKept,
                write: async (members) => {
                  this.#inSyncKept = members;
                  return true;
                },
              },
              catchUpMs,
              mayLackStored,
              onComplete,
            }
          : {
              kind: 'elected',
              store: this.lease.connect(clock),
              times,
              mayCreate: (isEmpty) => this.member === 0 && isEmpty,
              mayLackStored,
              onComplete,
            },
      onFatal,
    };
  }

  #fatal(clock: PausableClock, error: Error): void {
    if (clock.isOver) return;
    this.#events.note(`${this.name} fails: ${error.message}`);
    this.end('failed');
  }

  #connect(clock: PausableClock, address: string): FollowerStream {
    const socket = this.#network.connect<never, never>(this.name, address);
    return gated(socket, clock, (message) => this.#damage(message)) as unknown as FollowerStream;
  }

  #accept(process: ShardMember, clock: PausableClock, socket: SimSocket<never, never>): void {
    const stream = gated(socket, clock, (message) => this.#damage(message)) as unknown as LeaderStream;
    void (async () => {
      const waking = clock.awake('network');
      if (waking !== undefined) await waking;
      const acceptor = process.replication ?? process.catchUp;
      if (acceptor !== undefined) return await acceptor.accept(stream);
      const refusal = { reason: Reason.REASON_NOT_LEADER, message: 'this member does not lead' };
      stream.write({ sequence: 1n, epoch: 0n, confirmedOffset: 0n, refusal });
      stream.close();
    })();
  }

  /** Of what comes from a leader, or from a follower that has read for it. */
  #damage(message: CarriedRecords & { readonly readAnswer?: CarriedRecords | undefined }): unknown {
    const { records, readAnswer } = message;
    if (this.#damaged === 0) return message;
    if (readAnswer?.records !== undefined) return { ...message, readAnswer: this.#damage(readAnswer) };
    if (records === undefined || records.records.length === 0) return message;
    this.#damaged--;
    const bytes = Uint8Array.from(records.records);
    const at = this.#random.below(bytes.length);
    bytes[at] = bytes[at]! ^ (1 << this.#random.below(8));
    return { ...message, records: { ...records, records: bytes } };
  }

  #loggerOf(clock: PausableClock): Logger {
    const say = (fields: Record<string, unknown>, text: string): void => {
      if (clock.isOver) return;
      const { err, ...more } = fields;
      this.#events.note(`${this.name}: ${text}`, ...(err === undefined ? [] : [String(err)]), more);
    };
    const silent = (): void => {};
    const logger: Logger = { child: () => logger, debug: silent, info: say, warn: say, error: say };
    return logger;
  }
}

/** A socket whose process hears nothing while it is paused, and never again when it has ended. */
function gated<Incoming, Outgoing>(
  socket: SimSocket<Incoming, Outgoing>,
  clock: PausableClock,
  change: (message: Incoming) => unknown = (message) => message,
): SimSocket<Incoming, Outgoing> {
  const iterator = socket.incoming[Symbol.asyncIterator]();
  const next = async (): Promise<IteratorResult<Incoming>> => {
    const result = await iterator.next();
    const waking = clock.awake('network');
    if (waking !== undefined) await waking;
    return result.done === true ? result : { done: false, value: change(result.value) as Incoming };
  };
  return {
    write: (message) => socket.write(message),
    close: () => socket.close(),
    incoming: { [Symbol.asyncIterator]: () => ({ next }) },
  };
}
