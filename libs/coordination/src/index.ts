export { type Candidate, Election, type ElectionEvents, type ElectionOptions } from './election.ts';
export type { ElectionTimes } from './election-rules.ts';
export {
  type Acknowledgement,
  type Lease,
  LeaseConflict,
  type LeaseStore,
  LeaseUnreachable,
  type Member,
  type StoredLease,
} from './lease.ts';
export { MemoryLeases } from './memory-lease-store.ts';
