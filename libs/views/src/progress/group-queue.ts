import { NONE } from './entry-slab.ts';

/** Progress of one group on one queue. Only the progress view changes it. */
export class GroupQueue {
  /** Number of this pair inside the view; not stable over restarts. */
  readonly index: number;
  readonly groupUid: number;
  readonly queueUid: number;
  /** First offset that was neither handed out nor passed over. */
  nextOffset = 0;
  /** Outstanding entries in offset order. */
  first = NONE;
  last = NONE;
  count = 0;
  /** Those of them that have expired, in the order in which they did. */
  readyFirst = NONE;
  readyLast = NONE;
  readyCount = 0;
  /** Attempt id of the newest lease record, '' when it had none, and that record's lease id. */
  attemptId = '';
  attemptLeaseId = -1;
  /** Leases before this byte of the log are void: somebody has set the offset there. 0 = never. */
  resetPosition = 0;

  constructor(index: number, groupUid: number, queueUid: number) {
    this.index = index;
    this.groupUid = groupUid;
    this.queueUid = queueUid;
  }

  /** Entries whose lease has not expired. */
  get leasedCount(): number {
    return this.count - this.readyCount;
  }
}
