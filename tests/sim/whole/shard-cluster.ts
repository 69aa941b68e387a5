import assert from 'node:assert/strict';
import { javaStringHash, MqError, type Random, seededRandom } from '@orbitmq/base';
import { readDeadLetterOrigin } from '@orbitmq/protocol';
import type {
  EarlierSend,
  LeaseRef,
  OffsetChange,
  OpenedShard,
  PulledMessage,
  ShardOptions,
  TimerRef,
} from '@orbitmq/shard';
import type { SimClock } from '@orbitmq/testkit';
import { type Group, type HalfRef, type Topic, TRANSACTION_END } from '@orbitmq/views';
import type {
  Answer,
  ClusterEvents,
  ClusterUnderTest,
  Ended,
  EndKind,
  GroupSpec,
  Handle,
  Lag,
  Mishap,
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
import { OpenCalls, Unknown } from './open-calls.ts';
import { ShardProcess, type Stop } from './shard-process.ts';

type TimerHandle = Handle & { readonly topic: string; readonly timer: TimerRef };
type HalfHandle = Handle & { readonly topic: string; readonly half: HalfRef };
type ReceiptHandle = Handle & { readonly lease: LeaseRef };
type GroupHandle = Handle & { readonly uid: number };

const IMMUNITY_MS = 1000;
const CHECK_PAUSE_MS = 2000;
const SEGMENT_SIZES = [8192, 16384, 65536];
/** Longer than any history, also when the wall clock jumps. */
const NEVER_MS = 1e9;
/** Far beyond what a history lasts, also when the wall clock jumps: what was sent before is always known. */
const DEDUP_WINDOW_MS = 86_400_000;

/** One shard in one process, over a simulated disk that breaks. */
export class ShardCluster implements ClusterUnderTest {
  readonly retentionMs: number;
  readonly forgets: boolean;
  readonly description: string;
  readonly mishaps: readonly Mishap[];
  readonly #clock: SimClock;
  readonly #random: Random;
  readonly #process: ShardProcess;
  readonly #calls: OpenCalls;
  readonly #dryRuns: boolean;
  #events!: ClusterEvents;

  constructor(clock: SimClock, seed: number) {
    this.#clock = clock;
    const random = seededRandom(seed * 4 + 3);
    this.#random = random;
    const pick = <Item>(items: readonly Item[]): Item => items[random.below(items.length)]!;
    const segmentSizeBytes = pick(SEGMENT_SIZES);
    const nature = pick(['still', 'still', 'removing', 'full', 'jumping']);
    const flushDiskType = pick(['SYNC_FLUSH', 'SYNC_FLUSH', 'ASYNC_FLUSH'] as const);
    this.forgets = flushDiskType === 'ASYNC_FLUSH';
    this.description = `${flushDiskType}, segments of ${segmentSizeBytes} bytes, ${nature}`;
    const retentionMs = nature === 'removing' ? pick([1500, 4000]) : NEVER_MS;
    // A disk that is nearly full has its oldest segments removed before their time.
    this.retentionMs = nature === 'full' ? 0 : retentionMs;
    const options: ShardOptions = {
      log: {
        flushDiskType,
        segmentSizeBytes,
        recordBytesMax: 4096,
        unsettledBytesMax: 65536,
        tailCacheBytes: 65536,
        flushIntervalMs: 100,
      },
      outstandingMax: pick([60, 1000]),
      retentionMs,
      retentionIntervalMs: 500,
      heldAfterExpiryMs: pick([0, 3000]),
      diskReserveBytes: 3 * segmentSizeBytes,
      dedupWindowMs: DEDUP_WINDOW_MS,
    };
    this.#process = new ShardProcess(clock, seed, options);
    this.#calls = new OpenCalls(() => this.#process.hasFailed);
    // Where nothing is removed between two steps, a dry run must say what is done.
    this.#dryRuns = this.retentionMs === NEVER_MS;
    const isCalm = random.below(6) === 0;
    this.mishaps = isCalm ? [] : this.#mishaps(nature);
  }

  async start(events: ClusterEvents): Promise<void> {
    this.#events = events;
    await this.#process.start();
  }

  async heal(): Promise<void> {
    if (this.#process.hasFailed) await this.#restart(this.#pick(['kill', 'power']));
  }

  async calm(): Promise<void> {
    this.#process.emptyDisk();
    this.#process.setClockRight();
    await this.#restart(this.#pick(['clean', 'kill', 'power']));
  }

  async verify(): Promise<void> {
    await this.#process.compareWithReplay(true);
  }

  async stop(): Promise<void> {
    await this.#clock.settle(this.#process.shard.close());
  }

  // ── administration ──

  putTopic(spec: TopicSpec): Promise<Answer<void>> {
    return this.#calls.of(async () => {
      await this.#shard.putTopic({
        ...spec,
        permission: 6,
        retentionMs: undefined,
        retentionBytes: undefined,
        autoCreated: false,
        attributes: new Map(),
      });
    });
  }

  putGroup({ name, order, retryMaxTimes }: GroupSpec): Promise<Answer<Handle>> {
    return this.#calls.of(async () => {
      const blocking: [string, string][] = order === 'by message group' ? [['fifo.blocking', 'MESSAGE_GROUP']] : [];
      const { uid } = await this.#shard.putGroup({
        name,
        consumeEnable: true,
        consumeMessageOrderly: order !== 'none',
        retryMaxTimes,
        retryPolicy: { kind: 'customized', delaysMs: [1000] },
        autoCreated: false,
        attributes: new Map(blocking),
      });
      return { kind: 'group', uid } as GroupHandle;
    });
  }

  deleteGroup(name: string): Promise<Answer<void>> {
    return this.#calls.of(async () => {
      await this.#shard.deleteGroup(name);
    });
  }

  group(name: string): Handle | undefined {
    const group = this.#shard.metadata.group(name);
    return group && ({ kind: 'group', uid: group.uid } as GroupHandle);
  }

  // ── producers ──

  send(spec: MessageSpec): Promise<Answer<Sent>> {
    return this.#calls.of(async () => {
      const message = encodeMessage(spec);
      const earlier = await this.#findSent(spec, message);
      const sent = earlier === undefined ? this.#append(spec, message) : repeated(spec, earlier);
      await this.#settled();
      return sent;
    });
  }

  endTransaction(handle: Handle, end: EndKind): Promise<Answer<Ended>> {
    return this.#calls.of(async () => {
      const { topic, half } = handle as HalfHandle;
      const wanted = end === 'commit' ? TRANSACTION_END.committed : TRANSACTION_END.rolledBack;
      const found = this.#topic(topic);
      const outcome = this.#shard.endTransaction(found, half, wanted, this.#random.below(found.writeQueueCount));
      await this.#settled();
      if (outcome.kind === 'ended') return 'ended';
      if (outcome.kind === 'unknown') return 'unknown transaction';
      return outcome.end === TRANSACTION_END.committed ? 'committed before' : 'rolled back before';
    });
  }

  checkTransactions(topic: string, countMax: number): Promise<Answer<readonly number[]>> {
    return this.#calls.of(async () => {
      const shard = this.#shard;
      const due = shard.dueTransactions(this.#topic(topic), countMax);
      const ids: number[] = [];
      for (const { half } of due) {
        const stored = await shard.readHalf(half);
        if (stored !== undefined) ids.push(readBody(stored.message).id);
      }
      if (shard !== this.#shard) throw new Unknown();
      shard.transactionsChecked(
        due.map(({ half }) => half),
        CHECK_PAUSE_MS,
      );
      return ids;
    });
  }

  recall(handle: Handle): Promise<Answer<boolean>> {
    return this.#calls.of(async () => {
      const { topic, timer } = handle as TimerHandle;
      const wasWaiting = this.#shard.cancelTimer(this.#topic(topic), timer);
      await this.#settled();
      return wasWaiting;
    });
  }

  pendingCount(name: string): number {
    const topic = this.#topic(name);
    return this.#shard.timerCount(topic) + this.#shard.openTransactions(topic, 0, 1).length;
  }

  // ── consumers ──

  receive(call: ReceiveCall): Promise<Answer<readonly Received[]>> {
    return this.#calls.of(async () => {
      const shard = this.#shard;
      const [group, topic] = [this.#groupOf(call.group), this.#topic(call.topic)];
      const filter = call.filter === undefined ? undefined : filterOf(call.filter);
      const { countMax, invisibleMs, attemptId } = call;
      const request = { group, topic, filter, countMax, bytesMax: 8000, invisibleMs, attemptId };
      let deliveries = await shard.receive(request);
      for (const untilMs = this.#clock.monotonicMs() + call.waitMs; deliveries.length === 0; ) {
        const leftMs = untilMs - this.#clock.monotonicMs();
        if (leftMs <= 0) break;
        const waiter = shard.waitForMessages(group, topic);
        const timer = this.#clock.setTimer(leftMs, () => waiter.cancel());
        await waiter.ready;
        timer.cancel();
        if (shard !== this.#shard) throw new Unknown();
        deliveries = await shard.receive(request);
      }
      return deliveries.map(({ queueId, queueOffset, physicalOffset, leaseId, attempt, message }) => {
        const lease: LeaseRef = { group, topic, queueId, queueOffset, leaseId };
        const handle = { kind: 'receipt', lease } as ReceiptHandle;
        return { ...readBody(message), queueId, queueOffset, position: physicalOffset, attempt, leaseId, handle };
      });
    });
  }

  acknowledge(handle: Handle): Promise<Answer<Used>> {
    return this.#calls.of(async () => {
      const outcome = this.#shard.acknowledge((handle as ReceiptHandle).lease);
      await this.#settled();
      return usedOf(outcome);
    });
  }

  changeInvisible(
    handle: Handle,
    invisibleMs: number,
  ): Promise<Answer<{ readonly used: Used; readonly handle: Handle; readonly leaseId: number }>> {
    return this.#calls.of(async () => {
      const { lease } = handle as ReceiptHandle;
      const { outcome, leaseId } = this.#shard.changeInvisible(lease, invisibleMs);
      await this.#settled();
      const changed = { kind: 'receipt', lease: { ...lease, leaseId } } as ReceiptHandle;
      return { used: usedOf(outcome), handle: changed, leaseId };
    });
  }

  renew(handle: Handle, invisibleMs: number): Promise<Answer<void>> {
    return this.#calls.of(async () => {
      this.#shard.renew([(handle as ReceiptHandle).lease], invisibleMs);
      await this.#settled();
    });
  }

  forward(handle: Handle): Promise<Answer<Used>> {
    return this.#calls.of(async () => {
      const outcome = await this.#shard.deadLetter((handle as ReceiptHandle).lease).catch((error: unknown) => {
        // It may have begun.
        throw error instanceof MqError ? new Unknown() : error;
      });
      await this.#settled();
      return usedOf(outcome);
    });
  }

  // ── operators and readers ──

  redrive(
    group: Handle,
    fromOffset: number,
    countMax: number,
  ): Promise<Answer<{ readonly ids: readonly number[]; readonly nextOffset: number; readonly more: boolean }>> {
    return this.#calls.of(async () => {
      const found = this.#groupOf(group);
      const page = await this.#shard.redrive({ group: found, selection: {}, fromOffset, countMax, isDryRun: false });
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
    return this.#calls.of(async () => {
      const target = wish.kind === 'group' ? { kind: wish.kind, group: this.#groupOf(wish.group) } : wish;
      const request = { group: this.#groupOf(group), topic: this.#topic(topic), queueId, target };
      const [plan, changes] = await Promise.all([
        this.#dryRuns ? this.#shard.planOffsets(request) : undefined,
        this.#shard.setOffsets(request),
      ]);
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
    if (this.#shard.metadata.topic(name) === undefined) {
      return Promise.resolve({ kind: 'ok', value: { messages: [], nextOffset: offset, endOffset: offset } });
    }
    return this.#pull(name, 0, offset, countMax, (message) => {
      const origin = readDeadLetterOrigin(message.message.system);
      return { ...seen(message, 0), originTopic: origin?.topicName ?? '', originId: origin?.messageId ?? '' };
    });
  }

  lag(group: Handle, topic: string): readonly Lag[] {
    const queues = this.#shard.progress(this.#groupOf(group), this.#topic(topic));
    return queues.map(({ queueId, minOffset, maxOffset, nextOffset, inflightCount, readyAgainCount }) => {
      return { queueId, minOffset, maxOffset, count: maxOffset - nextOffset + inflightCount + readyAgainCount };
    });
  }

  ranges(name: string): readonly Range[] {
    const topic = this.#shard.metadata.topic(name);
    return (topic?.queues ?? []).map(({ id }) => this.#shard.queueRange(topic!, id));
  }

  // ── inside ──

  #mishaps(nature: string): Mishap[] {
    const disk = (): ShardProcess['disk'] => this.#process.disk;
    const error = 'EIO';
    const mishaps: Record<string, [number, () => unknown]> = {
      kill: [3, () => this.#restart('kill')],
      power: [4, () => this.#restart('power')],
      clean: [2, () => this.#restart('clean')],
      snapshot: [4, () => void this.#shard.snapshot()],
      'snapshot, then power': [3, () => this.#snapshotAndCrash()],
      'slow disk': [
        3,
        () => disk().inject({ operation: this.#pick(['write', 'sync']), delayMs: this.#random.below(300), count: 3 }),
      ],
      'log fails': [
        2,
        () =>
          disk().inject({
            operation: this.#pick(['write', 'sync'] as const),
            path: 'commitlog',
            error,
            after: this.#random.below(4),
          }),
      ],
      'views fail': [
        3,
        () =>
          disk().inject({
            operation: this.#pick(['write', 'sync', 'rename', 'syncDirectory', 'open'] as const),
            path: this.#pick(['queueindex', 'snapshots']),
            error,
            after: this.#random.below(3),
          }),
      ],
      'compare with replay': [2, () => this.#process.compareWithReplay(this.#random.below(2) === 0)],
      'recover twice': [1, () => this.#process.recoverTwice()],
    };
    if (nature === 'removing') mishaps['time passes'] = [8, () => this.#clock.advance(1000 + this.#random.below(2500))];
    if (nature === 'jumping') {
      mishaps['wall clock jumps'] = [5, () => this.#process.jumpWall(this.#pick([-3_600_000, 3_600_000, -1000, 5000]))];
    }
    if (nature === 'full') {
      const segment = this.#process.options.log.segmentSizeBytes!;
      mishaps['disk full'] = [5, () => this.#process.fillDisk(this.#random.below(3) * segment)];
      mishaps['disk emptied'] = [4, () => this.#process.emptyDisk()];
    }
    return Object.entries(mishaps).map(([name, [weight, run]]) => ({
      name,
      weight,
      run: async () => {
        await run();
      },
    }));
  }

  async #restart(how: Stop): Promise<void> {
    await this.#process.end(how, ({ forgottenFromMs }) => {
      this.#calls.abandon();
      this.#events.onDeath(forgottenFromMs);
    });
    const agedMs = await this.#process.start();
    this.#events.onStart(agedMs);
  }

  /** The power fails while a snapshot is written, or just after. */
  async #snapshotAndCrash(): Promise<void> {
    void this.#shard.snapshot();
    await this.#clock.advance(this.#random.below(20));
    await this.#restart('power');
  }

  get #shard(): OpenedShard {
    return this.#process.shard;
  }

  /** As the messaging service looks for what was sent before. */
  async #findSent(spec: MessageSpec, message: ReturnType<typeof encodeMessage>): Promise<EarlierSend | undefined> {
    const topic = this.#topic(spec.topic);
    const shard = this.#shard;
    for (let from = 0; ; ) {
      const earlier = shard.findSent(topic, message, from);
      if (!(earlier instanceof Promise)) return earlier;
      const { position } = shard;
      const found = await earlier;
      if (shard !== this.#shard) throw new Unknown();
      if (found !== undefined) return found;
      from = position;
    }
  }

  #append(spec: MessageSpec, message: ReturnType<typeof encodeMessage>): Sent {
    const topic = this.#topic(spec.topic);
    const { deliveryMs, kind } = spec;
    const [queueId, tagHash] = [this.#queueIdOf(spec, topic), tagHashOf(spec)];
    if (kind === 'half') {
      const { half } = this.#shard.sendHalf({ topic, tagHash, message, immunityMs: IMMUNITY_MS });
      return pendingSent(false, half.id, { kind: 'half', topic: topic.name, half } as HalfHandle);
    }
    if (kind === 'timed') {
      const request = { topic, queueId, tagHash, message, deliveryTimestampMs: deliveryMs! };
      const { timer } = this.#shard.sendTimed(request);
      return pendingSent(false, timer.id, { kind: 'timer', topic: topic.name, timer } as TimerHandle);
    }
    const { queueOffset, physicalOffset } = this.#shard.send({ topic, queueId, tagHash, message });
    return { ...NOTHING_PENDING, isRepeated: false, queueId, queueOffset, position: physicalOffset };
  }

  #queueIdOf({ messageGroup, priority }: MessageSpec, { writeQueueCount }: Topic): number {
    if (messageGroup !== undefined) return Math.abs(javaStringHash(messageGroup)) % writeQueueCount;
    return priority === undefined ? this.#random.below(writeQueueCount) : Math.min(priority, writeQueueCount - 1);
  }

  #pull<Message>(
    topic: string,
    queueId: number,
    offset: number,
    countMax: number,
    read: (message: PulledMessage) => Message,
  ): Promise<Answer<Pulled<Message>>> {
    return this.#calls.of(async () => {
      const request = { topic: this.#topic(topic), queueId, offset, filter: undefined, countMax, bytesMax: 50_000 };
      const { messages, nextOffset, endOffset } = await this.#shard.pull(request);
      return { messages: messages.map(read), nextOffset, endOffset };
    });
  }

  /** A log that fails ends the process, and nobody knows what it has stored. */
  #settled(): Promise<void> {
    return this.#shard.settled().catch(() => {
      throw new Unknown();
    });
  }

  #topic(name: string): Topic {
    const topic = this.#shard.metadata.topic(name);
    if (topic === undefined) throw new MqError('TOPIC_NOT_FOUND', `topic ${name} is not there`);
    return topic;
  }

  #groupOf(handle: Handle): Group {
    const group = this.#shard.metadata.groupByUid((handle as GroupHandle).uid);
    if (group === undefined) throw new MqError('CONSUMER_GROUP_NOT_FOUND', 'the group is not there (any more)');
    return group;
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)]!;
  }
}

/** Times are looked up afterwards, when more may have been stored. */
function withoutTimes({ newOffsetTimestampMs: _, floorTimestampMs: __, ...change }: OffsetChange): object {
  return change;
}

const NOTHING_PENDING = { handle: undefined, pendingId: undefined } as const;

function usedOf(outcome: string): Used {
  return outcome === 'done' || outcome === 'settled' ? outcome : 'stale';
}

function pendingSent(isRepeated: boolean, pendingId: number, handle: Handle): Sent {
  return { isRepeated, queueId: undefined, queueOffset: undefined, position: undefined, handle, pendingId };
}

function repeated({ topic }: MessageSpec, earlier: EarlierSend): Sent {
  if (earlier.kind === 'timer') {
    const { timer } = earlier;
    return pendingSent(true, timer.id, { kind: 'timer', topic, timer } as TimerHandle);
  }
  if (earlier.kind === 'half') {
    const { half } = earlier;
    return pendingSent(true, half.id, { kind: 'half', topic, half } as HalfHandle);
  }
  const { queueOffset } = earlier;
  return { ...NOTHING_PENDING, isRepeated: true, queueId: undefined, queueOffset, position: undefined };
}

function seen({ message, queueOffset, physicalOffset }: PulledMessage, queueId: number): Seen {
  return { ...readBody(message), queueId, queueOffset, position: physicalOffset };
}
