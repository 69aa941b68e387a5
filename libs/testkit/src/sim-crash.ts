import type { Random } from '@orbitmq/base';
import type { SimChange, SimContent, SimInode } from './sim-inode.ts';

const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;

/**
 * What a power loss leaves of changes that are not durable: `none` of them, `all`, a `prefix` in the order in which they
 * began, the same with the next write `torn`, a `subset` of changes and of single pages, or files that have grown to
 * their size but hold `zeros`.
 */
export const CRASH_POLICIES = ['none', 'all', 'prefix', 'torn', 'subset', 'zeros'] as const;
export type CrashPolicy = (typeof CRASH_POLICIES)[number];

/** A change of a name that a power loss may undo. */
export interface SimNaming {
  readonly sequence: number;
  readonly kind: 'create' | 'rename' | 'remove';
  readonly path: string;
  /** New path of a rename. */
  readonly target: string;
  /** Directory whose fsync makes it durable. */
  readonly directory: string;
  readonly inode: SimInode | undefined;
  ended: boolean;
  lost: boolean;
}

/** Applies a change of a name to a set of names; what it needs may be missing after a crash, then nothing happens. */
export function applyNaming(names: Map<string, SimInode>, naming: SimNaming): void {
  if (naming.kind === 'create') names.set(naming.path, naming.inode!);
  else if (naming.kind === 'remove') names.delete(naming.path);
  else {
    const inode = names.get(naming.path);
    if (inode === undefined) return;
    names.delete(naming.path);
    names.set(naming.target, inode);
  }
}

/** Decides for each volatile change how much of it is there after the power loss. */
export class CrashChoice {
  readonly #policy: CrashPolicy;
  readonly #random: Random;
  /** Changes before this one in the order are kept by `prefix` and `torn`. */
  readonly #cutSequence: number;

  constructor(policy: CrashPolicy, random: Random, sequences: readonly number[]) {
    this.#policy = policy;
    this.#random = random;
    const sorted = [...sequences].sort((one, other) => one - other);
    this.#cutSequence = sorted[random.below(sorted.length + 1)] ?? Number.POSITIVE_INFINITY;
  }

  keepsName(naming: SimNaming): boolean {
    if (this.#policy === 'subset') return this.#random.below(2) === 0;
    if (this.#policy === 'prefix' || this.#policy === 'torn') return naming.sequence < this.#cutSequence;
    return this.#policy !== 'none';
  }

  /** The file's content on the medium after the crash. */
  contentOf(inode: SimInode): SimContent {
    const content = inode.durable.copy();
    for (const change of inode.changes) this.#apply(content, change);
    return content;
  }

  #apply(content: SimContent, change: SimChange): void {
    const isBefore = change.sequence < this.#cutSequence;
    switch (this.#policy) {
      case 'none':
        return;
      case 'all':
        content.apply(change);
        return;
      case 'prefix':
        if (isBefore) content.apply(change);
        return;
      case 'torn':
        if (isBefore) content.apply(change);
        else if (change.sequence === this.#cutSequence && change.kind === 'write') this.#tear(content, change);
        return;
      case 'zeros':
        if (change.kind === 'truncate') content.apply(change);
        else content.sizeBytes = Math.max(content.sizeBytes, change.position + change.bytes.length);
        return;
      case 'subset':
        this.#applyPart(content, change);
    }
  }

  /** The first bytes of a write, up to any one or up to the end of a sector. */
  #tear(content: SimContent, change: SimChange & { kind: 'write' }): void {
    let end = change.position + this.#random.below(change.bytes.length);
    if (this.#random.below(2) === 0) end -= end % SECTOR_BYTES;
    content.write(change.bytes.subarray(0, Math.max(0, end - change.position)), change.position);
  }

  #applyPart(content: SimContent, change: SimChange): void {
    const dice = this.#random.below(10);
    if (dice < 3) return;
    if (change.kind === 'truncate' || dice < 6) {
      content.apply(change);
      return;
    }
    for (let at = 0; at < change.bytes.length; ) {
      const position = change.position + at;
      const count = Math.min(PAGE_BYTES - (position % PAGE_BYTES), change.bytes.length - at);
      if (this.#random.below(2) === 0) content.write(change.bytes.subarray(at, at + count), position);
      at += count;
    }
  }
}
