import { type Lease, LeaseConflict, type LeaseStore, type StoredLease } from './lease.ts';

/**
 * A Lease in the memory of one process: for simulations and tests of several members in it. Each member gets a store of its own by
 * `connect`, as each pod has its own client.
 */
export class MemoryLeases {
  #stored: StoredLease | undefined;
  #writeCount = 0;

  /** The Lease as it is; undefined when there is none. */
  get current(): StoredLease | undefined {
    return this.#stored;
  }

  connect(): LeaseStore {
    return {
      read: async () => this.#stored,
      write: async (lease, expected) => this.#write(lease, expected),
      close: () => {},
    };
  }

  #write(lease: Lease, expected: StoredLease | undefined): StoredLease {
    if (this.#stored?.version !== expected?.version) {
      throw new LeaseConflict(
        `the lease was to be changed from version ${expected?.version ?? 'none'}, but is at ${this.#stored?.version ?? 'none'}`,
      );
    }
    this.#stored = { lease: { ...lease, inSync: [...lease.inSync] }, version: String(++this.#writeCount) };
    return this.#stored;
  }
}
