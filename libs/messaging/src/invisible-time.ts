import { MqError } from '@orbitmq/base';
import { INVISIBLE_MS_MAX } from '@orbitmq/protocol';
import type { Duration } from '@orbitmq/protocol/google.protobuf';
import { durationMs } from './times.ts';

/**
 * The invisible duration that a client asks for, in whole milliseconds; none counts as 0.
 * @param minMs the shortest that is allowed
 * @throws MqError ILLEGAL_INVISIBLE_TIME beyond `minMs` … 12 hours. It begins as the original's does
 *   (proxy/…/grpc/v2/common/GrpcValidator.java), which tests of clients look for.
 */
export function invisibleMsOf(duration: Duration | undefined, minMs: number): number {
  const invisibleMs = duration === undefined ? 0 : durationMs(duration);
  if (invisibleMs >= minMs && invisibleMs <= INVISIBLE_MS_MAX) return Math.floor(invisibleMs);
  const trouble = invisibleMs < minMs ? 'small' : 'large';
  const range = `${minMs} to ${INVISIBLE_MS_MAX} ms`;
  throw new MqError(
    'ILLEGAL_INVISIBLE_TIME',
    `the invisibleTime is too ${trouble}: it is ${range}; found ${invisibleMs} ms; set one in this range`,
  );
}
