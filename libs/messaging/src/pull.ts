import { CODES, delay, MqError } from '@orbitmq/base';
import { encodeReceivedMessage, encodeReceiveStatus, POLLING_MS_MAX } from '@orbitmq/protocol';
import { type PullMessageRequest, PullMessageResponse } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Call, RpcError, type Sink } from '@orbitmq/rpc';
import type { MessageFilter, Pulled } from '@orbitmq/shard';
import type { Group } from '@orbitmq/views';
import { checkBrokerReads } from './broker-permission.ts';
import { callerOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { isTaken } from './drained.ts';
import { ErrorHold } from './error-hold.ts';
import { type NamedQueue, namedQueue } from './named-queue.ts';
import type { Polls } from './polling.ts';
import { batchSizeOf, checkReadable } from './receive-request.ts';
import type { Session } from './session.ts';
import { durationMs } from './times.ts';

// A response with a status or a message is that of a receive: the fields have the same numbers.
const STATUS_OK = encodeReceiveStatus(CODES.OK, 'OK');
const STATUS_NONE = encodeReceiveStatus(
  CODES.MESSAGE_NOT_FOUND,
  'there is no message that is wanted from here on; pull again from next_offset',
);
/** What a filter passes over is looked at in slices; others have their turn in between. Milliseconds. */
const SLICE_PAUSE_MS = 1;

/** A pull that has been checked. */
interface PullPlan extends NamedQueue {
  readonly group: Group;
  readonly filter: MessageFilter | undefined;
  readonly countMax: number;
  /** Monotonic time at which the answer is due. */
  readonly endMs: number;
}

/**
 * PullMessage: the status first, then one message a response, and where to go on. It reads from any offset on, takes
 * no lease and moves no offset of the group: that is UpdateOffset's business. Only settled messages are given.
 */
export class Pulling {
  private readonly context: MessagingContext;
  private readonly polls: Polls;
  private readonly errorHold: ErrorHold;

  constructor(context: MessagingContext, polls: Polls) {
    this.context = context;
    this.polls = polls;
    this.errorHold = new ErrorHold(context.clock, context.config);
  }

  async pull(request: PullMessageRequest, call: Call, sink: Sink<Uint8Array>): Promise<void> {
    const { clock, events, sessions } = this.context;
    const startedMs = clock.monotonicMs();
    let session: Session | undefined;
    try {
      session = sessions.obtain(callerOf(call));
      session.openReceives++;
      await this.answer(request, call, sink, session);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      events.callRefused('PullMessage', error.code);
      await this.errorHold.until(startedMs, call);
      sink.write(encodeReceiveStatus(error.codeNumber, error.message));
      const { nearestOffset } = error.details;
      if (typeof nearestOffset === 'number') sink.write(encodeNextOffset(nearestOffset));
    } finally {
      if (session) {
        session.openReceives--;
        if (!call.cancelled) session.lastSeenMs = clock.monotonicMs();
      }
    }
  }

  private async answer(
    request: PullMessageRequest,
    call: Call,
    sink: Sink<Uint8Array>,
    session: Session,
  ): Promise<void> {
    const plan = await this.plan(request, call);
    const found = await this.find(plan, Number(request.offset), call, session);
    if (found.messages.length === 0) sink.write(STATUS_NONE);
    else await this.write(plan, found, call, sink);
    sink.write(encodeNextOffset(found.nextOffset));
  }

  /** @throws MqError with the code of what is wrong */
  private async plan(request: PullMessageRequest, call: Call): Promise<PullPlan> {
    const { clock, config, filters, provision } = this.context;
    checkBrokerReads(config);
    const startedMs = clock.monotonicMs();
    const { filter } = filters.of(request.filterExpression);
    const countMax = batchSizeOf(request.batchSize);
    const queue = namedQueue(this.context, request.messageQueue);
    const group = await provision.group(request.group?.name ?? '');
    checkReadable(queue.topic, group);
    const wishedMs = request.longPollingTimeout ? durationMs(request.longPollingTimeout) : 0;
    const remainingMs = call.remainingMs() - config.times.deadlineMarginMs;
    const waitMs = Math.max(0, Math.min(wishedMs, POLLING_MS_MAX, remainingMs));
    return { ...queue, group, filter, countMax, endMs: startedMs + waitMs };
  }

  /** Looks for messages from `offset` on, waits at the end of the queue, and looks again until the time is over. */
  private async find(plan: PullPlan, offset: number, call: Call, session: Session): Promise<Pulled> {
    const { clock, config, shard } = this.context;
    const { topic, queueId, filter, countMax } = plan;
    let pulled: Pulled = { messages: [], nextOffset: offset, endOffset: offset };
    for (;;) {
      const bytesMax = config.receiveBatchBytesMax;
      pulled = await shard.pull({ topic, queueId, offset: pulled.nextOffset, filter, countMax, bytesMax });
      if (pulled.messages.length > 0 || call.cancelled || call.draining || session.ended) return pulled;
      const { nextOffset, endOffset } = pulled;
      if (nextOffset < endOffset) {
        // The time to wait is for messages to come: what is there is looked at for as long as the client waits.
        if (call.remainingMs() <= config.times.deadlineMarginMs) return pulled;
        await delay(clock, SLICE_PAUSE_MS);
        continue;
      }
      if (clock.monotonicMs() >= plan.endMs) return pulled;
      await this.polls.wait(shard.waitForOffset(topic, queueId, nextOffset), plan.endMs, call, session);
    }
  }

  private async write(plan: PullPlan, found: Pulled, call: Call, sink: Sink<Uint8Array>): Promise<void> {
    const { clock, config, events } = this.context;
    const { topic, group, queueId } = plan;
    let [count, sizeBytes] = [0, 0];
    sink.write(STATUS_OK);
    for (const { queueOffset, storeTimestampMs, message } of found.messages) {
      const response = encodeReceivedMessage(message, {
        receiptHandle: undefined,
        queueId,
        queueOffset,
        deliveryAttempt: 1,
        storeTimestampMs,
        invisibleMs: undefined,
      });
      const drained = sink.write(response);
      if (drained && !(await isTaken(clock, drained, config.times.stalledWriteMs))) {
        throw new RpcError(
          'DEADLINE_EXCEEDED',
          `the consumer took nothing of its messages for ${config.times.stalledWriteMs} ms; read answers as they come`,
        );
      }
      if (call.cancelled) break;
      count++;
      sizeBytes += response.length;
    }
    if (count > 0) events.messagesOut(topic, group, count, sizeBytes, 0);
  }
}

function encodeNextOffset(nextOffset: number): Uint8Array {
  return PullMessageResponse.encode({ nextOffset: BigInt(nextOffset) }).finish();
}
