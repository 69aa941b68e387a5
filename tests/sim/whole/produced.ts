import type { Ended, EndKind, Handle, Range, Seen, Sent } from './cluster.ts';
import type { MessageSpec } from './messages.ts';
import { type Certainty, type Timeline, Violation } from './timeline.ts';

/** Where a queue has a message. */
export interface Place {
  readonly queueId: number;
  readonly queueOffset: number;
  /** See `Seen.position`; −1 while nobody has seen it. */
  readonly position: number;
}

/** Something that has happened, perhaps. */
interface Fact {
  certainty: Certainty;
  /** When it was first known for certain. */
  atMs: number;
  sequence: number;
}

/** What producers and readers know of a message. */
export interface Produced {
  readonly spec: MessageSpec;
  /** By the highest that the wall clock has said. */
  readonly madeAtMs: number;
  readonly stored: Fact;
  openSends: number;
  place: Place | undefined;
  placedAtMs: number;
  /** A power loss may have undone that it came to its place. */
  isPlaceLoose: boolean;
  /** Retention has taken it. */
  isRemoved: boolean;
  handle: Handle | undefined;
  pendingId: number | undefined;
  readonly recalled: Fact;
  recallCalls: number;
  /** When somebody first called for its commit; infinity = nobody. */
  commitCalledAtMs: number;
  readonly committed: Fact;
  readonly rolledBack: Fact;
}

/** No history lasts so long, jumps of the wall clock included. */
export const HISTORY_MS_MAX = 86_400_000;
const NEVER: Fact = { certainty: 'no', atMs: 0, sequence: 0 };

/** Everything that was ever sent, and what must hold of it whoever looks. */
export class ProducedMessages {
  readonly all: Produced[] = [];
  readonly #timeline: Timeline;
  readonly #retentionMs: number;
  readonly #byPlace = new Map<string, Produced>();
  readonly #byTopic = new Map<string, Produced[]>();
  /** By queue: highest offset that was answered, as it grew. */
  readonly #answered = new Map<string, { sequence: number; offset: number }[]>();

  /** @param retentionMs messages are kept at least so long */
  constructor(timeline: Timeline, retentionMs: number) {
    this.#timeline = timeline;
    this.#retentionMs = retentionMs;
  }

  /** Retention may come within the time of a history. */
  get #removes(): boolean {
    return this.#retentionMs < HISTORY_MS_MAX;
  }

  /** Of one topic, in the order of their first sends. */
  of(topic: string): readonly Produced[] {
    return this.#byTopic.get(topic) ?? [];
  }

  at(topic: string, queueId: number, queueOffset: number): Produced | undefined {
    return this.#byPlace.get(`${topic}/${queueId}/${queueOffset}`);
  }

  // ── sends ──

  make(spec: MessageSpec): Produced {
    const produced: Produced = {
      spec,
      madeAtMs: this.#timeline.wallMs,
      stored: { ...NEVER },
      openSends: 0,
      place: undefined,
      placedAtMs: 0,
      isPlaceLoose: false,
      isRemoved: false,
      handle: undefined,
      pendingId: undefined,
      recalled: { ...NEVER },
      recallCalls: 0,
      commitCalledAtMs: Number.POSITIVE_INFINITY,
      committed: { ...NEVER },
      rolledBack: { ...NEVER },
    };
    this.all[spec.id] = produced;
    const sameTopic = this.#byTopic.get(spec.topic);
    if (sameTopic === undefined) this.#byTopic.set(spec.topic, [produced]);
    else sameTopic.push(produced);
    return produced;
  }

  /** @returns number of the call */
  sending(produced: Produced): number {
    produced.openSends++;
    return this.#timeline.next();
  }

  sent(produced: Produced, called: number, sent: Sent): void {
    produced.openSends--;
    const { spec, place } = produced;
    const facts = { ...sent, handle: undefined, produced };
    const isKnown = produced.stored.certainty === 'yes' && produced.stored.sequence < called;
    if (isKnown && !sent.isRepeated && !this.#removes) throw new Violation('a message is stored once', facts);
    this.#happened(produced.stored);
    if (sent.pendingId !== undefined) {
      const isOther = produced.pendingId !== undefined && produced.pendingId !== sent.pendingId;
      if (isOther && isKnown && !this.#removes)
        throw new Violation('a repeated send is answered like the first', facts);
      produced.pendingId = sent.pendingId;
      produced.handle = sent.handle;
      return;
    }
    if (sent.queueId !== undefined) {
      this.#checkRising(spec.topic, called, sent.queueId, sent.queueOffset!, facts);
      this.#put(produced, { queueId: sent.queueId, queueOffset: sent.queueOffset!, position: sent.position! });
    } else if (place !== undefined && place.queueOffset !== sent.queueOffset && !produced.isPlaceLoose) {
      throw new Violation('a repeated send is answered like the first', facts);
    }
  }

  refused(produced: Produced): void {
    produced.openSends--;
  }

  /** Nobody knows whether it was stored. */
  unanswered(produced: Produced): void {
    produced.openSends--;
    if (produced.stored.certainty === 'no') produced.stored.certainty = 'maybe';
  }

  // ── transactions and timers ──

  ending(produced: Produced, end: EndKind): number {
    const fact = endOf(produced, end);
    const other = endOf(produced, end === 'commit' ? 'rollback' : 'commit');
    if (fact.certainty === 'no' && other.certainty !== 'yes') fact.certainty = 'maybe';
    if (end === 'commit') produced.commitCalledAtMs = Math.min(produced.commitCalledAtMs, this.#timeline.nowMs);
    return this.#timeline.next();
  }

  ended(produced: Produced, end: EndKind, called: number, outcome: Ended): void {
    const facts = { produced, end, outcome };
    if (outcome === 'unknown transaction') {
      if (produced.stored.certainty === 'yes') throw new Violation('T1 an answered half message is not lost', facts);
      produced.stored.certainty = 'no';
      return;
    }
    this.#happened(produced.stored);
    if (outcome === 'ended') {
      const isOver = [produced.committed, produced.rolledBack].some(
        ({ certainty, sequence }) => certainty === 'yes' && sequence < called,
      );
      if (isOver) throw new Violation('T1 the first end wins', facts);
    }
    const actual = outcome === 'ended' ? end : outcome === 'committed before' ? 'commit' : 'rollback';
    this.#settleEnd(produced, actual, 'T1 what is said of an end is true', facts);
  }

  /** A producer is to be asked about these. */
  checked(ids: readonly number[], called: number): void {
    for (const id of ids) {
      const produced = this.all[id];
      if (produced === undefined) throw new Violation('what is checked was sent', { id });
      for (const { certainty, sequence } of [produced.committed, produced.rolledBack]) {
        if (certainty === 'yes' && sequence < called)
          throw new Violation('T1 what has ended is not checked', { produced });
      }
    }
  }

  recalling(produced: Produced): void {
    produced.recallCalls++;
    if (produced.recalled.certainty === 'no') produced.recalled.certainty = 'maybe';
  }

  recalled(produced: Produced, wasWaiting: boolean): void {
    const { place, spec, recalled, stored } = produced;
    if (wasWaiting) {
      if (place !== undefined && !produced.isPlaceLoose)
        throw new Violation('T2 what has come can not be recalled', { produced });
      this.#happened(recalled);
      this.#happened(stored);
      return;
    }
    const mayBeOver = this.#timeline.wallHighestMs >= spec.deliveryMs! || produced.recallCalls > 1;
    if (stored.certainty === 'yes' && !mayBeOver) throw new Violation('T2 what waits can be recalled', { produced });
  }

  // ── readers ──

  /** Somebody has seen a message at its place. @returns what was sent */
  seen(topic: string, seen: Seen): Produced {
    const { id, queueId, queueOffset, position, isIntact } = seen;
    const produced = this.all[id];
    const facts = { topic, id, queueId, queueOffset, position, produced };
    if (produced === undefined || produced.spec.topic !== topic) throw new Violation('what is seen was sent', facts);
    if (!isIntact) throw new Violation('a message comes back as it was sent', facts);
    const { spec, stored, recalled } = produced;
    if (stored.certainty === 'no' && produced.openSends === 0)
      throw new Violation('what was refused or lost never comes', facts);
    if (spec.kind === 'timed') {
      const { wallHighestMs } = this.#timeline;
      if (wallHighestMs < spec.deliveryMs!) throw new Violation('T2 never early', { ...facts, wallHighestMs });
      if (recalled.certainty === 'yes') throw new Violation('T2 a recalled message never comes', facts);
      recalled.certainty = 'no';
    }
    if (spec.kind === 'half')
      this.#settleEnd(produced, 'commit', 'T1 only what was committed, and not rolled back, is visible', facts);
    this.#happened(stored);
    this.#put(produced, { queueId, queueOffset, position });
    return produced;
  }

  // ── mishaps ──

  /** @param forgottenFromMs what was known since then may be undone */
  died(forgottenFromMs: number): void {
    if (!Number.isFinite(forgottenFromMs)) return;
    this.#answered.clear();
    for (const produced of this.all) {
      const { stored, recalled, committed, rolledBack } = produced;
      for (const fact of [stored, recalled, committed, rolledBack]) {
        if (fact.certainty === 'yes' && fact.atMs >= forgottenFromMs) fact.certainty = 'maybe';
      }
      if (produced.placedAtMs >= forgottenFromMs) produced.isPlaceLoose = true;
      // Its removal may be undone, too.
      produced.isRemoved = false;
    }
  }

  /** A process has started: nothing that was answered is missing. */
  checkStored(rangesOf: (topic: string) => readonly Range[]): void {
    for (const [topic, messages] of this.#byTopic) {
      const ranges = rangesOf(topic);
      for (const produced of messages)
        if (produced.place !== undefined) this.#checkPlace(produced, produced.place, ranges);
    }
  }

  /** Notes what retention has taken. */
  noteRemoved(rangesOf: (topic: string) => readonly Range[]): void {
    for (const [topic, messages] of this.#byTopic) {
      const ranges = rangesOf(topic);
      if (ranges.every(({ minOffset }) => minOffset === 0)) continue;
      for (const produced of messages) {
        const { place, isRemoved } = produced;
        if (place === undefined || isRemoved || place.queueOffset >= (ranges[place.queueId]?.minOffset ?? 0)) continue;
        this.#removed(produced);
      }
    }
  }

  #removed(produced: Produced): void {
    const ageMs = this.#timeline.wallHighestMs - produced.madeAtMs;
    if (ageMs < this.#retentionMs) throw new Violation('D13 nothing is removed before its time', { produced, ageMs });
    produced.isRemoved = true;
  }

  #checkPlace(produced: Produced, place: Place, ranges: readonly Range[]): void {
    const { minOffset, maxOffset } = ranges[place.queueId] ?? { minOffset: 0, maxOffset: 0 };
    if (place.queueOffset < minOffset) {
      if (!produced.isRemoved) this.#removed(produced);
    } else if (place.queueOffset >= maxOffset) {
      if (!produced.isPlaceLoose)
        throw new Violation('D1 what was answered is stored', { produced, minOffset, maxOffset });
      this.#lost(produced);
    }
  }

  /** A power loss has rightly taken it from its place. */
  #lost(produced: Produced): void {
    this.#byPlace.delete(placeKey(produced.spec.topic, produced.place!));
    produced.place = undefined;
    produced.isPlaceLoose = false;
    // A timer fires again, a commit may be done again; all else is gone.
    if (produced.spec.kind === 'normal') produced.stored.certainty = 'no';
  }

  #settleEnd(produced: Produced, end: EndKind, promise: string, facts: Record<string, unknown>): void {
    const fact = endOf(produced, end);
    const other = endOf(produced, end === 'commit' ? 'rollback' : 'commit');
    if (fact.certainty === 'no' || other.certainty === 'yes') throw new Violation(promise, facts);
    this.#happened(fact);
    other.certainty = 'no';
  }

  #happened(fact: Fact): void {
    if (fact.certainty === 'yes') return;
    fact.certainty = 'yes';
    fact.atMs = this.#timeline.nowMs;
    fact.sequence = this.#timeline.next();
  }

  #put(produced: Produced, place: Place): void {
    const { spec } = produced;
    const key = placeKey(spec.topic, place);
    const former = produced.place;
    if (former !== undefined && placeKey(spec.topic, former) !== key) {
      if (!produced.isPlaceLoose && !(this.#removes && produced.isRemoved))
        throw new Violation('a message comes to one place, once', { produced, place });
      this.#byPlace.delete(placeKey(spec.topic, former));
      produced.place = undefined;
    }
    const other = this.#byPlace.get(key);
    if (other !== undefined && other !== produced) {
      if (!other.isPlaceLoose) throw new Violation('D8 an offset is given once', { produced, other });
      this.#lost(other);
    }
    this.#byPlace.set(key, produced);
    if (produced.place === undefined || produced.isPlaceLoose) {
      produced.placedAtMs = this.#timeline.nowMs;
      produced.isPlaceLoose = false;
    }
    produced.place = place;
  }

  #checkRising(topic: string, called: number, queueId: number, offset: number, facts: Record<string, unknown>): void {
    const key = `${topic}/${queueId}`;
    const answered = this.#answered.get(key) ?? [];
    const before = answered.findLast(({ sequence }) => sequence < called);
    if (before !== undefined && offset <= before.offset)
      throw new Violation('O2 offsets rise in real time', { ...facts, before });
    const highest = answered.at(-1)?.offset ?? -1;
    if (offset > highest) answered.push({ sequence: this.#timeline.next(), offset });
    this.#answered.set(key, answered);
  }
}

function endOf({ committed, rolledBack }: Produced, end: EndKind): Fact {
  return end === 'commit' ? committed : rolledBack;
}

function placeKey(topic: string, { queueId, queueOffset }: Place): string {
  return `${topic}/${queueId}/${queueOffset}`;
}
