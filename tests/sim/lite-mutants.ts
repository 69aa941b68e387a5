import type { Mutant } from './mutants.ts';

/** Small wrongs that the histories of lite topics must notice. */
export const LITE_MUTANTS: readonly Mutant[] = [
  {
    name: 'arrival-unheard: a new message in a lite topic wakes nobody',
    file: 'libs/shard/src/message-appender.ts',
    from: 'if (queue instanceof LiteTopic) lite.arrived(queue);',
    to: 'if (queue instanceof LiteTopic) return;',
  },
  {
    name: 'freedom-unheard: nobody hears that a lite topic is free again',
    file: 'libs/shard/src/core.ts',
    from: 'else this.lite.offer(subscription.groupUid, liteTopic);',
    to: '',
  },
  {
    name: 'return-unheard: nobody hears that a lease in a lite topic has ended',
    file: 'libs/shard/src/leases.ts',
    from: 'lite.offer(progress.groupUid, queue);',
    to: '',
  },
  {
    name: 'backlog-unseen: who names a lite topic does not get what it holds already',
    file: 'libs/shard/src/lite-group.ts',
    from: 'this.bring(reader.reading, liteTopic);',
    to: '',
  },
  {
    name: 'lite-unblocked: a lite topic gives more while some of it is handed out',
    file: 'libs/shard/src/lite-group.ts',
    from: "|| availability.isBlocked(queue, 'queue')",
    to: '',
  },
  {
    name: 'lite-forgotten: a snapshot lacks the lite topics',
    file: 'libs/shard/src/state.ts',
    from: 'this.metadata.liteTopics.restore(bytesOf(sections, SECTION.liteTopics));',
    to: '',
  },
  {
    name: 'lite-too-soon: only the first message of a lite topic counts for its age',
    file: 'libs/views/src/lite-topics/view.ts',
    from: 'liteTopic.lastSentMs = nowMs;',
    to: '',
  },
  {
    name: 'lite-undying: lite topics do not expire',
    file: 'libs/shard/src/lite-expiry.ts',
    from: 'due.push(liteTopic);',
    to: '',
  },
  {
    name: 'rest-cut: a suspended lite topic does not rest',
    file: 'libs/shard/src/state.ts',
    from: 'const change = { leaseId, deadlineMs: nowMs + key.invisibleMs, nowMs };',
    to: 'const change = { leaseId, deadlineMs: nowMs, nowMs };',
  },
  {
    name: 'rest-of-others: an old lease suspends what somebody else has been given since',
    file: 'libs/views/src/progress/view.ts',
    from: 'if (this.#slab.deadlineMs[named]! > change.nowMs) {',
    to: 'if (true) {',
  },
];
