import type { Mutant } from '../mutants.ts';
import { DELIVERY_MUTANTS } from './delivery-mutants.ts';
import { ORDERED_MUTANTS } from './ordered-mutants.ts';
import { TRANSACTION_MUTANTS } from './transaction-mutants.ts';

/** Small wrongs of all kinds that histories of the whole must notice. */
export const WHOLE_MUTANTS: readonly Mutant[] = [
  ...DELIVERY_MUTANTS,
  ...ORDERED_MUTANTS,
  ...TRANSACTION_MUTANTS,
  {
    name: 'timer-early: a timed message comes a second before its time',
    file: 'libs/shard/src/timers.ts',
    from: 'if (state.timers.deliveryMs(slot) > nowMs) return false;',
    to: 'if (state.timers.deliveryMs(slot) > nowMs + 1000) return false;',
  },
  {
    name: 'timer-twice: a timer is still there when it has fired',
    file: 'libs/shard/src/recovery.ts',
    from: 'state.apply(record);',
    to: 'if (record.type !== RECORD.pointer) state.apply(record); else { const timers = state.timers; const kept = timers.applyEnd; timers.applyEnd = () => {}; try { state.apply(record); } finally { timers.applyEnd = kept; } }',
  },
  {
    name: 'recall-forgotten: a recalled message comes after a restart',
    file: 'libs/shard/src/recovery.ts',
    from: 'state.apply(record);',
    to: 'if (record.type !== RECORD.pendingEnd) state.apply(record);',
  },
  {
    name: 'sent-twice: what was sent before is stored again',
    file: 'libs/shard/src/sent-messages.ts',
    from: 'if (!this.#wanted.equals(this.#found)) return undefined;',
    to: 'return undefined;',
  },
  {
    name: 'sent-forgotten: a restart forgets what was sent before',
    file: 'libs/shard/src/state.ts',
    from: 'if (hasSection(sections, SECTION.sentKeys)) this.sentKeys.view.restore(bytesOf(sections, SECTION.sentKeys));',
    to: '',
  },
  {
    name: 'reset-forgotten: a restart forgets where a group was set to go on',
    file: 'libs/shard/src/recovery.ts',
    from: 'state.apply(record);',
    to: 'if (record.type !== RECORD.offsets) state.apply(record);',
  },
  {
    name: 'redrive-lost: a dead letter that was handed back does not come',
    file: 'libs/shard/src/state.ts',
    from: 'this.progress.applyReturn(queue, queueOffset, record.physicalOffset, record.shardTimeMs, messageGroup);',
    to: '',
  },
  {
    name: 'redrive-repeated: a dead letter is handed back again and again',
    file: 'libs/shard/src/state.ts',
    from: 'this.redriven.applyRedrive(deadQueueUid, redrive.deadQueueOffset);',
    to: '',
  },
  {
    name: 'group-kept: a restart forgets that a group was deleted',
    file: 'libs/shard/src/recovery.ts',
    from: 'state.apply(record);',
    to: 'if (record.type !== RECORD.groupDeletion) state.apply(record);',
  },
  {
    name: 'filter-inverted: a filter lets pass what it should not',
    file: 'libs/shard/src/picker.ts',
    from: 'const wanted = filter.matches(found.message);',
    to: 'const wanted = !filter.matches(found.message);',
  },
  {
    name: 'filter-passes: a filter is asked about the hash alone',
    file: 'libs/shard/src/picker.ts',
    from: 'if (filter.matches === undefined) return true;',
    to: 'return true;',
  },
  {
    name: 'priority-low: the lowest priority comes first',
    file: 'libs/shard/src/queue-turns.ts',
    from: 'return this.#lowestFirst ?',
    to: 'return !this.#lowestFirst ?',
  },
  {
    name: 'lag-short: what is in flight is not counted',
    file: 'libs/shard/src/queue-progress.ts',
    from: 'inflightCount: progress?.leasedCount ?? 0,',
    to: 'inflightCount: 0,',
  },
  {
    name: 'pull-unsettled: a reader without a group sees what is not stored yet',
    file: 'libs/shard/src/puller.ts',
    from: 'while (nextOffset < queue.visibleOffset &&',
    to: 'while (nextOffset < queue.nextOffset &&',
  },
  {
    name: 'origin-wrong: a dead letter does not say which message it was',
    file: 'libs/shard/src/dead-letters.ts',
    from: 'encodeDeadLetterOrigin({ topicName: topic.name, messageId });',
    to: "encodeDeadLetterOrigin({ topicName: topic.name, messageId: '' });",
  },
  {
    name: 'clone-ahead: a clone goes on where the other group has not settled everything',
    file: 'libs/shard/src/offsets.ts',
    from: 'return source && Math.max(minOffset, this.#core.state.progress.floorOffset(source));',
    to: 'return source && Math.max(minOffset, source.nextOffset);',
  },
];
