import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PinsView } from '../pins/view.ts';
import { NONE } from '../progress/entry-slab.ts';
import { type PendingTimer, TimersView } from './view.ts';

type Step =
  | { readonly kind: 'add'; readonly deliveryMs: number; readonly queueUid: number }
  | { readonly kind: 'fire' }
  | { readonly kind: 'cancel' | 'carry'; readonly pick: number }
  | { readonly kind: 'deleteQueue'; readonly queueUid: number }
  | { readonly kind: 'restore' };

const queueUid = fc.integer({ min: 1, max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), deliveryMs: fc.nat(20), queueUid }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('fire' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('cancel' as const, 'carry' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deleteQueue' as const), queueUid }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore' as const) }) },
);

test('timers are held, ended and restored as a plain list would have them', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      let view = new TimersView();
      let model: PendingTimer[] = [];
      let offset = 8;
      for (const each of steps) {
        offset += 8;
        if (each.kind === 'add') {
          const { deliveryMs, queueUid: uid } = each;
          view.applyTimed({ id: offset, deliveryMs, queueUid: uid, tagHash: -offset, bodyLength: 64 });
          model.push(view.get(view.lastSlot));
        } else if (each.kind === 'restore') {
          const bytes = view.snapshot();
          view = new TimersView();
          view.restore(bytes);
          assert.deepEqual(view.snapshot(), bytes);
        } else if (each.kind === 'deleteQueue') {
          const gone: number[] = [];
          view.applyQueueDeletions(new Set([each.queueUid]), ({ id }) => gone.push(id));
          const expected = model.filter((timer) => timer.queueUid === each.queueUid).map(({ id }) => id);
          assert.deepEqual(gone.sort(byNumber), expected.sort(byNumber));
          model = model.filter((timer) => timer.queueUid !== each.queueUid);
        } else if (model.length > 0) {
          const chosen = each.kind === 'fire' ? firstOf(model) : model[each.pick % model.length]!;
          if (each.kind === 'fire') assert.equal(view.first(), chosen.slot);
          assert.ok(view.isPending(chosen.slot, chosen.id));
          if (each.kind === 'carry') {
            view.applyCarried(chosen.slot, offset, 128);
            model = model.map((timer) =>
              timer === chosen ? { ...timer, bodyOffset: offset, bodyLength: 128 } : timer,
            );
          } else {
            view.applyEnd(chosen.slot);
            assert.ok(!view.isPending(chosen.slot, chosen.id));
            model = model.filter((timer) => timer !== chosen);
          }
        }
        check(view, model);
      }
    }),
  );
});

function check(view: TimersView, model: readonly PendingTimer[]): void {
  assert.equal(view.count, model.length);
  assert.equal(view.first(), model.length === 0 ? NONE : firstOf(model).slot);
  const { timers, next } = view.page(new Set([1, 2, 3]), 0, { countMax: 1000, lookedMax: 1000 });
  const bySlot = (left: PendingTimer, right: PendingTimer): number => left.slot - right.slot;
  assert.deepEqual(timers, model.toSorted(bySlot));
  assert.equal(next, undefined);
  for (const uid of [1, 2, 3]) {
    assert.equal(view.countOf(uid), model.filter((timer) => timer.queueUid === uid).length);
  }
}

function firstOf(model: readonly PendingTimer[]): PendingTimer {
  return model.toSorted((left, right) => left.deliveryMs - right.deliveryMs || left.id - right.id)[0]!;
}

function byNumber(left: number, right: number): number {
  return left - right;
}

test('pins count what is pending, by segment, and forget what was cut off', () => {
  const pins = new PinsView();
  pins.applyPending(0, 100);
  pins.applyPending(4096, 50);
  pins.applyPending(4096, 60);
  pins.applyPointer(0, 9000);
  pins.applyPointer(0, 8000);
  pins.applyPendingEnd(5000, 50);
  assert.deepEqual(pins.pin(0), { newestPointer: 9000, pendingCount: 1, pendingBytes: 100 });
  assert.deepEqual(pins.pin(4096), { newestPointer: -1, pendingCount: 1, pendingBytes: 60 });
  assert.throws(() => pins.applyPendingEnd(-8, 1));
  const restored = new PinsView();
  restored.restore(pins.snapshot());
  assert.deepEqual(restored.snapshot(), pins.snapshot());
  restored.applyCut(4096);
  assert.equal(restored.pin(0), undefined);
  assert.equal(restored.first(), 4096);
});
