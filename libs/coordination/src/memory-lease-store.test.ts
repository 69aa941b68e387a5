import { MemoryLeases } from './memory-lease-store.ts';
import { describeLeaseStore } from './test-lease-store.ts';

describeLeaseStore('in memory', async () => {
  const leases = new MemoryLeases();
  return { one: leases.connect(), other: leases.connect(), [Symbol.asyncDispose]: async () => {} };
});
