import type { Mutant } from '../mutants.ts';

/** Small wrongs in ordered groups and dead letters. */
export const ORDERED_MUTANTS: readonly Mutant[] = [
  {
    name: 'change-unseen: a changed number of queues holds nobody up',
    file: 'libs/shard/src/state.ts',
    from: 'this.queueChanges.applyChange(topic.uid, reached);',
    to: '',
  },
  {
    name: 'change-forgotten: a restart forgets changed numbers of queues',
    file: 'libs/shard/src/state.ts',
    from: 'this.queueChanges.restore(bytesOf(sections, SECTION.queueChanges));',
    to: '',
  },
  {
    name: 'group-unblocked: a new message overtakes one of its message group',
    file: 'libs/shard/src/picker.ts',
    from: 'if (busy.has(messageGroup)) {',
    to: 'if (false) {',
  },
  {
    name: 'group-forgotten: a restart forgets the message groups of what is out',
    file: 'libs/views/src/progress/view.ts',
    from: 'this.#slab.messageGroup[slot] = reader.i32();',
    to: 'this.#slab.messageGroup[slot] = reader.i32() + slot + 1;',
  },
  {
    name: 'one-too-many: a message comes once more than it may',
    file: 'libs/shard/src/leases.ts',
    from: 'attempt > group.retryMaxTimes;',
    to: 'attempt > group.retryMaxTimes + 1;',
  },
  {
    name: 'one-too-few: a message is a dead letter before its last attempt',
    file: 'libs/shard/src/leases.ts',
    from: 'attempt > group.retryMaxTimes;',
    to: 'attempt > 0 && attempt >= group.retryMaxTimes;',
  },
  {
    name: 'dead-unsettled: a dead letter stays with its group',
    file: 'libs/shard/src/state.ts',
    from: 'if (settles !== undefined) this.#settle(settles);',
    to: '',
  },
  {
    name: 'dead-unblocking: a queue goes on while a dead letter is being made',
    file: 'libs/views/src/progress/group-queue.ts',
    from: 'return this.count - this.ready.count;',
    to: 'return this.count - this.ready.count - this.spent.count;',
  },
  {
    name: 'letter-lost: what is to become a dead letter is only settled',
    file: 'libs/shard/src/dead-letters.ts',
    from: 'if (letter === undefined ||',
    to: 'if (true ||',
  },
];
