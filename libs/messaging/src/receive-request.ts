import { MqError, quoted } from '@orbitmq/base';
import {
  INVISIBLE_MS_MIN,
  POLLING_MS_MAX,
  pollingMs,
  RECEIVE_BATCH_SIZE_MAX,
  RECEIVE_MODE_HEADER,
  type ReceiveMode,
  receiveModeOf,
} from '@orbitmq/protocol';
import type { FilterExpression, ReceiveMessageRequest } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import type { Group, Topic } from '@orbitmq/views';
import type { Agreement } from './agreements.ts';
import { checkBrokerReads } from './broker-permission.ts';
import type { MessagingContext } from './context.ts';
import { invisibleMsOf } from './invisible-time.ts';
import { liteRulesOf } from './lite-mode.ts';
import { READ_BIT } from './route-source.ts';
import type { Session } from './session.ts';
import { durationMs } from './times.ts';

/** Longest attempt id, characters. */
const ATTEMPT_ID_LENGTH_MAX = 256;

/** A receive whose request has been checked. Topic and group are looked up again each time, as they may change. */
export interface ReceivePlan {
  readonly topicName: string;
  readonly groupName: string;
  /** Compiled anew when it is no longer kept: what waits holds the text only. */
  readonly expression: FilterExpression | undefined;
  /** The group reads lite topics. */
  readonly isLite: boolean;
  /** What the group's clients agree on; undefined when they need not. */
  readonly agreement: Agreement | undefined;
  readonly countMax: number;
  readonly invisibleMs: number;
  readonly autoRenew: boolean;
  readonly attemptId: string | undefined;
  readonly mode: ReceiveMode;
  /** Monotonic time at which the answer is due. */
  readonly endMs: number;
}

/**
 * Checks a receive; the group is made when this is its first appearance. The queue that the request names is not
 * looked at: simple consumers only ever name the first queue of a broker, and want the messages of all.
 * @throws MqError with the code of what is wrong
 */
export async function planReceive(
  context: MessagingContext,
  request: ReceiveMessageRequest,
  call: Call,
  session: Session,
): Promise<ReceivePlan> {
  const { agreements, clock, config, filters, provision } = context;
  checkBrokerReads(config);
  const startedMs = clock.monotonicMs();
  const topicName = request.messageQueue?.topic?.name ?? '';
  const groupName = request.group?.name ?? '';
  const expression = request.filterExpression;
  const filter = filters.of(expression);
  const countMax = batchSizeOf(request.batchSize);
  const invisibleMs = request.autoRenew
    ? config.times.renewedLeaseMs
    : invisibleMsOf(request.invisibleDuration, INVISIBLE_MS_MIN);
  const attemptId = attemptIdOf(request.attemptId);
  const mode = receiveModeOf(call.metadata.get(RECEIVE_MODE_HEADER));
  const waitMs = waitMsOf(mode, request, call, session, config.times.deadlineMarginMs);
  // a topic that a first send may make is waited for; any other must be there
  if (!provision.mayMakeTopic(topicName)) provision.topic(topicName);
  const isLite = liteRulesOf(await provision.group(groupName)) !== undefined;
  // what is subscribed to decides, not an expression
  const agreement = isLite ? undefined : agreements.join(session, groupName, topicName, filter);
  const { autoRenew } = request;
  const endMs = startedMs + waitMs;
  return {
    topicName,
    groupName,
    expression,
    isLite,
    agreement,
    countMax,
    invisibleMs,
    autoRenew,
    attemptId,
    mode,
    endMs,
  };
}

/** How long a receive waits. Whoever names another mode than waiting has looked after the client's polling time itself. */
function waitMsOf(
  mode: ReceiveMode,
  request: ReceiveMessageRequest,
  call: Call,
  session: Session,
  deadlineMarginMs: number,
): number {
  if (mode === 'take') return 0;
  const remainingMs = call.remainingMs();
  if (mode === 'watch') return Math.max(0, Math.min(POLLING_MS_MAX, remainingMs - deadlineMarginMs));
  const requestTimeout = session.settings?.requestTimeout;
  return pollingMs({
    requestedMs: request.longPollingTimeout && durationMs(request.longPollingTimeout),
    requestTimeoutMs: requestTimeout && durationMs(requestTimeout),
    remainingMs,
    deadlineMarginMs,
  });
}

/** @throws MqError FORBIDDEN when the topic may not be read, or the group may not consume */
export function checkReadable(topic: Topic, group: Group): void {
  if ((topic.permission & READ_BIT) === 0) {
    throw new MqError(
      'FORBIDDEN',
      `topic ${quoted(topic.name)} may be read; found permission ${topic.permission}; give it read permission with mqadmin updateTopicPerm`,
    );
  }
  if (!group.consumeEnable) {
    throw new MqError(
      'FORBIDDEN',
      `consumer group ${quoted(group.name)} may consume; found it disabled; enable it with mqadmin updateSubGroup`,
    );
  }
}

/**
 * Messages that a request wants at most; the largest number when it says none.
 * @throws MqError BAD_REQUEST for a negative one
 */
export function batchSizeOf(batchSize: number): number {
  if (batchSize < 0) {
    throw new MqError(
      'BAD_REQUEST',
      `batch_size is 1 to ${RECEIVE_BATCH_SIZE_MAX}; found ${batchSize}; ask for one message or more`,
    );
  }
  // 0 is what the wire says for a number that was not set
  return batchSize === 0 ? RECEIVE_BATCH_SIZE_MAX : Math.min(batchSize, RECEIVE_BATCH_SIZE_MAX);
}

function attemptIdOf(attemptId: string | undefined): string | undefined {
  if (attemptId === undefined || attemptId === '') return undefined;
  if (attemptId.length <= ATTEMPT_ID_LENGTH_MAX) return attemptId;
  throw new MqError(
    'BAD_REQUEST',
    `an attempt id has at most ${ATTEMPT_ID_LENGTH_MAX} characters; found ${attemptId.length}; use a UUID`,
  );
}
