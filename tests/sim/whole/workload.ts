import { type Random, seededRandom } from '@orbitmq/base';
import type { Answer, Cluster, GroupSpec, Handle, OffsetWish, Received, TopicSpec, Used } from './cluster.ts';
import { GroupModel } from './group-model.ts';
import { FILTERS, LEVELS, type MessageKind, type MessageSpec, TAGS } from './messages.ts';
import { HISTORY_MS_MAX, type Produced, ProducedMessages } from './produced.ts';
import { Timeline, Violation } from './timeline.ts';

/** A message in a consumer's hand. */
interface InHand {
  readonly group: GroupModel;
  readonly topic: string;
  readonly id: number;
  readonly leaseId: number;
  readonly handle: Handle;
}

/** Notes what happens, for the one who looks for a bug. */
export type Trace = (what: string, ...facts: readonly unknown[]) => void;

const MESSAGE_GROUPS = ['a', 'b', 'c', 'd'];
const QUEUES_MAX = 4;
const FAR_MS = 15_000;
const RENEWED_MS = 1500;
const MORTAL = 'mortal';

/** What clients and operators do, by seed, and what they make of the answers. Knows nothing of what is behind the cluster. */
export class Workload {
  readonly messages: ProducedMessages;
  readonly groups: GroupModel[] = [];
  readonly topics: TopicSpec[] = [];
  readonly timeline: Timeline;
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #removes: boolean;
  readonly #forgets: boolean;
  readonly #actions: readonly (readonly [number, () => unknown])[];
  #hand: InHand[] = [];
  /** Raised with each start: whatever was in a consumer's hand may be lost. */
  #openCalls = 0;
  /** The group is being deleted, and made again. */
  #isMortalGone = false;
  #isMortalReplaced = false;
  /** A violation that was found while nobody waited for it. */
  violation: Error | undefined;
  deliveredCount = 0;
  redrivenCount = 0;

  constructor(
    cluster: Cluster & { readonly retentionMs: number; readonly forgets: boolean },
    clock: ConstructorParameters<typeof Timeline>[0],
    seed: number,
    trace: Trace,
  ) {
    this.#cluster = cluster;
    this.#random = seededRandom(seed * 4);
    this.#trace = trace;
    this.#removes = cluster.retentionMs < HISTORY_MS_MAX;
    this.#forgets = cluster.forgets;
    this.timeline = new Timeline(clock);
    this.messages = new ProducedMessages(this.timeline, cluster.retentionMs);
    this.#chooseTopics();
    this.#actions = this.#chooseActions();
  }

  /** Calls that wait for their answer. */
  get openCalls(): number {
    return this.#openCalls;
  }

  /** Makes topics and groups. */
  async begin(): Promise<void> {
    for (const topic of this.topics) await this.#cluster.putTopic(topic);
    const plain = this.topics.filter(({ messageType }) => messageType !== 'FIFO').map(({ name }) => name);
    const retry = (): number => this.#below(3);
    if (plain.length > 0) await this.#makeGroup('standard', 'none', 16, plain);
    if (this.#has('plain')) {
      if (this.#chance(0.5)) await this.#makeGroup('picky', 'none', 16, ['plain'], { filter: this.#pick(FILTERS) });
      if (this.#chance(0.6)) await this.#makeGroup('impatient', 'none', retry(), ['plain']);
      if (this.#chance(0.4) && !this.#forgets) await this.#makeGroup(MORTAL, 'none', 16, ['plain']);
      if (this.#chance(0.2)) await this.#makeGroup('keyless', 'by queue', retry(), ['plain']);
    }
    if (!this.#has('orders')) return;
    if (this.#chance(0.6)) await this.#makeGroup('by-queue', 'by queue', retry(), ['orders']);
    if (this.#chance(0.7)) await this.#makeGroup('by-key', 'by message group', retry(), ['orders']);
    if (this.#chance(0.5)) await this.#makeGroup('changing', 'by queue', retry(), ['orders'], { changesOrder: true });
  }

  /** One thing that somebody does; its answer may come much later. */
  step(): void {
    let dice = this.#below(this.#actions.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, action] of this.#actions) {
      dice -= weight;
      if (dice < 0) return void action();
    }
  }

  /** A process has died; some of what consumers had in their hands goes with them. */
  died(forgottenFromMs: number): void {
    this.#trace('died', forgottenFromMs);
    this.messages.died(forgottenFromMs);
    for (const group of this.groups) group.died(forgottenFromMs);
    this.#hand = this.#hand.filter(() => this.#chance(0.5));
  }

  started(agedMs: number): void {
    this.#trace('started', agedMs);
    for (const group of this.groups) group.aged(agedMs);
    this.messages.checkStored((topic) => this.#cluster.ranges(topic));
  }

  /** What can be said at any time. */
  check(): void {
    if (this.violation !== undefined) throw this.violation;
    this.timeline.lookAtWall();
    this.messages.noteRemoved((topic) => this.#cluster.ranges(topic));
    if (this.#removes) for (const group of this.groups) group.checkHeld();
  }

  /** How much is left says what is left; asked when nothing is under way. */
  checkLags(): void {
    if (this.#removes || this.#forgets) return;
    for (const group of this.groups) {
      if (group.filter !== undefined) continue;
      for (const topic of group.topics) group.checkLag(topic, this.#cluster.lag(group.handle, topic));
    }
  }

  // ── the end ──

  /** Drops what consumers have: its leases end by themselves. */
  dropHand(): void {
    this.#hand = [];
  }

  /** Ends all transactions that may be open, those whose end nobody knows among them. */
  endTransactions(): void {
    for (const topic of this.topics) {
      for (const produced of this.messages.of(topic.name)) {
        const { committed, rolledBack, handle, stored } = produced;
        const isOver = committed.certainty === 'yes' || rolledBack.certainty === 'yes';
        if (handle?.kind === 'half' && !isOver && stored.certainty !== 'no') void this.#end(produced, 'commit');
      }
    }
  }

  get pendingCount(): number {
    return this.topics.reduce((count, { name }) => count + this.#cluster.pendingCount(name), 0);
  }

  /** A consumer that does nothing but wait, receive and acknowledge, as long as `goesOn` says so. */
  async consume(group: GroupModel, topic: string, goesOn: () => boolean, pause: () => Promise<void>): Promise<void> {
    while (goesOn()) {
      const received = await this.#receiveOnce(group, topic, { invisibleMs: 5000, waitMs: 100_000, countMax: 8 });
      if (received === undefined) await pause();
      else await Promise.all(received.map((each) => this.#acknowledge(inHandOf(group, topic, each))));
    }
  }

  /** Reads everything that is in queues, from their begins to their ends. */
  async audit(): Promise<void> {
    for (const { name } of this.topics) {
      for (const [queueId, { minOffset, maxOffset }] of this.#cluster.ranges(name).entries()) {
        for (let offset = minOffset; offset < maxOffset; ) {
          const next = await this.#pullOnce(name, queueId, offset, 32);
          if (next === undefined || next <= offset) break;
          offset = next;
        }
      }
    }
  }

  async letters(group: GroupModel): Promise<{ id: number; position: number }[]> {
    const letters: { id: number; position: number }[] = [];
    for (let offset = 0; ; ) {
      const answer = await this.#cluster.pullLetters(group.spec.name, offset, 32);
      if (answer.kind !== 'ok') {
        if (this.#removes) return letters;
        throw new Violation('dead letters can be read', { answer });
      }
      const { messages, nextOffset, endOffset } = answer.value;
      for (const { id, position, isIntact, originId, originTopic } of messages) {
        const topic = this.messages.all[id]?.spec.topic;
        if (!isIntact || originTopic !== topic || originId !== `message-${id}`)
          throw new Violation('a dead letter says where it comes from', { id, isIntact, originTopic, originId, topic });
        letters.push({ id, position });
      }
      if (nextOffset >= endOffset) return letters;
      offset = nextOffset;
    }
  }

  /** Hands all dead letters of a group back. */
  async redriveAll(group: GroupModel): Promise<void> {
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      offset = await this.#redrive(group, offset, 1 + this.#below(5));
    }
  }

  // ── what may happen ──

  #chooseTopics(): void {
    const topic = (name: string, messageType: TopicSpec['messageType'], count: number): void => {
      this.topics.push({ name, messageType, readQueueCount: count, writeQueueCount: count });
    };
    while (this.topics.length === 0) {
      if (this.#chance(0.55)) topic('plain', 'NORMAL', 1 + this.#below(3));
      if (this.#chance(0.5)) {
        topic('orders', 'FIFO', QUEUES_MAX);
        this.topics.push({ ...this.topics.pop()!, writeQueueCount: 1 + this.#below(QUEUES_MAX) });
      }
      if (this.#chance(0.45)) topic('later', 'DELAY', 2);
      if (this.#chance(0.45)) topic('deals', 'TRANSACTION', 2);
      if (this.#chance(0.25)) topic('levels', 'PRIORITY', 3);
    }
  }

  #chooseActions(): (readonly [number, () => unknown])[] {
    const actions: [number, () => unknown][] = [
      [300, () => this.#sendSome()],
      [300, () => this.#receive()],
      [230, () => this.#useHand()],
      [15, () => this.#reset()],
      [15, () => this.#redriveSome()],
      [20, () => this.#pull(this.#pick(this.topics).name, false)],
    ];
    if (!this.#removes) actions.push([40, () => this.#sendAgain()]);
    if (this.#has('deals')) actions.push([110, () => this.#endSome()], [35, () => this.#checkSome()]);
    if (this.#has('later')) actions.push([45, () => this.#recall()]);
    if (this.#has('orders')) actions.push([35, () => this.#changeQueues()], [15, () => this.#changeOrder()]);
    if (this.#has('plain')) actions.push([12, () => this.#replaceMortal()]);
    return actions;
  }

  async #makeGroup(
    name: string,
    order: GroupSpec['order'],
    retryMaxTimes: number,
    topics: readonly string[],
    more: { readonly filter?: (typeof FILTERS)[number]; readonly changesOrder?: boolean } = {},
  ): Promise<boolean> {
    const spec: GroupSpec = { name, order, retryMaxTimes };
    const answer = await this.#cluster.putGroup(spec);
    if (answer.kind !== 'ok') return false;
    const world = { timeline: this.timeline, messages: this.messages };
    this.groups.push(new GroupModel(spec, answer.value, { topics, ...more }, world));
    return true;
  }

  // ── producers ──

  #sendSome(): void {
    const topic = this.#pick(this.topics);
    // Who is quick sees no more than others.
    if (this.#chance(0.1)) void Promise.resolve().then(() => this.#pull(topic.name, true));
    for (let count = 1 + this.#below(5); count > 0; count--) void this.#send(this.messages.make(this.#specFor(topic)));
  }

  #specFor({ name, messageType }: TopicSpec): MessageSpec {
    const kind: MessageKind = messageType === 'DELAY' ? 'timed' : messageType === 'TRANSACTION' ? 'half' : 'normal';
    const delayMs = this.#pick([0, 50, 1000, FAR_MS]) + this.#below(300);
    return {
      id: this.messages.all.length,
      topic: name,
      kind,
      tag: this.#pick(TAGS),
      level: this.#below(LEVELS),
      messageGroup: messageType === 'FIFO' ? this.#pick(MESSAGE_GROUPS) : undefined,
      priority: messageType === 'PRIORITY' ? this.#below(3) : undefined,
      deliveryMs: kind === 'timed' ? this.timeline.wallMs + delayMs : undefined,
      sizeBytes: this.#chance(0.1) ? this.#below(2500) : this.#below(200),
    };
  }

  /** A producer that has not heard an answer, or has, sends once more. */
  #sendAgain(): void {
    const { all } = this.messages;
    if (all.length > 0) void this.#send(all[Math.max(0, all.length - 1 - this.#below(25))]!);
  }

  async #send(produced: Produced): Promise<void> {
    const called = this.messages.sending(produced);
    await this.#call('send', this.#cluster.send(produced.spec), [produced.spec.id, produced.spec.topic], (answer) => {
      if (answer.kind === 'ok') this.messages.sent(produced, called, answer.value);
      else if (answer.kind === 'refused') this.messages.refused(produced);
      else this.messages.unanswered(produced);
    });
  }

  #endSome(): void {
    const known = this.messages.of('deals').filter(({ handle }) => handle !== undefined);
    for (let count = Math.min(known.length, 1 + this.#below(4)); count > 0; count--) {
      // Recent ones mostly; now and then one that has ended.
      const from = this.#chance(0.3) ? 0 : Math.max(0, known.length - 10);
      const produced = known[from + this.#below(known.length - from)]!;
      void this.#end(produced, this.#pick(['commit', 'commit', 'rollback']));
    }
  }

  async #end(produced: Produced, end: 'commit' | 'rollback'): Promise<void> {
    const called = this.messages.ending(produced, end);
    await this.#call(end, this.#cluster.endTransaction(produced.handle!, end), [produced.spec.id], (answer) => {
      if (answer.kind === 'ok') this.messages.ended(produced, end, called, answer.value);
    });
  }

  async #checkSome(): Promise<void> {
    const called = this.timeline.next();
    await this.#call('check', this.#cluster.checkTransactions('deals', 8), [], (answer) => {
      if (answer.kind === 'ok') this.messages.checked(answer.value, called);
    });
  }

  async #recall(): Promise<void> {
    const candidates = this.messages.of('later').filter(({ handle }) => handle !== undefined);
    if (candidates.length === 0) return;
    const produced = candidates[Math.max(0, candidates.length - 1 - this.#below(15))]!;
    this.messages.recalling(produced);
    await this.#call('recall', this.#cluster.recall(produced.handle!), [produced.spec.id], (answer) => {
      if (answer.kind === 'ok') this.messages.recalled(produced, answer.value);
    });
  }

  // ── consumers ──

  async #receive(): Promise<void> {
    // There may be none, while it is made again.
    const group: GroupModel | undefined = this.#pick(this.groups);
    if (group === undefined) return;
    const topic = this.#pick(group.topics);
    const attemptId = this.#chance(0.5) ? `attempt-${this.#below(4)}` : undefined;
    const [invisibleMs, countMax] = [this.#pick([80, 300, 2000]), 1 + this.#below(8)];
    const waitMs = this.#chance(0.3) ? this.#below(1000) : 0;
    const received = await this.#receiveOnce(group, topic, { invisibleMs, countMax, attemptId, waitMs });
    if (!group.isDeleted) for (const each of received ?? []) this.#hand.push(inHandOf(group, topic, each));
  }

  async #receiveOnce(
    group: GroupModel,
    topic: string,
    how: { invisibleMs: number; countMax: number; waitMs: number; attemptId?: string | undefined },
  ): Promise<readonly Received[] | undefined> {
    const { invisibleMs, countMax, waitMs, attemptId } = how;
    const context = group.calling(topic, invisibleMs, attemptId);
    const { handle, filter } = group;
    const call = { group: handle, topic, filter, countMax, invisibleMs, attemptId, waitMs };
    let received: readonly Received[] | undefined;
    await this.#call(
      'receive',
      this.#cluster.receive(call),
      [group.spec.name, topic, invisibleMs, attemptId],
      (answer) => {
        if (answer.kind !== 'ok') return group.lost(context);
        received = answer.value;
        this.deliveredCount += received.length;
        this.messages.noteRemoved((name) => this.#cluster.ranges(name));
        group.received(context, received);
        this.#checkPriority(topic, received);
      },
    );
    return received;
  }

  /** The highest queue of a priority topic is read first. */
  #checkPriority(topic: string, received: readonly Received[]): void {
    if (topic !== 'levels') return;
    const queueIds = received.map(({ queueId }) => queueId);
    if (queueIds.some((queueId, index) => index > 0 && queueId > queueIds[index - 1]!))
      throw new Violation('higher priorities come first', { queueIds });
  }

  #useHand(): void {
    for (let count = Math.min(this.#hand.length, 1 + this.#below(6)); count > 0; count--) {
      const [inHand] = this.#hand.splice(this.#below(this.#hand.length), 1);
      const dice = this.#below(14);
      if (dice < 7) void this.#acknowledge(inHand!);
      else if (dice < 9) void this.#changeInvisible(inHand!);
      else if (dice < 11) void this.#renew(inHand!);
      // Dead letters outlive their group.
      else if (dice < 12 && inHand!.group.spec.name !== MORTAL) void this.#forward(inHand!);
    }
  }

  async #acknowledge({ group, id, leaseId, handle }: InHand): Promise<void> {
    const context = group.using(id, leaseId);
    group.settling(context, false);
    await this.#call('ack', this.#cluster.acknowledge(handle), [group.spec.name, id, leaseId], (answer) =>
      group.settled(context, usedOf(answer), false),
    );
  }

  async #forward({ group, id, leaseId, handle }: InHand): Promise<void> {
    const context = group.using(id, leaseId);
    group.settling(context, true);
    await this.#call('forward', this.#cluster.forward(handle), [group.spec.name, id, leaseId], (answer) =>
      group.settled(context, usedOf(answer), true),
    );
  }

  async #changeInvisible(inHand: InHand): Promise<void> {
    const { group, id, leaseId, handle } = inHand;
    const invisibleMs = this.#pick([0, 100, 1000]);
    const context = group.using(id, leaseId);
    group.changing(context, invisibleMs);
    const call = this.#cluster.changeInvisible(handle, invisibleMs);
    await this.#call('change', call, [group.spec.name, id, leaseId, invisibleMs], (answer) => {
      const value = answer.kind === 'ok' ? answer.value : undefined;
      const used = answer.kind === 'ok' ? answer.value.used : answer.kind === 'refused' ? 'refused' : undefined;
      group.changed(context, invisibleMs, used, value?.leaseId);
      if (value?.used === 'done' && this.#chance(0.5))
        this.#hand.push({ ...inHand, leaseId: value.leaseId, handle: value.handle });
    });
  }

  async #renew(inHand: InHand): Promise<void> {
    const { group, id, leaseId, handle } = inHand;
    const context = group.using(id, leaseId);
    group.changing(context, RENEWED_MS);
    await this.#call('renew', this.#cluster.renew(handle, RENEWED_MS), [group.spec.name, id, leaseId], (answer) =>
      group.renewed(context, answer.kind === 'ok' ? RENEWED_MS : 0),
    );
    this.#hand.push(inHand);
  }

  async #pull(name: string, atEnd: boolean): Promise<void> {
    const ranges = this.#cluster.ranges(name);
    if (ranges.length === 0) return;
    const queueId = this.#below(ranges.length);
    const { minOffset, maxOffset } = ranges[queueId]!;
    const reach = Math.min(maxOffset - minOffset, atEnd ? 4 : Number.POSITIVE_INFINITY);
    await this.#pullOnce(name, queueId, maxOffset - this.#below(reach + 1), 1 + this.#below(10));
  }

  /** @returns where to go on */
  async #pullOnce(topic: string, queueId: number, offset: number, countMax: number): Promise<number | undefined> {
    let next: number | undefined;
    await this.#call(
      'pull',
      this.#cluster.pull(topic, queueId, offset, countMax),
      [topic, queueId, offset],
      (answer) => {
        if (answer.kind !== 'ok') return;
        const { messages, nextOffset, endOffset } = answer.value;
        next = nextOffset;
        const offsets = messages.map(({ queueOffset }) => queueOffset);
        const isWhole = this.#removes || offsets.every((each, index) => each === offset + index);
        if (
          !isWhole ||
          nextOffset > Math.max(offset, endOffset) ||
          (!this.#removes && nextOffset !== offset + offsets.length)
        )
          throw new Violation('a pull gives what is there', { topic, queueId, offset, offsets, nextOffset, endOffset });
        for (const message of messages) this.messages.seen(topic, message);
      },
    );
    return next;
  }

  // ── operators ──

  async #changeQueues(): Promise<void> {
    const index = this.topics.findIndex(({ name }) => name === 'orders');
    const changed = { ...this.topics[index]!, writeQueueCount: 1 + this.#below(QUEUES_MAX) };
    await this.#call('queues', this.#cluster.putTopic(changed), [changed.writeQueueCount], () => {});
  }

  async #changeOrder(): Promise<void> {
    const group = this.groups.find(({ changesOrder }) => changesOrder);
    if (group === undefined) return;
    const order = this.#pick(['by queue', 'by message group'] as const);
    await this.#call('order', this.#cluster.putGroup({ ...group.spec, order }), [order], () => {});
  }

  async #reset(): Promise<void> {
    // There may be none, while it is made again.
    const group: GroupModel | undefined = this.#pick(this.groups);
    if (group === undefined) return;
    const topic = this.#pick(group.topics);
    const ranges = this.#cluster.ranges(topic);
    const queueId = this.#chance(0.6) ? this.#below(ranges.length) : undefined;
    const queueIds = queueId === undefined ? [...ranges.keys()] : [queueId];
    const other = this.#pick(this.groups);
    const wishes: OffsetWish[] = [{ kind: 'earliest' }, { kind: 'latest' }];
    if (other !== group && other.topics.includes(topic) && other.spec.name !== MORTAL)
      wishes.push({ kind: 'group', group: other.handle });
    if (queueId !== undefined) {
      const { minOffset, maxOffset } = ranges[queueId]!;
      wishes.push({ kind: 'offset', offset: minOffset + this.#below(maxOffset - minOffset + 1) });
    }
    const wish = this.#pick(wishes);
    const called = group.resetting(topic, queueIds);
    const call = this.#cluster.setOffsets(group.handle, topic, queueId, wish);
    await this.#call('reset', call, [group.spec.name, topic, queueIds, wish], (answer) => {
      const moves = answer.kind === 'ok' ? answer.value : answer.kind === 'refused' ? [] : undefined;
      group.reset(topic, queueIds, called, moves);
      if (wish.kind === 'group') other.checkCloned(topic, called, moves ?? []);
    });
  }

  async #redriveSome(): Promise<void> {
    const candidates = this.groups.filter(({ spec }) => spec.name !== MORTAL && spec.retryMaxTimes < 16);
    if (candidates.length > 0) await this.#redrive(this.#pick(candidates), 0, 1 + this.#below(4));
  }

  /** @returns where to go on; undefined at the end */
  async #redrive(group: GroupModel, fromOffset: number, countMax: number): Promise<number | undefined> {
    const called = group.redriving();
    let next: number | undefined;
    const call = this.#cluster.redrive(group.handle, fromOffset, countMax);
    await this.#call('redrive', call, [group.spec.name, fromOffset], (answer) => {
      const ids = answer.kind === 'ok' ? answer.value.ids : answer.kind === 'refused' ? [] : undefined;
      group.redriven(called, ids);
      this.redrivenCount += ids?.length ?? 0;
      if (answer.kind === 'ok' && answer.value.more) next = answer.value.nextOffset;
    });
    return next;
  }

  /** Deletes the group that may be deleted, and makes it again: to it everything is new. */
  async #replaceMortal(): Promise<void> {
    const index = this.groups.findIndex(({ spec }) => spec.name === MORTAL);
    if (this.#isMortalReplaced || (index < 0 && !this.#isMortalGone)) return;
    // A second deletion that waits as long as the first would take the new group.
    this.#isMortalReplaced = true;
    await this.#deleteAndMakeMortal(index);
    this.#isMortalReplaced = false;
  }

  async #deleteAndMakeMortal(index: number): Promise<void> {
    if (index >= 0) {
      this.groups.splice(index, 1)[0]!.isDeleted = true;
      this.#hand = this.#hand.filter(({ group }) => group.spec.name !== MORTAL);
      this.#isMortalGone = true;
    }
    await this.#call('delete', this.#cluster.deleteGroup(MORTAL), [], () => {});
    // Nobody knows whether it is done: it is tried again another time.
    if (this.#cluster.group(MORTAL) !== undefined) return;
    await this.#call('make', this.#remakeMortal(), [], () => {});
  }

  async #remakeMortal(): Promise<Answer<boolean>> {
    const isMade = await this.#makeGroup(MORTAL, 'none', 16, ['plain']);
    this.#isMortalGone = !isMade;
    return { kind: 'ok', value: isMade };
  }

  // ── help ──

  /** Waits for an answer and makes something of it; what is wrong with it ends the history. */
  async #call<Value>(
    what: string,
    call: Promise<Answer<Value>>,
    facts: readonly unknown[],
    then: (answer: Answer<Value>) => void,
  ): Promise<void> {
    this.#openCalls++;
    this.#trace(what, ...facts);
    try {
      const answer = await call;
      this.#trace(`${what} ${answer.kind}`, ...facts, answer);
      then(answer);
    } catch (error) {
      this.violation ??= error as Error;
    }
    this.#openCalls--;
  }

  #has(topic: string): boolean {
    return this.topics.some(({ name }) => name === topic);
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #chance(probability: number): boolean {
    return this.#random.below(1000) < probability * 1000;
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)]!;
  }
}

function usedOf(answer: Answer<Used>): Used | 'refused' | undefined {
  if (answer.kind === 'ok') return answer.value;
  return answer.kind === 'refused' ? 'refused' : undefined;
}

function inHandOf(group: GroupModel, topic: string, { id, leaseId, handle }: Received): InHand {
  return { group, topic, id, leaseId, handle };
}
