import { CODES, MqError } from '@orbitmq/base';
import { encodeReceiveDeliveryTimestamp, encodeReceiveStatus } from '@orbitmq/protocol';
import type { ReceiveMessageRequest } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Call, RpcError, type Sink } from '@orbitmq/rpc';
import type { Delivery, LeaseRef, LiteSubscriber, Waiter } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';
import { callerOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { DeliveryWriter } from './delivery-writer.ts';
import { ErrorHold } from './error-hold.ts';
import { checkBoundTopic, checkFitting, liteRulesOf } from './lite-mode.ts';
import { Polls } from './polling.ts';
import { checkReadable, planReceive, type ReceivePlan } from './receive-request.ts';
import type { Session } from './session.ts';
import { topicWaiter } from './topic-waiter.ts';

const STATUS_OK = encodeReceiveStatus(CODES.OK, 'OK');
const STATUS_NONE = encodeReceiveStatus(
  CODES.MESSAGE_NOT_FOUND,
  'no message came within the polling time; receive again',
);

/** After a watch has told that there may be something, others leave it to whoever was told for so long. Milliseconds. */
const TAKE_PATIENCE_MS = 100;

/** Whose messages a receive reads. */
interface Reading {
  readonly topic: Topic;
  readonly group: Group;
  /** Of a client that reads lite topics: what it reads. */
  readonly subscriber: LiteSubscriber | undefined;
}

/** What a receive found; topic and group are those that were read. */
interface Found extends Reading {
  readonly deliveries: readonly Delivery[];
  /** Monotonic time before they were handed out. */
  readonly handedOutMs: number;
}

/**
 * ReceiveMessage: status first, then one message a response, the delivery timestamp last. What is there is given at
 * once; otherwise the call waits until something comes or its polling time ends.
 */
export class Receiving {
  readonly polls: Polls;
  private readonly context: MessagingContext;
  private readonly writer: DeliveryWriter;
  private readonly errorHold: ErrorHold;

  constructor(context: MessagingContext) {
    const { clock, config, events } = context;
    this.context = context;
    this.polls = new Polls(clock, config.limits, events);
    this.writer = new DeliveryWriter(context);
    this.errorHold = new ErrorHold(clock, config);
  }

  async receive(request: ReceiveMessageRequest, call: Call, sink: Sink<Uint8Array>): Promise<void> {
    const { clock, events, sessions } = this.context;
    const startedMs = clock.monotonicMs();
    let session: Session | undefined;
    try {
      session = sessions.obtain(callerOf(call));
      session.openReceives++;
      await this.answer(request, call, sink, session);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      events.callRefused('ReceiveMessage', error.code);
      await this.errorHold.until(startedMs, call);
      sink.write(encodeReceiveStatus(error.codeNumber, error.message));
      sink.write(encodeReceiveDeliveryTimestamp(clock.wallMs()));
    } finally {
      if (session) {
        session.openReceives--;
        if (!call.cancelled) session.lastSeenMs = clock.monotonicMs();
      }
    }
  }

  private async answer(
    request: ReceiveMessageRequest,
    call: Call,
    sink: Sink<Uint8Array>,
    session: Session,
  ): Promise<void> {
    const plan = await planReceive(this.context, request, call, session);
    if (plan.autoRenew) this.context.renewals.checkRoom(session);
    if (plan.isLite) this.checkUnsettled(session);
    if (plan.mode === 'watch') {
      sink.write((await this.watch(plan, call, session)) ? STATUS_OK : STATUS_NONE);
      return;
    }
    const found = await this.find(plan, call, session);
    if (!found) {
      sink.write(STATUS_NONE);
    } else {
      sink.write(STATUS_OK);
      await this.deliver(found, plan, call, sink, session);
    }
    sink.write(encodeReceiveDeliveryTimestamp(this.context.clock.wallMs()));
  }

  /** @throws MqError FORBIDDEN when a client has many messages of lite topics that it has not acknowledged */
  private checkUnsettled(session: Session): void {
    const { config, renewals } = this.context;
    const { liteRenewedPerClientMax } = config.limits;
    const count = renewals.countOf(session);
    if (count <= liteRenewedPerClientMax) return;
    throw new MqError(
      'FORBIDDEN',
      `a client of lite topics holds at most ${liteRenewedPerClientMax} messages that it has not acknowledged; found ${count}; acknowledge some before receiving more, or raise maxLiteRenewNumPerChannel`,
    );
  }

  /** Looks for messages, waits, and looks again until the polling time ends; undefined when nothing came. */
  private async find(plan: ReceivePlan, call: Call, session: Session): Promise<Found | undefined> {
    const { clock, provision, shard } = this.context;
    for (;;) {
      if (session.ended) return undefined;
      const wanted = shard.metadata.topic(plan.topicName);
      // a topic that a first send would make is waited for like a message
      const topic = wanted || provision.mayMakeTopic(plan.topicName) ? wanted : provision.topic(plan.topicName);
      const found = topic && (await this.take(plan, topic, session));
      if (found && found.deliveries.length > 0) return found;
      if (call.draining || clock.monotonicMs() >= plan.endMs) return undefined;
      const waiter = this.waiterFor(plan, found);
      await this.polls.wait(waiter, plan.endMs, call, session);
      if (call.cancelled || session.ended || plan.agreement?.isOver) {
        // it may have been woken in vain: whoever waits next is woken instead
        waiter.cancel();
        return undefined;
      }
    }
  }

  private waiterFor(plan: ReceivePlan, found: Reading | undefined): Waiter {
    const { shard } = this.context;
    if (!found) return topicWaiter(shard, plan.topicName);
    return found.subscriber?.waitForMessages() ?? shard.waitForMessages(found.group, found.topic);
  }

  /**
   * Waits until there may be something to take, and takes nothing.
   * @returns whether there may be
   */
  private async watch(plan: ReceivePlan, call: Call, session: Session): Promise<boolean> {
    const { clock, provision, shard } = this.context;
    const wanted = shard.metadata.topic(plan.topicName);
    const topic = wanted || provision.mayMakeTopic(plan.topicName) ? wanted : provision.topic(plan.topicName);
    const reading = topic && (await this.readingOf(plan, topic, session));
    const waiter = this.waiterFor(plan, reading);
    const isReady = await this.polls.wait(waiter, plan.endMs, call, session);
    if (!isReady || call.cancelled || session.ended) {
      waiter.cancel();
      return false;
    }
    // Whoever was told takes it now. If nobody does, the one that waits next is woken instead.
    clock.setTimer(TAKE_PATIENCE_MS, () => waiter.cancel());
    return true;
  }

  /** @throws MqError when the group may not read this */
  private async readingOf(plan: ReceivePlan, topic: Topic, session: Session): Promise<Reading> {
    const { liteClients, provision } = this.context;
    const group = await provision.group(plan.groupName);
    checkReadable(topic, group);
    const rules = liteRulesOf(group);
    checkFitting(topic, group.name, rules);
    if (!rules) return { topic, group, subscriber: undefined };
    checkBoundTopic(group.name, rules, topic.name);
    const { subscriber } = liteClients.obtain(session, group, topic, rules.isWildcard);
    return { topic, group, subscriber };
  }

  private async take(plan: ReceivePlan, wanted: Topic, session: Session): Promise<Found> {
    const { clock, config, filters, shard } = this.context;
    const reading = await this.readingOf(plan, wanted, session);
    const { topic, group, subscriber } = reading;
    const handedOutMs = clock.monotonicMs();
    const wish = {
      countMax: plan.countMax,
      bytesMax: config.receiveBatchBytesMax,
      invisibleMs: plan.invisibleMs,
      attemptId: plan.attemptId,
    };
    const deliveries = subscriber
      ? await subscriber.receive(wish)
      : await shard.receive({ group, topic, filter: filters.of(plan.expression).filter, ...wish });
    return { ...reading, deliveries, handedOutMs };
  }

  /** Writes the messages; what a vanished client was to get is visible again a moment later. */
  private async deliver(
    found: Found,
    plan: ReceivePlan,
    call: Call,
    sink: Sink<Uint8Array>,
    session: Session,
  ): Promise<void> {
    const { topic, group, deliveries, handedOutMs } = found;
    const { config, renewals } = this.context;
    const { written, stalled } = await this.writer.write(found, session, call, sink);
    if (stalled || call.cancelled) {
      this.release(leasesOf(group, topic, deliveries));
      renewals.doubt(session);
    } else if (plan.autoRenew) {
      renewals.add(session, group, topic, written, handedOutMs);
    }
    if (stalled) {
      throw new RpcError(
        'DEADLINE_EXCEEDED',
        `the consumer took nothing of its messages for ${config.times.stalledWriteMs} ms; read answers as they come`,
      );
    }
  }

  private release(leases: readonly LeaseRef[]): void {
    const { config, events, shard } = this.context;
    try {
      shard.renew(leases, config.times.releaseMs);
      events.leasesReleased(leases.length);
    } catch (error) {
      // a log that takes nothing now: the leases end by themselves
      if (!(error instanceof MqError)) throw error;
    }
  }
}

function leasesOf(group: Group, topic: Topic, deliveries: readonly Delivery[]): LeaseRef[] {
  return deliveries.map(({ queueId, queueOffset, leaseId }) => ({ group, topic, queueId, queueOffset, leaseId }));
}
