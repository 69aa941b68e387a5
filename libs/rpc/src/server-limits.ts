import { KIB, MIB } from '@orbitmq/base';
import type { RpcServerLimits } from './server.ts';

/** All limits of a server, none left open. */
export type ServerLimits = Required<RpcServerLimits>;

/** What is taken for limits that are not set. */
export const LIMIT_DEFAULTS = {
  http1TimeoutMs: 10_000,
  http1ConnectionsMax: 64,
  idleTimeoutMs: 900_000,
  connectionAgeMsMax: Number.POSITIVE_INFINITY,
  headerCountMax: 256,
  resetsPerSecondMax: 200,
  controlFramesPerSecondMax: 10_000,
  queuedBytesMax: 64 * MIB,
  streamWindowBytes: 512 * KIB,
  connectionWindowBytes: 4 * MIB,
  socketBytesMax: MIB,
  queuedBytesTotalMax: 512 * MIB,
} as const;

/** What may have come of messages that are not complete, of all connections, where nothing is said. */
const UNFINISHED_MIN_BYTES = 128 * MIB;
const UNFINISHED_MIN_MESSAGES = 4;

/** All limits of a server. */
export function limitsWithDefaults(limits: RpcServerLimits): ServerLimits {
  const unfinishedBytesMax = Math.max(UNFINISHED_MIN_BYTES, UNFINISHED_MIN_MESSAGES * limits.receiveMessageBytesMax);
  return { ...LIMIT_DEFAULTS, unfinishedBytesMax, ...limits };
}
