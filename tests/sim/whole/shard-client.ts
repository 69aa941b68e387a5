import assert from 'node:assert/strict';
import { javaStringHash, MqError, type Random } from '@orbitmq/base';
import { readDeadLetterOrigin } from '@orbitmq/protocol';
import type { EarlierSend, LeaseRef, OffsetChange, OpenedShard, PulledMessage, TimerRef } from '@orbitmq/shard';
import type { SimClock } from '@orbitmq/testkit';
import { type Group, type HalfRef, type Topic, TRANSACTION_END } from '@orbitmq/views';
import type {
  Answer,
  Cluster,
  Ended,
  EndKind,
  GroupSpec,
  Handle,
  Lag,
  OffsetMove,
  OffsetWish,
  Pulled,
  Range,
  ReceiveCall,
  Received,
  Seen,
  SeenLetter,
  Sent,
  TopicSpec,
  Used,
} from './cluster.ts';
import { encodeMessage, filterOf, type MessageSpec, readBody, tagHashOf } from './messages.ts';
import { Unknown } from './open-calls.ts';
import { HISTORY_MS_MAX } from './produced.ts';

type TimerHandle = Handle & { readonly topic: string; readonly timer: TimerRef; readonly epoch: number };
type HalfHandle = Handle & { readonly topic: string; readonly half: HalfRef; readonly epoch: number };
type ReceiptHandle = Handle & { readonly lease: LeaseRef; readonly epoch: number };
type GroupHandle = Handle & { readonly uid: number };
type Encoded = ReturnType<typeof encodeMessage>;

const IMMUNITY_MS = 1000;
const CHECK_PAUSE_MS = 2000;

/** Where a call goes. */
export interface Place {
  readonly shard: OpenedShard;
  /** The shard is not served any more: what it says is no answer. */
  isOver(): boolean;
  /**
   * An answer is about to be given that claims nothing but that something is not so. @throws Unknown when another one may lead by now,
   * who knows more
   */
  checkCurrent(): void;
  /** An answer is about to be given that needs everything before `end` of the log. */
  acknowledged(end: number): void;
  /** One that needs something of the log, nobody knows how much of what it has now. */
  touched(): void;
}

/** Calls of clients and operators, as the services over a shard make them of its methods. */
export abstract class ShardClient implements Cluster {
  protected readonly clock: SimClock;
  protected readonly random: Random;

  constructor(clock: SimClock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  abstract readonly retentionMs: number;

  /** The shard as it is for one who need not call. */
  protected abstract looked(): OpenedShard;

  /** Makes a call somewhere: an MqError is a refusal, and certain. */
  protected abstract call<Value>(run: (at: Place) => Promise<Value>): Promise<Answer<Value>>;

  // ── administration ──

  putTopic(spec: TopicSpec): Promise<Answer<void>> {
    return this.call(async (at) => {
      await at.shard.putTopic({
        ...spec,
        permission: 6,
        retentionMs: undefined,
        retentionBytes: undefined,
        autoCreated: false,
        attributes: new Map(),
      });
      at.touched();
    });
  }

  putGroup({ name, order, retryMaxTimes }: GroupSpec): Promise<Answer<Handle>> {
    return this.call(async (at) => {
      const blocking: [string, string][] = order === 'by message group' ? [['fifo.blocking', 'MESSAGE_GROUP']] : [];
      const { uid } = await at.shard.putGroup({
        name,
        consumeEnable: true,
        consumeMessageOrderly: order !== 'none',
        retryMaxTimes,
        retryPolicy: { kind: 'customized', delaysMs: [1000] },
        autoCreated: false,
        attributes: new Map(blocking),
      });
      at.touched();
      return { kind: 'group', uid } as GroupHandle;
    });
  }

  deleteGroup(name: string): Promise<Answer<void>> {
    return this.call(async (at) => {
      await at.shard.deleteGroup(name);
      at.touched();
    });
  }

  group(name: string): Handle | undefined {
    const group = this.looked().metadata.group(name);
    return group && ({ kind: 'group', uid: group.uid } as GroupHandle);
  }

  // ── producers ──

  send(spec: MessageSpec): Promise<Answer<Sent>> {
    return this.call(async (at) => {
      const sent = await this.#appendOnce(at, spec, encodeMessage(spec));
      await this.#settled(at);
      return sent;
    });
  }

  endTransaction(handle: Handle, end: EndKind): Promise<Answer<Ended>> {
    return this.call(async (at) => {
      const { topic, half, epoch } = handle as HalfHandle;
      const wanted = end === 'commit' ? TRANSACTION_END.committed : TRANSACTION_END.rolledBack;
      const found = topicOf(at.shard, topic);
      const queueId = this.random.below(found.writeQueueCount);
      const isKept = at.shard.isKept(epoch, half.id);
      const outcome = isKept ? at.shard.endTransaction(found, half, wanted, queueId) : UNKNOWN_TRANSACTION;
      await this.#settled(at);
      if (outcome.kind === 'ended') return 'ended';
      at.checkCurrent();
      if (outcome.kind === 'unknown') return 'unknown transaction';
      return outcome.end === TRANSACTION_END.committed ? 'committed before' : 'rolled back before';
    });
  }

  checkTransactions(topic: string, countMax: number): Promise<Answer<readonly number[]>> {
    return this.call(async (at) => {
      const { shard } = at;
      const due = shard.dueTransactions(topicOf(shard, topic), countMax);
      const ids: number[] = [];
      for (const { half } of due) {
        const stored = await shard.readHalf(half);
        if (stored !== undefined) ids.push(readBody(stored.message).id);
      }
      if (at.isOver()) throw new Unknown();
      at.checkCurrent();
      shard.transactionsChecked(
        due.map(({ half }) => half),
        CHECK_PAUSE_MS,
      );
      return ids;
    });
  }

  recall(handle: Handle): Promise<Answer<boolean>> {
    return this.call(async (at) => {
      const { topic, timer, epoch } = handle as TimerHandle;
      const wasWaiting = at.shard.isKept(epoch, timer.id) && at.shard.cancelTimer(topicOf(at.shard, topic), timer);
      await this.#settled(at);
      if (!wasWaiting) at.checkCurrent();
      return wasWaiting;
    });
  }

  pendingCount(name: string): number {
    const shard = this.looked();
    const topic = topicOf(shard, name);
    return shard.timerCount(topic) + shard.openTransactions(topic, 0, 1).length;
  }

  // ── consumers ──

  receive(call: ReceiveCall): Promise<Answer<readonly Received[]>> {
    return this.call(async (at) => {
      const { shard } = at;
      const [group, topic] = [groupOf(shard, call.group), topicOf(shard, call.topic)];
      const filter = call.filter === undefined ? undefined : filterOf(call.filter);
      const { countMax, invisibleMs, attemptId } = call;
      const request = { group, topic, filter, countMax, bytesMax: 8000, invisibleMs, attemptId };
      let deliveries = await shard.receive(request);
      for (const untilMs = this.clock.monotonicMs() + call.waitMs; deliveries.length === 0; ) {
        const leftMs = untilMs - this.clock.monotonicMs();
        if (leftMs <= 0) break;
        const waiter = shard.waitForMessages(group, topic);
        const timer = this.clock.setTimer(leftMs, () => waiter.cancel());
        await waiter.ready;
        timer.cancel();
        if (at.isOver()) throw new Unknown();
        deliveries = await shard.receive(request);
      }
      if (deliveries.length > 0) at.acknowledged(Math.max(...deliveries.map(({ leaseId }) => leaseId)) + 1);
      return deliveries.map(({ queueId, queueOffset, physicalOffset, leaseId, attempt, message }) => {
        const lease: LeaseRef = { group, topic, queueId, queueOffset, leaseId };
        const handle = { kind: 'receipt', lease, epoch: shard.epoch } as ReceiptHandle;
        return { ...readBody(message), queueId, queueOffset, position: physicalOffset, attempt, leaseId, handle };
      });
    });
  }

  acknowledge(handle: Handle): Promise<Answer<Used>> {
    return this.call(async (at) => {
      const lease = leaseOf(at.shard, handle);
      const outcome = lease === undefined ? 'unknown' : at.shard.acknowledge(lease);
      await this.#settled(at);
      return usedOf(at, outcome);
    });
  }

  changeInvisible(
    handle: Handle,
    invisibleMs: number,
  ): Promise<Answer<{ readonly used: Used; readonly handle: Handle; readonly leaseId: number }>> {
    return this.call(async (at) => {
      const lease = leaseOf(at.shard, handle);
      if (lease === undefined) return { used: usedOf(at, 'unknown'), handle, leaseId: -1 };
      const { outcome, leaseId } = at.shard.changeInvisible(lease, invisibleMs);
      await this.#settled(at);
      const changed = { kind: 'receipt', lease: { ...lease, leaseId }, epoch: at.shard.epoch } as ReceiptHandle;
      return { used: usedOf(at, outcome), handle: changed, leaseId };
    });
  }

  renew(handle: Handle, invisibleMs: number): Promise<Answer<void>> {
    return this.call(async (at) => {
      const lease = leaseOf(at.shard, handle);
      const { position } = at.shard;
      if (lease !== undefined) at.shard.renew([lease], invisibleMs);
      const isDone = at.shard.position > position;
      await this.#settled(at);
      // What it does not know it does not renew, and says nothing of it.
      if (!isDone) throw new Unknown();
    });
  }

  forward(handle: Handle): Promise<Answer<Used>> {
    return this.call(async (at) => {
      const lease = leaseOf(at.shard, handle);
      if (lease === undefined) return usedOf(at, 'unknown');
      const outcome = await at.shard.deadLetter(lease).catch((error: unknown) => {
        // It may have begun.
        throw error instanceof MqError ? new Unknown() : error;
      });
      await this.#settled(at);
      return usedOf(at, outcome);
    });
  }

  // ── operators and readers ──

  redrive(
    group: Handle,
    fromOffset: number,
    countMax: number,
  ): Promise<Answer<{ readonly ids: readonly number[]; readonly nextOffset: number; readonly more: boolean }>> {
    return this.call(async (at) => {
      const found = groupOf(at.shard, group);
      const call = { group: found, selection: {}, fromOffset, countMax, isDryRun: false };
      const page = await at.shard.redrive(call).catch((error: unknown) => rethrown(at, error));
      at.touched();
      const redriven = page.results.filter(({ outcome }) => outcome === 'redriven');
      const ids = redriven.map(({ messageId }) => Number(messageId.split('-')[1]));
      return { ids, nextOffset: page.nextOffset, more: page.more };
    });
  }

  setOffsets(
    group: Handle,
    topic: string,
    queueId: number | undefined,
    wish: OffsetWish,
  ): Promise<Answer<readonly OffsetMove[]>> {
    return this.call(async (at) => {
      const target = wish.kind === 'group' ? { kind: wish.kind, group: groupOf(at.shard, wish.group) } : wish;
      const request = { group: groupOf(at.shard, group), topic: topicOf(at.shard, topic), queueId, target };
      const [plan, changes] = await Promise.all([
        // Where nothing is removed between two steps, a dry run must say what is done.
        this.retentionMs > HISTORY_MS_MAX ? at.shard.planOffsets(request) : undefined,
        at.shard.setOffsets(request),
      ]).catch((error: unknown) => rethrown(at, error));
      at.checkCurrent();
      at.touched();
      if (plan !== undefined)
        assert.deepEqual(changes.map(withoutTimes), plan.map(withoutTimes), 'a dry run says what is done');
      return changes;
    });
  }

  pull(topic: string, queueId: number, offset: number, countMax: number): Promise<Answer<Pulled<Seen>>> {
    return this.#pull(topic, queueId, offset, countMax, (message) => seen(message, queueId));
  }

  pullLetters(groupName: string, offset: number, countMax: number): Promise<Answer<Pulled<SeenLetter>>> {
    const name = `%DLQ%${groupName}`;
    if (this.looked().metadata.topic(name) === undefined) {
      return Promise.resolve({ kind: 'ok', value: { messages: [], nextOffset: offset, endOffset: offset } });
    }
    return this.#pull(name, 0, offset, countMax, (message) => {
      const origin = readDeadLetterOrigin(message.message.system);
      return { ...seen(message, 0), originTopic: origin?.topicName ?? '', originId: origin?.messageId ?? '' };
    });
  }

  lag(group: Handle, topic: string): readonly Lag[] {
    const shard = this.looked();
    const queues = shard.progress(groupOf(shard, group), topicOf(shard, topic));
    return queues.map(({ queueId, minOffset, maxOffset, nextOffset, inflightCount, readyAgainCount }) => {
      return { queueId, minOffset, maxOffset, count: maxOffset - nextOffset + inflightCount + readyAgainCount };
    });
  }

  ranges(name: string): readonly Range[] {
    const shard = this.looked();
    const topic = shard.metadata.topic(name);
    return (topic?.queues ?? []).map(({ id }) => shard.queueRange(topic!, id));
  }

  /** As the messaging service does: what was sent before is looked for and, when there is none, appended in one step. */
  async #appendOnce(at: Place, spec: MessageSpec, message: Encoded): Promise<Sent> {
    const { shard } = at;
    const topic = topicOf(shard, spec.topic);
    for (let from = 0; ; ) {
      const earlier = shard.findSent(topic, message, from);
      if (earlier === undefined) return this.#append(shard, spec, message);
      const { position } = shard;
      const found = await earlier;
      if (at.isOver()) throw new Unknown();
      if (found !== undefined) return repeated(spec, found, shard.epoch);
      from = position;
    }
  }

  #append(shard: OpenedShard, spec: MessageSpec, message: Encoded): Sent {
    const topic = topicOf(shard, spec.topic);
    const { deliveryMs, kind } = spec;
    const { epoch } = shard;
    const [queueId, tagHash] = [this.#queueIdOf(spec, topic), tagHashOf(spec)];
    if (kind === 'half') {
      const { half } = shard.sendHalf({ topic, tagHash, message, immunityMs: IMMUNITY_MS });
      return pendingSent(false, half.id, { kind: 'half', topic: topic.name, half, epoch } as HalfHandle);
    }
    if (kind === 'timed') {
      const request = { topic, queueId, tagHash, message, deliveryTimestampMs: deliveryMs! };
      const { timer } = shard.sendTimed(request);
      return pendingSent(false, timer.id, { kind: 'timer', topic: topic.name, timer, epoch } as TimerHandle);
    }
    const { queueOffset, physicalOffset } = shard.send({ topic, queueId, tagHash, message });
    return { ...NOTHING_PENDING, isRepeated: false, queueId, queueOffset, position: physicalOffset };
  }

  #queueIdOf({ messageGroup, priority }: MessageSpec, { writeQueueCount }: Topic): number {
    if (messageGroup !== undefined) return Math.abs(javaStringHash(messageGroup)) % writeQueueCount;
    return priority === undefined ? this.random.below(writeQueueCount) : Math.min(priority, writeQueueCount - 1);
  }

  #pull<Message>(
    topic: string,
    queueId: number,
    offset: number,
    countMax: number,
    read: (message: PulledMessage) => Message,
  ): Promise<Answer<Pulled<Message>>> {
    return this.call(async (at) => {
      const request = {
        topic: topicOf(at.shard, topic),
        queueId,
        offset,
        filter: undefined,
        countMax,
        bytesMax: 50_000,
      };
      const { messages, nextOffset, endOffset } = await at.shard.pull(request);
      return { messages: messages.map(read), nextOffset, endOffset };
    });
  }

  /** A log that fails, or is led by another one, says nothing of what it has stored. */
  async #settled(at: Place): Promise<void> {
    const end = at.shard.position;
    await at.shard.settled().catch(() => {
      throw new Unknown();
    });
    at.acknowledged(end);
  }
}

/** Times are looked up afterwards, when more may have been stored. */
function withoutTimes({ newOffsetTimestampMs: _, floorTimestampMs: __, ...change }: OffsetChange): object {
  return change;
}

const UNKNOWN_TRANSACTION = { kind: 'unknown' } as const;
const NOTHING_PENDING = { handle: undefined, pendingId: undefined } as const;

function usedOf(at: Place, outcome: string): Used {
  if (outcome === 'done') return 'done';
  at.checkCurrent();
  return outcome === 'settled' ? 'settled' : 'stale';
}

function pendingSent(isRepeated: boolean, pendingId: number, handle: Handle): Sent {
  return { isRepeated, queueId: undefined, queueOffset: undefined, position: undefined, handle, pendingId };
}

function repeated({ topic }: MessageSpec, earlier: EarlierSend, epoch: number): Sent {
  if (earlier.kind === 'timer') {
    const { timer } = earlier;
    return pendingSent(true, timer.id, { kind: 'timer', topic, timer, epoch } as TimerHandle);
  }
  if (earlier.kind === 'half') {
    const { half } = earlier;
    return pendingSent(true, half.id, { kind: 'half', topic, half, epoch } as HalfHandle);
  }
  const { queueOffset } = earlier;
  return { ...NOTHING_PENDING, isRepeated: true, queueId: undefined, queueOffset, position: undefined };
}

function seen({ message, queueOffset, physicalOffset }: PulledMessage, queueId: number): Seen {
  return { ...readBody(message), queueId, queueOffset, position: physicalOffset };
}

function topicOf(shard: OpenedShard, name: string): Topic {
  const topic = shard.metadata.topic(name);
  if (topic === undefined) throw new MqError('TOPIC_NOT_FOUND', `topic ${name} is not there`);
  return topic;
}

/** The lease of a handle; undefined when it was lost. */
function leaseOf(shard: OpenedShard, handle: Handle): LeaseRef | undefined {
  const { lease, epoch } = handle as ReceiptHandle;
  return shard.isKept(epoch, lease.leaseId) ? lease : undefined;
}

function groupOf(shard: OpenedShard, handle: Handle): Group {
  const group = shard.metadata.groupByUid((handle as GroupHandle).uid);
  if (group === undefined) throw new MqError('CONSUMER_GROUP_NOT_FOUND', 'the group is not there (any more)');
  return group;
}

/** What was begun on a log that another one leads now may have been done. */
function rethrown({ shard }: Place, error: unknown): never {
  throw shard.replica.fenced === undefined ? error : new Unknown();
}
