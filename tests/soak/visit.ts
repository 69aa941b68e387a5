import type { Random } from '@orbitmq/base';

/** Topic of what clients send, and its readers. */
export const SENT = { topic: 'soak', group: 'soak-readers' };
/** A topic that nobody sends to: who receives from it waits. */
export const EMPTY = { topic: 'soak-empty', group: 'soak-waiting' };

/** Where a client goes. */
export interface Place {
  /** Client port of the broker, or of a name server that passes calls on to it. */
  readonly port: number;
  readonly brokerName: string;
  readonly random: Random;
  readonly counts: VisitCounts;
}

/** What all visits together have done. */
export interface VisitCounts {
  sent: number;
  received: number;
}

/** A client that comes, does something, and goes. */
export interface Visit {
  readonly name: string;
  /** Rejects when it was not served as it must be. */
  run(place: Place): Promise<void>;
}
