import type { Mutant } from '../mutants.ts';

/** Small wrongs in transactions. */
export const TRANSACTION_MUTANTS: readonly Mutant[] = [
  {
    name: 'commit-not-ending: a transaction is open after its commit',
    file: 'libs/shard/src/state.ts',
    from: 'else this.transactions.applyEnd(pending, transactionEnd);',
    to: 'else if (transactionEnd !== TRANSACTION_END.committed) this.transactions.applyEnd(pending, transactionEnd);',
  },
  {
    name: 'rollback-delivers: what was rolled back comes to consumers',
    file: 'libs/shard/src/transactions.ts',
    from: 'if (end === TRANSACTION_END.committed) {',
    to: 'if (end !== TRANSACTION_END.discarded) {',
  },
  {
    name: 'end-not-replayed: rollbacks are forgotten at a restart',
    file: 'libs/shard/src/recovery.ts',
    from: 'state.apply(record);',
    to: 'if (record.type !== RECORD.halfEnd) state.apply(record);',
  },
  {
    name: 'ended-not-kept: a snapshot does not say how transactions ended',
    file: 'libs/views/src/transactions/view.ts',
    from: 'this.#ended.read(reader);',
    to: '',
  },
  {
    name: 'half-in-queue: a half message is visible at once',
    file: 'libs/shard/src/transactions.ts',
    from: 'const half = { id: record.physicalOffset, slot: state.transactions.lastSlot };',
    to: 'const half = { id: record.physicalOffset, slot: state.transactions.lastSlot };\n    this.end(topic, half, TRANSACTION_END.committed, 0);',
  },
];
