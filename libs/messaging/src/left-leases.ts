import type { HeldLease, LeaseRef } from '@orbitmq/shard';

/**
 * Leases that were renewed for clients before a restart, until their clients are back. All leases with one id went to
 * one client.
 */
export class LeftLeases {
  private readonly byHolder = new Map<number, Map<number, LeaseRef[]>>();
  private readonly holderOf = new Map<number, number>();

  constructor(held: readonly HeldLease[]) {
    for (const { lease, holder } of held) {
      const own = this.byHolder.get(holder) ?? new Map<number, LeaseRef[]>();
      this.byHolder.set(holder, own);
      const leases = own.get(lease.leaseId);
      if (leases === undefined) own.set(lease.leaseId, [lease]);
      else leases.push(lease);
      this.holderOf.set(lease.leaseId, holder);
    }
  }

  /** A message has been settled or given back. */
  remove({ leaseId, queueId, queueOffset }: LeaseRef): void {
    const own = this.byHolder.get(this.holderOf.get(leaseId) ?? 0);
    const leases = own?.get(leaseId);
    if (own === undefined || leases === undefined) return;
    const left = leases.filter((lease) => lease.queueOffset !== queueOffset || lease.queueId !== queueId);
    own.set(leaseId, left);
  }

  /** The client is back: what it held, by lease id. */
  take(holder: number): ReadonlyMap<number, LeaseRef[]> | undefined {
    const own = this.byHolder.get(holder);
    this.byHolder.delete(holder);
    return own;
  }
}
