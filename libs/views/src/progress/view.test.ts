import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NONE } from './entry-slab.ts';
import { ProgressView } from './view.ts';

/** The same in the plainest way. */
/** The same in the plainest way. */
class PlainProgress {
  readonly queues = new Map<
    string,
    { next: number; entries: Map<number, { lease: number; deadline: number; attempt: number }> }
  >();

  queue(group: number, queue: number) {
    const key = `${group}/${queue}`;
    let found = this.queues.get(key);
    if (found === undefined) {
      found = { next: 0, entries: new Map() };
      this.queues.set(key, found);
    }
    return found;
  }
}

type Step =
  | { kind: 'lease'; group: number; queue: number; count: number; again: number; duration: number }
  | { kind: 'ack' | 'change' | 'renew'; group: number; queue: number; pick: number; stale: boolean; duration: number }
  | { kind: 'trim'; queue: number; by: number }
  | { kind: 'wait'; duration: number }
  | { kind: 'deleteGroup'; group: number }
  | { kind: 'restart' };

const small = (max: number) => fc.integer({ min: 0, max });
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('lease' as const),
      group: small(1),
      queue: small(2),
      count: small(4),
      again: small(3),
      duration: small(50),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('ack', 'change', 'renew'),
      group: small(1),
      queue: small(2),
      pick: small(20),
      stale: fc.boolean(),
      duration: small(50),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('trim' as const), queue: small(2), by: small(4) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), duration: small(60) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deleteGroup' as const), group: small(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

test('progress does what a plain model does, also over snapshots', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60 }), (history) => {
      let view = new ProgressView();
      const plain = new PlainProgress();
      let now = 0;
      let leaseId = 0;
      for (const step of history) {
        if (step.kind === 'wait') now += step.duration;
        else if (step.kind === 'restart') {
          const bytes = view.snapshot();
          view = new ProgressView();
          view.restore(bytes);
          assert.deepEqual(view.snapshot(), bytes);
        } else if (step.kind === 'deleteGroup') {
          view.applyGroupDeletion(step.group);
          for (const key of plain.queues.keys()) if (key.startsWith(`${step.group}/`)) plain.queues.delete(key);
        } else if (step.kind === 'trim') {
          for (const queue of view.groupsOf(step.queue)) {
            const model = plain.queue(queue.groupUid, step.queue);
            const minOffset: number = Math.min(...[...model.entries.keys(), model.next]) + step.by;
            const gone = [...model.entries.keys()].filter((offset) => offset < minOffset);
            const expected = gone.length + Math.max(0, minOffset - model.next);
            assert.equal(view.applyTrim(queue, 0, minOffset), expected);
            for (const offset of gone) model.entries.delete(offset);
            model.next = Math.max(model.next, minOffset);
          }
        } else if (step.kind === 'lease') {
          leaseId += 8;
          const queue = view.obtain(step.group, step.queue);
          const model = plain.queue(step.group, step.queue);
          const expired = [...model.entries].filter(([, entry]) => entry.deadline <= now).slice(0, step.again);
          const offsets = expired.map(([offset]) => offset);
          for (let index = 0; index < step.count; index++) offsets.push(model.next + 2 * index);
          const next = model.next + 2 * step.count;
          view.applyReached(queue, next, { id: 'a', leaseId });
          model.next = next;
          for (const offset of offsets) {
            view.applyLease(queue, offset, leaseId, now + step.duration);
            const attempt = (model.entries.get(offset)?.attempt ?? 0) + 1;
            model.entries.set(offset, { lease: leaseId, deadline: now + step.duration, attempt });
          }
        } else {
          const queue = view.obtain(step.group, step.queue);
          const model = plain.queue(step.group, step.queue);
          const offset = [...model.entries.keys()][step.pick] ?? step.pick;
          const entry = model.entries.get(offset);
          const lease = step.stale ? (entry?.lease ?? 0) + 1 : (entry?.lease ?? 0);
          const expected = entry !== undefined && !step.stale;
          leaseId += 8;
          const deadlineMs = now + step.duration;
          if (step.kind === 'ack') {
            assert.equal(view.applyAck(queue, offset, lease), expected);
            if (expected) model.entries.delete(offset);
          } else if (step.kind === 'change') {
            assert.equal(view.applyChange(queue, offset, lease, { leaseId, deadlineMs }), expected);
            if (expected) model.entries.set(offset, { ...entry, lease: leaseId, deadline: deadlineMs });
          } else {
            assert.equal(view.applyRenewal(queue, offset, lease, deadlineMs), expected);
            if (expected) model.entries.set(offset, { ...entry, deadline: deadlineMs });
          }
        }
        compare(view, plain, now);
      }
    }),
    { numRuns: 500 },
  );
});

function compare(view: ProgressView, plain: PlainProgress, now: number): void {
  view.advance(now, () => {});
  let total = 0;
  let nearest: number | undefined;
  for (const [key, model] of plain.queues) {
    const [group, uid] = key.split('/').map(Number);
    const queue = view.obtain(group!, uid!);
    const expected = [...model.entries].sort(([a], [b]) => a - b);
    const actual: [number, { lease: number; deadline: number; attempt: number }][] = [];
    for (let slot = queue.first; slot !== NONE; slot = view.next(slot)) {
      const entry = { lease: view.leaseId(slot), deadline: view.deadlineMs(slot), attempt: view.attempt(slot) };
      actual.push([view.offset(slot), entry]);
      assert.equal(view.entry(queue, view.offset(slot)), slot);
      assert.equal(view.isReady(slot), entry.deadline <= now);
    }
    assert.deepEqual(actual, expected);
    assert.equal(queue.nextOffset, model.next);
    const ready = expected.filter(([, entry]) => entry.deadline <= now).length;
    assert.deepEqual([queue.count, queue.readyCount], [expected.length, ready]);
    let linked = 0;
    for (let slot = queue.ready.first; slot !== NONE; slot = view.nextReady(slot)) linked++;
    assert.equal(linked, ready);
    total += expected.length;
    for (const [, { deadline }] of expected) if (deadline > now) nearest = Math.min(nearest ?? deadline, deadline);
  }
  assert.equal(view.entryCount, total);
  assert.equal(view.nextDeadlineMs(), nearest);
}

test('for whom a lease is renewed is kept until it is handed out, changed or renewed otherwise', () => {
  const view = new ProgressView();
  const queue = view.obtain(1, 2);
  for (let offset = 0; offset < 4; offset++) {
    view.applyLease(queue, offset, 8, 100);
    view.applyRenewal(queue, offset, 8, 200, -7);
  }
  const holders = (of: ProgressView): number[] =>
    [0, 1, 2, 3].map((offset) => of.holder(of.entry(of.obtain(1, 2), offset)));
  assert.deepEqual(holders(view), [-7, -7, -7, -7]);
  view.applyLease(queue, 0, 16, 300);
  view.applyChange(queue, 1, 8, { leaseId: 24, deadlineMs: 300 });
  view.applyRenewal(queue, 2, 8, 300);
  assert.deepEqual(holders(view), [0, 0, 0, -7]);
  const restored = new ProgressView();
  restored.restore(view.snapshot());
  restored.restoreHolders(view.snapshotHolders());
  assert.deepEqual(holders(restored), [0, 0, 0, -7]);
  assert.deepEqual(
    Array.from(restored.held(), ({ slot }) => restored.offset(slot)),
    [3],
  );
  view.applyAck(queue, 3, 8);
  view.applyLease(queue, 9, 32, 300);
  assert.equal(view.holder(view.entry(queue, 9)), 0, 'a reused slot');
});

test('messages that are given back find their places among many, in any order', () => {
  const COUNT = 200_000;
  const view = new ProgressView();
  const queue = view.obtain(1, 1);
  for (let offset = 0; offset < COUNT; offset++) view.applyLease(queue, offset, 8, 1_000);
  view.applyReached(queue, COUNT, { id: '', leaseId: 8 });
  // every other one, in an order that has nothing to do with the offsets
  const offsets = Array.from({ length: COUNT / 2 }, (_, index) => 2 * ((index * 7_919) % (COUNT / 2)));
  for (const offset of offsets) assert.ok(view.applyAck(queue, offset, 8));
  const startedMs = performance.now();
  for (const offset of offsets) assert.ok(view.applyReturn(queue, offset, 16, 0, 0));
  const elapsedMs = performance.now() - startedMs;
  assert.ok(elapsedMs < 5_000, `${elapsedMs} ms: it walks through all of them`);
  let expected = 0;
  for (let slot = queue.first; slot !== NONE; slot = view.next(slot)) assert.equal(view.offset(slot), expected++);
  assert.equal(expected, COUNT);
  assert.ok(!view.applyReturn(queue, 5, 24, 0, 0), 'it is outstanding');
});

test('a million outstanding entries take tens of megabytes', () => {
  const view = new ProgressView();
  const queue = view.obtain(1, 1);
  const before = process.memoryUsage();
  for (let offset = 0; offset < 1_000_000; offset++)
    view.applyLease(queue, offset, 8 * offset, 60_000 + (offset % 977));
  const after = process.memoryUsage();
  const megabytes = (after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed) / 2 ** 20;
  assert.ok(megabytes < 150, `${megabytes} MiB`);
  for (let offset = 0; offset < 1_000_000; offset += 2) assert.ok(view.applyAck(queue, offset, 8 * offset));
  let expired = 0;
  view.advance(70_000, () => expired++);
  assert.equal(expired, 500_000);
});
