import { NONE } from './entry-slab.ts';
import { Milestones } from './milestones.ts';

/** A lease record that named an attempt id: who asks again with it gets the same messages. */
export interface Attempt {
  readonly id: string;
  readonly leaseId: number;
}

/** Nobody has named an attempt id. */
export const NO_ATTEMPTS: readonly Attempt[] = [];

/** Entries in the order in which they came, linked by their slots. */
export class EntryList {
  first = NONE;
  last = NONE;
  count = 0;
}

/** Nothing has ever expired: most queues of very many need no list of their own. Never added to. */
export const NO_ENTRIES: EntryList = Object.freeze(new EntryList());

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
  /** By which the place of an offset among them is found. Not part of the state. */
  readonly milestones = new Milestones();
  /** Those of them that have expired and may be handed out again, in the order in which they expired. Not part of the state. */
  ready = NO_ENTRIES;
  /** Those that have expired and were handed out as often as they may be: dead letters to be. Not part of the state. */
  spent = NO_ENTRIES;
  /** The newest lease record's attempt; where message groups block, those of all lease records that still hold an entry. */
  attempts: readonly Attempt[] = NO_ATTEMPTS;
  /** Leases before this byte of the log are void: somebody has set the offset there. 0 = never. */
  resetPosition = 0;

  constructor(index: number, groupUid: number, queueUid: number) {
    this.index = index;
    this.groupUid = groupUid;
    this.queueUid = queueUid;
  }

  /** Entries that may be handed out again. */
  get readyCount(): number {
    return this.ready.count;
  }

  /** Entries that nobody may have now: their lease has not expired, or they are to become dead letters. */
  get leasedCount(): number {
    return this.count - this.ready.count;
  }
}
