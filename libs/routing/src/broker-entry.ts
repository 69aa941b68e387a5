import type { BrokerIdentity, BrokerStatus, Topic } from '@orbitmq/protocol/orbitmq.route.v1';

/** RocketMQ's permission bits. */
export const PERMISSION_READ = 4;
export const PERMISSION_WRITE = 2;

/** All that a broker has told in its registration. */
export interface Registration {
  readonly identity: BrokerIdentity;
  readonly status: BrokerStatus;
  /** `host:port` by which the broker has reached this name server; undefined when it does not say. */
  readonly dialled?: string | undefined;
  /** By name; the table owns the map after `register`. */
  readonly topics: Map<string, Topic>;
  /** Version of the broker's metadata that `topics` shows. */
  readonly version: bigint;
}

/** A registered broker. Only `RouteTable` changes it. */
export interface BrokerEntry {
  readonly identity: BrokerIdentity;
  readonly status: BrokerStatus;
  /** `host:port` by which the broker has reached this name server. */
  readonly dialled: string | undefined;
  readonly topics: ReadonlyMap<string, Topic>;
  readonly version: bigint;
  /** The stream that speaks for the broker; undefined since it ended. */
  readonly owner: object | undefined;
  /** Monotonic milliseconds. */
  readonly registeredMs: number;
  /** Monotonic milliseconds of its last sign of life, or of the end of its stream. */
  readonly heardMs: number;
}

/**
 * Compares two registrations of the same broker name: the higher epoch is newer, then the higher incarnation.
 * @returns < 0, 0, > 0 as `left` is older, the same, newer
 */
export function compareAge(left: BrokerIdentity, right: BrokerIdentity): number {
  if (left.epoch !== right.epoch) return left.epoch < right.epoch ? -1 : 1;
  if (left.incarnation !== right.incarnation) return left.incarnation < right.incarnation ? -1 : 1;
  return 0;
}
