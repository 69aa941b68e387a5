import { dirname } from 'node:path/posix';
import type { Clock, Random } from '@orbitmq/base';
import { type Vfs, VfsError, type VfsFile, type VfsStat } from '@orbitmq/vfs';
import { applyNaming, CRASH_POLICIES, CrashChoice, type CrashPolicy, type SimNaming } from './sim-crash.ts';
import { type SimChange, SimInode } from './sim-inode.ts';

const PAGE_BYTES = 4096;
const CAPACITY_BYTES = 2 ** 40;

/** Names of the operations on a simulated disk, as in `VfsError.operation`. */
export type SimOperation =
  | 'makeDirectory'
  | 'list'
  | 'open'
  | 'stat'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate';

/** Something that goes wrong with operations of a kind. */
export interface SimFault {
  readonly operation: SimOperation;
  /** Part of the paths that are meant; default all. */
  readonly path?: string;
  /** Matching operations that pass first; default 0. */
  readonly after?: number;
  /** Operations that it hits; default 1. */
  readonly count?: number;
  /** Code with which they fail. A write that fails may have stored a part; what a failed fsync covered is lost on a crash. */
  readonly error?: string;
  /** They take so much longer. Milliseconds. */
  readonly delayMs?: number;
}

/** How a simulated disk behaves. */
export interface SimDiskOptions {
  /** Moves the operations on; see `latencyMs`. */
  readonly clock: Clock;
  readonly random: Random;
  /** Room for pages that hold something; default 1 TiB. */
  readonly capacityBytes?: number;
  /** Longest time of an operation, milliseconds; each takes a random part of it. 0: all are done at once. Default 0.2. */
  readonly latencyMs?: number;
  /** The same for fsyncs; default 2. */
  readonly syncLatencyMs?: number;
}

interface ActiveFault {
  readonly fault: SimFault;
  seen: number;
  hit: number;
}

/** What outlives a process: the medium and the kernel's memory. */
interface World {
  readonly directories: Set<string>;
  /** Names as processes see them. */
  names: Map<string, SimInode>;
  /** Names on the medium. */
  readonly durableNames: Map<string, SimInode>;
  namings: SimNaming[];
  sequence: number;
  usedBytes: number;
  capacityBytes: number;
  faults: ActiveFault[];
}

/**
 * A disk in memory that forgets as real ones do. What is written can be read at once, but is on the medium only when an
 * fsync of the file that began after the write had ended has succeeded; a name only after an fsync of its directory. All else a
 * power loss may keep, lose or tear, as `crash` decides by its random numbers. One object stands for the disk as one
 * process sees it: after `kill` or `crash` its operations never end, and the disk lives on in the object returned.
 */
export class SimDisk implements Vfs {
  readonly #options: Required<Pick<SimDiskOptions, 'clock' | 'random' | 'latencyMs' | 'syncLatencyMs'>>;
  readonly #world: World;
  readonly #locked = new Set<string>();
  #dead = false;

  constructor(options: SimDiskOptions, world?: World) {
    this.#options = { latencyMs: 0.2, syncLatencyMs: 2, ...options };
    this.#world = world ?? {
      directories: new Set(['/', '.']),
      names: new Map(),
      durableNames: new Map(),
      namings: [],
      sequence: 0,
      usedBytes: 0,
      capacityBytes: options.capacityBytes ?? CAPACITY_BYTES,
      faults: [],
    };
  }

  // ── what tests do to it ──

  /** Lets operations go wrong from now on; returns the way to stop that. */
  inject(fault: SimFault): () => void {
    const active = { fault, seen: 0, hit: 0 };
    this.#world.faults.push(active);
    return () => {
      this.#world.faults = this.#world.faults.filter((other) => other !== active);
    };
  }

  /** Changes the size of the disk; what is there stays. */
  setCapacity(capacityBytes: number): void {
    this.#world.capacityBytes = capacityBytes;
  }

  /** The process ends now, in the middle of everything; the kernel keeps what it was given. */
  kill(random: Random = this.#options.random, clock: Clock = this.#options.clock): SimDisk {
    this.#dead = true;
    const world = this.#world;
    for (const naming of world.namings.filter((other) => !other.ended))
      this.#finishNaming(naming, random.below(2) === 0);
    for (const inode of this.#inodes()) {
      for (const change of inode.changes.filter((other) => !other.ended)) finishChange(inode, change, random);
    }
    return new SimDisk({ ...this.#options, clock, random }, { ...world, faults: [] });
  }

  /** The power fails now. Gives the disk as it is found afterwards. */
  crash(
    random: Random = this.#options.random,
    policy: CrashPolicy = CRASH_POLICIES[random.below(CRASH_POLICIES.length)]!,
    clock: Clock = this.#options.clock,
  ): SimDisk {
    this.#dead = true;
    const { directories, durableNames, namings, capacityBytes, sequence } = this.#world;
    const sequences = namings.map((naming) => naming.sequence);
    for (const inode of this.#inodes()) for (const change of inode.changes) sequences.push(change.sequence);
    const choice = new CrashChoice(policy, random, sequences);
    const found = new Map(durableNames);
    for (const naming of namings) if (choice.keepsName(naming)) applyNaming(found, naming);
    const names = new Map<string, SimInode>();
    let usedBytes = 0;
    for (const [path, inode] of found) {
      const survivor = SimInode.of(choice.contentOf(inode));
      for (const page of inode.pages) if (page * PAGE_BYTES < survivor.live.sizeBytes) survivor.pages.add(page);
      usedBytes += survivor.pages.size * PAGE_BYTES;
      names.set(path, survivor);
    }
    const world: World = {
      directories: new Set(directories),
      names,
      durableNames: new Map(names),
      namings: [],
      sequence,
      usedBytes,
      capacityBytes,
      faults: [],
    };
    return new SimDisk({ ...this.#options, clock, random }, world);
  }

  /** Turns bits of one byte, on the medium and in memory. @throws Error when there is no such byte */
  flip(path: string, position: number, mask = 1): void {
    const inode = this.#world.names.get(path);
    if (inode === undefined || position >= inode.live.sizeBytes)
      throw new Error(`there is no byte ${position} in ${path}`);
    inode.flip(position, mask);
  }

  /** Everything that processes can read, by path. */
  image(): Map<string, Uint8Array> {
    const image = new Map<string, Uint8Array>();
    for (const path of [...this.#world.names.keys()].sort()) image.set(path, this.#world.names.get(path)!.live.bytes());
    return image;
  }

  /** A disk of its own on which all that can be read here is durable. */
  copy(clock: Clock = this.#options.clock, random: Random = this.#options.random): SimDisk {
    const copy = new SimDisk({ ...this.#options, clock, random, capacityBytes: this.#world.capacityBytes });
    for (const directory of this.#world.directories) copy.#world.directories.add(directory);
    for (const [path, inode] of this.#world.names) {
      const twin = SimInode.of(inode.live.copy());
      for (const page of inode.pages) twin.pages.add(page);
      copy.#world.names.set(path, twin);
      copy.#world.durableNames.set(path, twin);
    }
    copy.#world.usedBytes = this.#world.usedBytes;
    return copy;
  }

  // ── Vfs ──

  async makeDirectory(path: string): Promise<void> {
    await this.pass('makeDirectory', path);
    for (let at = path; !this.#world.directories.has(at); at = dirname(at)) this.#world.directories.add(at);
  }

  async list(path: string): Promise<string[]> {
    await this.pass('list', path);
    const names: string[] = [];
    for (const at of [...this.#world.names.keys(), ...this.#world.directories]) {
      if (at !== path && dirname(at) === path) names.push(at.slice(path === '/' ? 1 : path.length + 1));
    }
    return names.sort();
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<VfsFile> {
    if (mode === 'create') return await this.#create(path);
    await this.pass('open', path);
    return new SimFile(this, path, this.#need('open', path), mode === 'write');
  }

  async stat(path: string): Promise<VfsStat | undefined> {
    await this.pass('stat', path);
    const inode = this.#world.names.get(path);
    if (inode !== undefined) return { sizeBytes: inode.live.sizeBytes, modifiedMs: inode.modifiedMs };
    return this.#world.directories.has(path) ? { sizeBytes: 0, modifiedMs: 0 } : undefined;
  }

  async rename(source: string, target: string): Promise<void> {
    if (this.#dead) await never();
    const naming = this.#beginNaming('rename', source, target, undefined);
    await this.#during(naming, async () => {
      await this.pass('rename', source);
      this.#need('rename', source);
      this.#needDirectory('rename', dirname(target));
    });
  }

  async remove(path: string): Promise<void> {
    if (this.#dead) await never();
    const naming = this.#beginNaming('remove', path, path, undefined);
    await this.#during(naming, () => this.pass('remove', path));
  }

  async syncDirectory(path: string): Promise<void> {
    const world = this.#world;
    const covered = new Set(world.namings.filter((naming) => naming.ended && naming.directory === path));
    try {
      await this.pass('syncDirectory', path);
      if (this.#dead) await never();
      this.#needDirectory('syncDirectory', path);
    } catch (error) {
      for (const naming of covered) naming.lost = true;
      throw error;
    }
    for (const naming of world.namings)
      if (covered.has(naming) && !naming.lost) applyNaming(world.durableNames, naming);
    world.namings = world.namings.filter((naming) => !covered.has(naming) || naming.lost);
  }

  async diskSpace(): Promise<{ readonly totalBytes: number; readonly availableBytes: number }> {
    const { capacityBytes, usedBytes } = this.#world;
    return { totalBytes: capacityBytes, availableBytes: Math.max(0, capacityBytes - usedBytes) };
  }

  async lock(directory: string): Promise<{ release(): Promise<void> }> {
    this.#needDirectory('lock', directory);
    if (this.#locked.has(directory)) throw new VfsError('LOCKED', 'lock', directory);
    this.#locked.add(directory);
    return {
      release: async () => {
        this.#locked.delete(directory);
      },
    };
  }

  // ── for its files ──

  /**
   * Takes the operation's time, and fails it where a fault says so.
   * @internal
   */
  async pass(operation: SimOperation, path: string): Promise<void> {
    const fault = this.#faultFor(operation, path);
    const { latencyMs, syncLatencyMs, random, clock } = this.#options;
    const mostMs = operation === 'sync' || operation === 'syncDirectory' ? syncLatencyMs : latencyMs;
    const tookMs = (fault?.delayMs ?? 0) + (mostMs * random.below(1024)) / 1024;
    if (tookMs > 0) await new Promise<void>((resolve) => clock.setTimer(tookMs, resolve));
    if (this.#dead) await never();
    if (fault?.error !== undefined) throw new VfsError(fault.error, operation, path);
  }

  /**
   * The process is no more: nobody is there to do anything or to hear of it, so that nothing ends any more.
   * @internal
   */
  get isDead(): boolean {
    return this.#dead;
  }

  /** @internal */
  nextSequence(): number {
    return this.#world.sequence++;
  }

  /**
   * Takes room for a write; gives the number of its bytes for which there is some.
   * @internal
   */
  takeRoom(inode: SimInode, position: number, sizeBytes: number): number {
    const world = this.#world;
    for (const page of inode.newPages(position, sizeBytes)) {
      if (world.usedBytes + PAGE_BYTES > world.capacityBytes) return Math.max(0, page * PAGE_BYTES - position);
      world.usedBytes += PAGE_BYTES;
      inode.pages.add(page);
    }
    return sizeBytes;
  }

  /** @internal */
  giveRoom(inode: SimInode, sizeBytes: number): void {
    for (const page of [...inode.pages]) {
      if (page * PAGE_BYTES < sizeBytes) continue;
      inode.pages.delete(page);
      this.#world.usedBytes -= PAGE_BYTES;
    }
  }

  /** @internal */
  get random(): Random {
    return this.#options.random;
  }

  /** @internal */
  get clock(): Clock {
    return this.#options.clock;
  }

  async #create(path: string): Promise<VfsFile> {
    if (this.#dead) await never();
    const inode = new SimInode();
    const naming = this.#beginNaming('create', path, path, inode);
    await this.#during(naming, async () => {
      await this.pass('open', path);
      this.#needDirectory('open', dirname(path));
      if (this.#world.names.has(path) || this.#world.directories.has(path)) throw new VfsError('EEXIST', 'open', path);
    });
    return new SimFile(this, path, inode, true);
  }

  #beginNaming(kind: SimNaming['kind'], path: string, target: string, inode: SimInode | undefined): SimNaming {
    const directory = dirname(target);
    const naming = { sequence: this.nextSequence(), kind, path, target, directory, inode, ended: false, lost: false };
    this.#world.namings.push(naming);
    return naming;
  }

  async #during(naming: SimNaming, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (this.#dead) await never();
      this.#finishNaming(naming, false);
      throw error;
    }
    if (this.#dead) await never();
    this.#finishNaming(naming, true);
  }

  #finishNaming(naming: SimNaming, isDone: boolean): void {
    const world = this.#world;
    naming.ended = true;
    if (!isDone) {
      world.namings = world.namings.filter((other) => other !== naming);
      return;
    }
    const replaced = naming.kind === 'create' ? undefined : world.names.get(naming.target);
    if (replaced !== undefined && replaced !== world.names.get(naming.path)) this.giveRoom(replaced, 0);
    if (naming.kind === 'remove' && replaced !== undefined) this.giveRoom(replaced, 0);
    applyNaming(world.names, naming);
  }

  #faultFor(operation: SimOperation, path: string): SimFault | undefined {
    for (const active of this.#world.faults) {
      const { fault } = active;
      if (fault.operation !== operation || !path.includes(fault.path ?? '')) continue;
      if (active.seen++ < (fault.after ?? 0) || active.hit >= (fault.count ?? 1)) continue;
      active.hit++;
      return fault;
    }
    return undefined;
  }

  #inodes(): Set<SimInode> {
    const { names, durableNames, namings } = this.#world;
    const inodes = new Set([...names.values(), ...durableNames.values()]);
    for (const { inode } of namings) if (inode !== undefined) inodes.add(inode);
    return inodes;
  }

  #need(operation: string, path: string): SimInode {
    const inode = this.#world.names.get(path);
    if (inode === undefined) throw new VfsError('ENOENT', operation, path);
    return inode;
  }

  #needDirectory(operation: string, path: string): void {
    if (!this.#world.directories.has(path)) throw new VfsError('ENOENT', operation, path);
  }
}

class SimFile implements VfsFile {
  readonly path: string;
  readonly #disk: SimDisk;
  readonly #inode: SimInode;
  readonly #writable: boolean;
  #closed = false;

  constructor(disk: SimDisk, path: string, inode: SimInode, writable: boolean) {
    this.#disk = disk;
    this.path = path;
    this.#inode = inode;
    this.#writable = writable;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#check('read', false);
    await this.#pass('read');
    return this.#inode.live.read(target, position);
  }

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    this.#check('write', true);
    if (this.#disk.isDead) await never();
    const bytes = Buffer.concat(parts);
    const room = this.#disk.takeRoom(this.#inode, position, bytes.length);
    const change = this.#begin({ kind: 'write', position, bytes: bytes.subarray(0, room) });
    try {
      await this.#pass('write');
    } catch (error) {
      if (change.kind === 'write')
        change.bytes = change.bytes.subarray(0, this.#disk.random.below(change.bytes.length + 1));
      this.#end(change);
      throw error;
    }
    this.#end(change);
    if (room < bytes.length) throw new VfsError('ENOSPC', 'write', this.path);
  }

  async sync(): Promise<void> {
    this.#check('sync', false);
    if (this.#disk.isDead) await never();
    const covered = new Set(this.#inode.changes.filter((change) => change.ended));
    try {
      await this.#pass('sync');
    } catch (error) {
      for (const change of covered) change.lost = true;
      throw error;
    }
    this.#inode.store(covered);
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#check('truncate', true);
    if (this.#disk.isDead) await never();
    const change = this.#begin({ kind: 'truncate', sizeBytes });
    try {
      await this.#pass('truncate');
    } catch (error) {
      this.#inode.changes = this.#inode.changes.filter((other) => other !== change);
      throw error;
    }
    this.#disk.giveRoom(this.#inode, sizeBytes);
    this.#end(change);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #pass(operation: SimOperation): Promise<void> {
    await this.#disk.pass(operation, this.path);
    // The process may have ended between.
    if (this.#disk.isDead) await never();
  }

  #begin(
    what:
      | { readonly kind: 'write'; readonly position: number; bytes: Uint8Array }
      | { readonly kind: 'truncate'; readonly sizeBytes: number },
  ): SimChange {
    const change: SimChange = { sequence: this.#disk.nextSequence(), ended: false, lost: false, ...what };
    this.#inode.changes.push(change);
    return change;
  }

  #end(change: SimChange): void {
    change.ended = true;
    this.#inode.live.apply(change);
    this.#inode.modifiedMs = this.#disk.clock.wallMs();
  }

  #check(operation: string, writes: boolean): void {
    if (this.#closed || (writes && !this.#writable)) throw new VfsError('EBADF', operation, this.path);
  }
}

/** What a killed process had begun: the kernel has done it, a part of it, or nothing. */
function finishChange(inode: SimInode, change: SimChange, random: Random): void {
  const dice = random.below(3);
  if (dice === 0) {
    inode.changes = inode.changes.filter((other) => other !== change);
    return;
  }
  if (dice === 1 && change.kind === 'write')
    change.bytes = change.bytes.subarray(0, random.below(change.bytes.length + 1));
  change.ended = true;
  inode.live.apply(change);
}

/** Of its own for each who waits: one for all would keep them all in memory. */
function never(): Promise<never> {
  return new Promise(() => {});
}
