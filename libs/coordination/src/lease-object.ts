import type { Acknowledgement, Lease } from './lease.ts';

/*
 * A Lease as an object of coordination.k8s.io/v1:
 *
 * | field | content |
 * |-------|---------|
 * | spec.holderIdentity | `<shard>/<brokerId>` of the holder, empty when given up |
 * | spec.leaseDurationSeconds | duration, rounded up |
 * | spec.renewTime | wall clock of the writer, for people and tools: members trust only uid and resourceVersion |
 * | spec.leaseTransitions | the epoch |
 * | metadata.annotations | the rest, below `orbitmq.io/` |
 */

const ANNOTATION = 'orbitmq.io/';

/** The parts of a Kubernetes Lease that are used here. */
export interface LeaseObject {
  readonly annotations: Readonly<Record<string, string>>;
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  readonly leaseTransitions: number;
}

/** @param shard name of the shard, as in `brokerName` */
export function toLeaseObject(shard: string, lease: Lease): LeaseObject {
  return {
    annotations: {
      [`${ANNOTATION}shard`]: shard,
      [`${ANNOTATION}holder`]: lease.holder === undefined ? '' : String(lease.holder),
      [`${ANNOTATION}epoch`]: String(lease.epoch),
      [`${ANNOTATION}in-sync`]: lease.inSync.join(','),
      [`${ANNOTATION}acknowledge`]: lease.acknowledge,
      [`${ANNOTATION}replication-address`]: lease.replicationAddress,
      [`${ANNOTATION}duration-ms`]: String(lease.durationMs),
      [`${ANNOTATION}heir`]: lease.heir === undefined ? '' : String(lease.heir),
    },
    holderIdentity: lease.holder === undefined ? '' : `${shard}/${lease.holder}`,
    leaseDurationSeconds: Math.max(1, Math.ceil(lease.durationMs / 1000)),
    leaseTransitions: lease.epoch % 2 ** 31,
  };
}

/**
 * Reads the annotations of a Lease object.
 * @throws Error naming the annotation that is missing or wrong, and the shard that it belongs to when that is another one
 */
export function fromLeaseObject(shard: string, annotations: Readonly<Record<string, string>>): Lease {
  const text = (name: string): string => {
    const value = annotations[ANNOTATION + name];
    if (value === undefined) throw new Error(`the lease of shard ${shard} has no annotation ${ANNOTATION}${name}`);
    return value;
  };
  const whole = (name: string, value: string): number => {
    const number = Number(value);
    if (value !== '' && Number.isSafeInteger(number) && number >= 0) return number;
    throw new Error(`annotation ${ANNOTATION}${name} of the lease of shard ${shard} is no whole number: ${value}`);
  };
  const member = (name: string): number | undefined => (text(name) === '' ? undefined : whole(name, text(name)));
  const owner = text('shard');
  if (owner !== shard) throw new Error(`the lease belongs to shard ${owner}, not to ${shard}: give each its own`);
  const acknowledge = text('acknowledge');
  if (acknowledge !== 'stored' && acknowledge !== 'confirmed') {
    throw new Error(`annotation ${ANNOTATION}acknowledge of the lease of shard ${shard} is ${acknowledge}`);
  }
  const inSync = text('in-sync');
  return {
    holder: member('holder'),
    epoch: whole('epoch', text('epoch')),
    inSync: inSync === '' ? [] : inSync.split(',').map((part) => whole('in-sync', part)),
    acknowledge: acknowledge satisfies Acknowledgement,
    replicationAddress: text('replication-address'),
    durationMs: whole('duration-ms', text('duration-ms')),
    heir: member('heir'),
  };
}
