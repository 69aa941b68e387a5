/** A text in a file, and what takes its place. */
export interface Change {
  /** File below the repository's root. */
  readonly file: string;
  /** It is in it once. */
  readonly from: string;
  readonly to: string;
}

/** A small wrong in the engine that the histories must notice. */
export interface Mutant extends Change {
  readonly name: string;
  /** Where the same wrong would be caught in another place, too: that is changed with it. */
  readonly also?: Change;
}

/** What the histories of a shard's core must notice: those of the whole come to it too seldom. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'snapshot-ahead: a snapshot is written before the log is durable, and believed',
    file: 'libs/shard/src/maintenance.ts',
    from: 'await log.flush(position);\n    await this.#confirmed(position);',
    to: '',
  },
];
