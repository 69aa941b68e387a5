import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TRANSACTION_END, type TransactionEnd } from './ended.ts';
import { type HalfMessage, type HalfRef, TransactionsView } from './view.ts';

const half = (id: number, changes: Partial<HalfMessage> = {}): Parameters<TransactionsView['applyHalf']>[0] => ({
  id,
  topicUid: 1,
  tagHash: -7,
  bodyLength: 80,
  openedMs: 1_000,
  nextCheckMs: 7_000,
  ...changes,
});
const idsOf = (halves: readonly HalfMessage[]): number[] => halves.map(({ id }) => id);

test('a half message is open until its first end', () => {
  const view = new TransactionsView();
  const ref = view.applyHalf(half(64));
  assert.deepEqual(view.find(ref), { ...half(64), ...ref, bodyOffset: 64, checkCount: 0 });
  assert.equal(view.endOf(64), undefined);
  assert.equal(view.applyEnd(ref, TRANSACTION_END.committed)?.id, 64);
  assert.equal(view.applyEnd(ref, TRANSACTION_END.rolledBack), undefined);
  assert.equal(view.endOf(64), TRANSACTION_END.committed);
  assert.deepEqual([view.openCount, view.find(ref), [...view.topics()]], [0, undefined, []]);
});

test('a slot that is used again does not stand for what was in it before', () => {
  const view = new TransactionsView();
  const first = view.applyHalf(half(64));
  view.applyEnd(first, TRANSACTION_END.rolledBack);
  const second = view.applyHalf(half(144));
  assert.equal(second.slot, first.slot);
  assert.equal(view.find(first), undefined);
  assert.equal(view.find(second)?.id, 144);
  assert.equal(view.find({ id: 144, slot: 9_999 }), undefined);
});

test('what was checked comes again later, and only that is counted', () => {
  const view = new TransactionsView();
  const refs = [64, 144, 224].map((id, index) => view.applyHalf(half(id, { nextCheckMs: 7_000 + index })));
  assert.deepEqual(idsOf(view.due(1, 6_999, 10)), []);
  assert.deepEqual(idsOf(view.due(1, 7_001, 10)).sort(), [144, 64]);
  assert.equal(view.due(1, 9_000, 2).length, 2);
  view.applyChecked(refs[0]!, 37_000);
  assert.deepEqual(idsOf(view.due(1, 9_000, 10)), [144, 224]);
  assert.equal(view.find(refs[0]!)?.checkCount, 1);
  assert.deepEqual(view.due(2, 9_000, 10), []);
});

test('the open ones of a topic are listed by age, and go with it', () => {
  const view = new TransactionsView();
  for (const id of [400, 200, 300]) view.applyHalf(half(id));
  view.applyHalf(half(500, { topicUid: 2 }));
  assert.deepEqual(idsOf(view.list(1, 0, 2)), [200, 300]);
  assert.deepEqual(idsOf(view.list(1, 200, 9)), [300, 400]);
  assert.deepEqual(idsOf(view.within(300, 500, 9)).sort(), [300, 400]);
  assert.deepEqual(idsOf(view.applyTopicDeletion(1)), [200, 300, 400]);
  assert.deepEqual([...view.topics()], [{ topicUid: 2, openCount: 1 }]);
  assert.equal(view.endOf(200), undefined);
});

test('a body that was written again is found at its new place', () => {
  const view = new TransactionsView();
  const ref = view.applyHalf(half(64));
  assert.equal(view.applyMoved(ref, 9_000, 88)?.bodyOffset, 64);
  assert.deepEqual([view.find(ref)?.bodyOffset, view.find(ref)?.bodyLength], [9_000, 88]);
  assert.deepEqual(view.within(0, 9_000, 9), []);
});

test('the last ends are remembered, also over a restart, and old ones are not', () => {
  let view = new TransactionsView();
  for (let id = 1; id <= 200_000; id++) {
    view.applyEnd(view.applyHalf(half(id)), TRANSACTION_END.discarded);
    if (id === 100_000) view = restored(view);
  }
  assert.equal(view.endOf(200_000 - 65_535), TRANSACTION_END.discarded);
  assert.equal(view.endOf(200_000 - 131_073), undefined);
});

type Step =
  | { readonly kind: 'half'; readonly topicUid: number; readonly nextCheckMs: number }
  | { readonly kind: 'end' | 'checked' | 'moved'; readonly which: number; readonly value: number }
  | { readonly kind: 'topicDeletion'; readonly topicUid: number }
  | { readonly kind: 'restart' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('half' as const),
        topicUid: fc.integer({ min: 1, max: 3 }),
        nextCheckMs: fc.integer({ min: 0, max: 100 }),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constantFrom('end' as const, 'checked' as const, 'moved' as const),
        which: fc.nat(40),
        value: fc.integer({ min: 1, max: 3 }),
      }),
    },
    fc.record({ kind: fc.constant('topicDeletion' as const), topicUid: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('restart' as const) }),
  ),
  { maxLength: 120 },
);

test('the view does what a plain table of objects does, over restarts', () => {
  fc.assert(
    fc.property(steps, (all) => {
      let view = new TransactionsView();
      const open = new Map<number, HalfMessage>();
      const refs: HalfRef[] = [];
      for (const [index, step] of all.entries()) {
        view = apply(view, step, { open, refs, id: (index + 1) * 80 });
        assert.equal(view.openCount, open.size);
        for (const ref of refs) assert.deepEqual(view.find(ref), open.get(ref.id));
        for (const topicUid of [1, 2, 3]) {
          const wanted = [...open.values()].filter((entry) => entry.topicUid === topicUid);
          assert.deepEqual(view.list(topicUid, 0, 1_000), wanted);
          const due = wanted.filter(({ nextCheckMs }) => nextCheckMs <= 50);
          assert.deepEqual(new Set(idsOf(view.due(topicUid, 50, 1_000))), new Set(idsOf(due)));
        }
      }
    }),
    { numRuns: 200 },
  );
});

interface Model {
  readonly open: Map<number, HalfMessage>;
  readonly refs: HalfRef[];
  readonly id: number;
}

function apply(view: TransactionsView, step: Step, { open, refs, id }: Model): TransactionsView {
  switch (step.kind) {
    case 'half': {
      const made = half(id, { topicUid: step.topicUid, nextCheckMs: step.nextCheckMs });
      const ref = view.applyHalf(made);
      refs.push(ref);
      open.set(id, { ...made, ...ref, bodyOffset: id, checkCount: 0 });
      return view;
    }
    case 'topicDeletion':
      view.applyTopicDeletion(step.topicUid);
      for (const entry of open.values()) if (entry.topicUid === step.topicUid) open.delete(entry.id);
      return view;
    case 'restart':
      return restored(view);
    default:
      return applyTo(view, step, open, refs);
  }
}

function applyTo(
  view: TransactionsView,
  {
    kind,
    which,
    value,
  }: { readonly kind: 'end' | 'checked' | 'moved'; readonly which: number; readonly value: number },
  open: Map<number, HalfMessage>,
  refs: readonly HalfRef[],
): TransactionsView {
  const ref = refs[which % Math.max(1, refs.length)];
  if (ref === undefined) return view;
  const entry = open.get(ref.id);
  if (kind === 'end') {
    assert.equal(view.applyEnd(ref, value as TransactionEnd)?.id, entry?.id);
    open.delete(ref.id);
  } else if (kind === 'checked') {
    view.applyChecked(ref, value * 30);
    if (entry !== undefined) {
      const nextCheckMs = Math.max(entry.nextCheckMs, value * 30);
      open.set(ref.id, { ...entry, nextCheckMs, checkCount: entry.checkCount + 1 });
    }
  } else {
    view.applyMoved(ref, value * 10_000, value * 8);
    if (entry !== undefined) open.set(ref.id, { ...entry, bodyOffset: value * 10_000, bodyLength: value * 8 });
  }
  return view;
}

function restored(view: TransactionsView): TransactionsView {
  const bytes = view.snapshot();
  const made = new TransactionsView();
  made.restore(bytes);
  assert.deepEqual(made.snapshot(), bytes);
  return made;
}
