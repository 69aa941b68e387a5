/** A small wrong in the engine that the histories must notice. */
export interface Mutant {
  readonly name: string;
  /** File below the repository's root. */
  readonly file: string;
  /** Text that is in it once, and what takes its place. */
  readonly from: string;
  readonly to: string;
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
