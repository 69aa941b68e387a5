import type { Mutant } from './mutants.ts';

/** Small wrongs in what a copy of a log knows of its own durability, that the histories of two copies must notice. */
export const REPLICA_MUTANTS: readonly Mutant[] = [
  {
    name: 'lag-trusted: what a leader says of its disk proves something about a copy',
    file: 'libs/storage/src/recovery.ts',
    from: 'authoredFrom: mark.authoredFrom,',
    to: 'authoredFrom: 0,',
  },
  {
    name: 'mark-high: a cut leaves the mark above what is left',
    file: 'libs/storage/src/truncate.ts',
    from: 'await mark.write(NOTHING, to);',
    to: '',
  },
  {
    name: 'mark-missing: a follower does not say that its records are not its own',
    file: 'libs/storage/src/commit-log.ts',
    from: 'if (isFollower && !this.#mark.isFollowers) await this.#writeMark(Number.POSITIVE_INFINITY, openedAt);',
    to: '',
  },
  {
    name: 'lead-unflushed: who becomes leader takes what it was sent for stored',
    file: 'libs/storage/src/commit-log.ts',
    from: 'await this.#commit.flush(state.endOffset);\n    await this.#commit.idle();\n    // From',
    to: 'await this.#commit.idle();\n    // From',
  },
];
