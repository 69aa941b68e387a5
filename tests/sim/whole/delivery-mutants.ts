import type { Mutant } from '../mutants.ts';

/** Small wrongs in how messages are stored, handed out and settled. */
export const DELIVERY_MUTANTS: readonly Mutant[] = [
  {
    name: 'send-before-settled: an answer is given before the log has stored the message',
    file: 'libs/shard/src/log-shard.ts',
    from: 'const settling = this.#core.log.settled();',
    to: 'const settling = Promise.resolve();',
  },
  {
    name: 'lease-unsettled: messages are handed out before their lease is stored',
    file: 'libs/shard/src/receiver.ts',
    from: 'await this.#core.log.settled();\n    const deliveries',
    to: 'const deliveries',
  },
  {
    name: 'ack-not-replayed: acknowledgements are forgotten at a restart',
    file: 'libs/shard/src/recovery.ts',
    from: 'state.apply(record);',
    to: 'if (record.type !== RECORD.ack && record.type !== RECORD.acks) state.apply(record);',
  },
  {
    name: 'fifo-unblocked: a FIFO group is given the next batch while it holds one',
    file: 'libs/shard/src/availability.ts',
    from: "(blocking === 'queue' && queue.progress !== undefined && queue.progress.leasedCount > 0)",
    to: 'false',
  },
  {
    name: 'lease-unchecked: any handle settles a message',
    file: 'libs/shard/src/leases.ts',
    from: "if (current !== leaseId) return isOffset(leaseId) && leaseId < current ? SUPERSEDED : UNKNOWN;\n    return { outcome: 'done', key: { groupUid: lease.group.uid, queueUid: queue.uid, queueOffset, leaseId } };",
    to: "return { outcome: 'done', key: { groupUid: lease.group.uid, queueUid: queue.uid, queueOffset, leaseId: current } };",
  },
  {
    name: 'trim-past-leased: retention takes what is leased',
    file: 'libs/shard/src/retention.ts',
    from: 'state.progress.heldFrom(row.queueUid, heldAfterMs) ?? end',
    to: 'end',
  },
  {
    name: 'expiry-lost: an expired lease is not handed out again',
    file: 'libs/views/src/progress/view.ts',
    from: 'else this.#linkReady(queue, slot);\n      visit(queue);',
    to: 'visit(queue);',
  },
  {
    name: 'wake-lost: the end of a lease wakes nobody',
    file: 'libs/shard/src/leases.ts',
    from: 'if (subscription !== undefined) waiters.wake(subscription);',
    to: '',
  },
  {
    name: 'attempt-kept: a redelivery does not count',
    file: 'libs/views/src/progress/view.ts',
    from: 'this.#slab.attempt[slot]!++;',
    to: '',
  },
];
