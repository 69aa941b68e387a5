import { MIB } from '@orbitmq/base';
import { encodeReceivedMessage } from '@orbitmq/protocol';
import type { Call, Sink } from '@orbitmq/rpc';
import { type Delivery, isLiteQueueId } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';
import type { ClientLanguage } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { isTaken } from './drained.ts';
import type { Session } from './session.ts';

/** Largest response that these clients take; their libraries refuse larger ones, again and again. Bytes. */
const SMALL_RESPONSE_BYTES_MAX = 4 * MIB;
const SMALL_RESPONSE_LANGUAGES: ReadonlySet<ClientLanguage> = new Set(['NODE_JS', 'DOT_NET', 'RUST']);

/** What became of the deliveries of one receive. */
export interface Written {
  readonly written: readonly Delivery[];
  /** The consumer has stopped reading. */
  readonly stalled: boolean;
}

/** Writes deliveries to consumers, each as a response of its own, no faster than the consumer takes them. */
export class DeliveryWriter {
  private readonly context: MessagingContext;

  constructor(context: MessagingContext) {
    this.context = context;
  }

  /** Stops when the call is cancelled, or when the consumer takes nothing for too long. */
  async write(
    found: { readonly topic: Topic; readonly group: Group; readonly deliveries: readonly Delivery[] },
    session: Session,
    call: Call,
    sink: Sink<Uint8Array>,
  ): Promise<Written> {
    const { clock, config, events, logger } = this.context;
    const { topic, group, deliveries } = found;
    const written: Delivery[] = [];
    let sizeBytes = 0;
    let retryCount = 0;
    for (const delivery of deliveries) {
      const response = this.encode(topic, group, delivery);
      if (response.length > SMALL_RESPONSE_BYTES_MAX && SMALL_RESPONSE_LANGUAGES.has(session.language)) {
        const { queueId, queueOffset } = delivery;
        logger.debug({ topic: topic.name, queueId, queueOffset }, 'message is larger than this client can receive');
        continue;
      }
      const drained = sink.write(response);
      if (drained && !(await isTaken(clock, drained, config.times.stalledWriteMs))) return { written, stalled: true };
      if (call.cancelled) break;
      written.push(delivery);
      sizeBytes += response.length;
      if (delivery.attempt > 1) retryCount++;
    }
    if (written.length > 0) events.messagesOut(topic, group, written.length, sizeBytes, retryCount);
    return { written, stalled: false };
  }

  private encode(topic: Topic, group: Group, delivery: Delivery): Buffer {
    const { queueId, queueOffset, leaseId } = delivery;
    return encodeReceivedMessage(delivery.message, {
      receiptHandle: this.context.handles.encode({
        groupUid: group.uid,
        topicUid: topic.uid,
        queueId,
        queueOffset,
        leaseId,
        epoch: this.context.shard.epoch,
      }),
      // clients know no queues of lite topics
      queueId: isLiteQueueId(queueId) ? 0 : queueId,
      queueOffset,
      deliveryAttempt: delivery.attempt,
      storeTimestampMs: delivery.storeTimestampMs,
      invisibleMs: undefined,
    });
  }
}
