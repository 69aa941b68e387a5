import { MqError } from '@orbitmq/base';
import { UINT48_MAX } from '@orbitmq/views';
import { type BranchSettlement, SETTLED_ENTRIES_MAX } from './branch-settlements.ts';
import type { ShardCore } from './core.ts';
import { INVISIBLE_MS_MAX, type Leases } from './leases.ts';
import { RECORD } from './records.ts';
import { encodeSettlement } from './settlement-record.ts';

/** Takes over what a copy has settled that stood in for this leader. */
export class BranchSettler {
  readonly #core: ShardCore;
  readonly #leases: Leases;

  constructor(core: ShardCore, leases: Leases) {
    this.#core = core;
    this.#leases = leases;
  }

  /**
   * @returns false when the group, the queue or its messages are not there (any more), so that there is nothing to settle
   * @throws MqError BAD_REQUEST when the settlement can't be
   */
  take(settlement: BranchSettlement, ownFrom: number): boolean {
    this.#core.checkRunning();
    checkSettlement(settlement);
    const { metadata, index } = this.#core.state;
    const { groupUid, queueUid, groupName, topicName } = settlement;
    const group = metadata.groupByUid(groupUid);
    const topic = metadata.topicByUid(metadata.queueByUid(queueUid)?.topicUid ?? 0);
    const indexed = index.queue(queueUid);
    if (group?.name !== groupName || topic?.name !== topicName || indexed === undefined) return false;
    // Of messages that are not here nothing can be settled: others will have their numbers.
    if (settlement.nextOffset > indexed.nextOffset) return false;
    this.#core.append(RECORD.settlement, [encodeSettlement({ ...settlement, ownFrom })]);
    this.#core.wake(this.#core.subscription(group, topic), queueUid);
    this.#leases.expire();
    return true;
  }
}

const ATTEMPT_MAX = 2 ** 31 - 1;

function checkSettlement(settlement: BranchSettlement): void {
  const { fromOffset, nextOffset, entries } = settlement;
  if (fromOffset > nextOffset) throw invalid('a range must not end before it begins', settlement);
  if (entries.length > SETTLED_ENTRIES_MAX) {
    throw invalid(`at most ${SETTLED_ENTRIES_MAX} entries may be named at a time`, settlement);
  }
  let least = fromOffset;
  for (const { offset, leaseId, remainingMs, attempt } of entries) {
    const isStorable = leaseId <= UINT48_MAX && remainingMs <= INVISIBLE_MS_MAX && attempt <= ATTEMPT_MAX;
    if (!isStorable) throw invalid('leases must have numbers that fit a record', settlement);
    if (offset < least || offset >= nextOffset)
      throw invalid('entries must lie within the range, in order', settlement);
    least = offset + 1;
  }
}

function invalid(rule: string, { fromOffset, nextOffset, entries }: BranchSettlement): MqError {
  return new MqError(
    'BAD_REQUEST',
    `${rule}; found ${entries.length} entries from ${fromOffset} to ${nextOffset}: start the same version on all members`,
  );
}
