import { MIB } from '@orbitmq/base';
import type { RpcServerLimits } from '../server.ts';

/** All limits of a server, none left open. */
export type ServerLimits = Required<RpcServerLimits>;

/** What is taken for limits that are not set. */
const DEFAULTS = {
  idleTimeoutMs: 900_000,
  connectionAgeMsMax: Number.POSITIVE_INFINITY,
  headerCountMax: 256,
  resetsPerSecondMax: 200,
  controlFramesPerSecondMax: 10_000,
  queuedBytesMax: 64 * MIB,
} as const;

export function limitsWithDefaults(limits: RpcServerLimits): ServerLimits {
  return { ...DEFAULTS, ...limits };
}
