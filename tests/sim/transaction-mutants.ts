import type { Mutant } from './mutants.ts';

/** What the histories of transactions must notice: those of the whole come to it too seldom. */
export const TRANSACTION_MUTANTS: readonly Mutant[] = [
  {
    name: 'carried-not-found: a body that was written again is looked for at its old place',
    file: 'libs/shard/src/state.ts',
    from: 'this.transactions.applyMoved(pending, record.physicalOffset, record.length);',
    to: '',
  },
];
