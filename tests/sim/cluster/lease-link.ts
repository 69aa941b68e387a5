import type { Random } from '@orbitmq/base';
import {
  type Lease,
  type LeaseStore,
  LeaseUnreachable,
  type MemoryLeases,
  type StoredLease,
} from '@orbitmq/coordination';
import type { SimClock } from '@orbitmq/testkit';
import type { PausableClock } from './pausable-clock.ts';

/** How the way from a member to the store of Leases is. */
export interface LeaseWay {
  /** Requests do not arrive. */
  isCut: boolean;
  /** Requests arrive, and are done; their answers do not. */
  losesAnswers: boolean;
  /** Longest that each way takes. Milliseconds. */
  delayMs: number;
  /** Answers take so long beside. Milliseconds. */
  answerDelayMs: number;
  /** What is read comes from a server that lags behind; what is written does not. */
  isStale: boolean;
}

/** A client gives up after so long; what it asked for may still be done. Milliseconds. */
const TIMEOUT_MS = 300;
/** So many versions a server is behind that lags. */
const STALE_READS = 10;

/** A member's way to the Leases. */
export class LeaseLink {
  readonly way: LeaseWay = { isCut: false, losesAnswers: false, delayMs: 2, answerDelayMs: 0, isStale: false };
  readonly #sim: SimClock;
  readonly #leases: MemoryLeases;
  readonly #random: Random;
  readonly #onTaken: (before: Lease | undefined, after: Lease) => void;
  /** What a server that lags behind has: the Lease as it was some reads ago. */
  readonly #seen: StoredLease[] = [];

  /** @param onTaken hears of each new epoch */
  constructor(
    sim: SimClock,
    leases: MemoryLeases,
    random: Random,
    onTaken: (before: Lease | undefined, after: Lease) => void,
  ) {
    this.#onTaken = onTaken;
    this.#sim = sim;
    this.#leases = leases;
    this.#random = random;
  }

  /** The store for one life of the member's process. */
  connect(process: PausableClock): LeaseStore {
    const store = this.#leases.connect();
    return {
      read: () => this.#ask(process, () => this.#read(store)),
      write: (lease, expected) => this.#ask(process, () => this.#write(store, lease, expected)),
      close: () => {},
    };
  }

  async #read(store: LeaseStore): Promise<StoredLease | undefined> {
    const now = await store.read();
    if (now === undefined) return undefined;
    const oldest = this.way.isStale ? this.#seen[0] : undefined;
    if (this.#seen.at(-1)?.version !== now.version) this.#seen.push(now);
    if (this.#seen.length > STALE_READS) this.#seen.shift();
    return oldest ?? now;
  }

  async #write(store: LeaseStore, lease: Lease, expected: StoredLease | undefined): Promise<StoredLease> {
    const before = this.#leases.current?.lease;
    const written = await store.write(lease, expected);
    if (lease.epoch !== before?.epoch) this.#onTaken(before, lease);
    return written;
  }

  async #ask<Value>(process: PausableClock, work: () => Promise<Value>): Promise<Value> {
    const answer = await new Promise<() => Value>((resolve) => {
      const timer = this.#sim.setTimer(TIMEOUT_MS, () =>
        resolve(() => {
          throw new LeaseUnreachable('no answer came');
        }),
      );
      const answered = (give: () => Value): void => {
        if (this.way.losesAnswers) return;
        this.#after(() => {
          timer.cancel();
          resolve(give);
        }, this.way.answerDelayMs);
      };
      if (this.way.isCut) return;
      this.#after(() => {
        work().then(
          (value) => answered(() => value),
          (error: unknown) =>
            answered(() => {
              throw error;
            }),
        );
      });
    });
    const waking = process.awake('coordinator');
    if (waking !== undefined) await waking;
    return answer();
  }

  #after(run: () => void, atLeastMs = 0): void {
    this.#sim.setTimer(atLeastMs + (this.way.delayMs * this.#random.below(1024)) / 1024, run);
  }
}
