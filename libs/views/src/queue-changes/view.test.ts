import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueChangesView } from './view.ts';

test('changes without messages between them are one, and those with nothing in front of them none', () => {
  const view = new QueueChangesView();
  view.applyChange(1, [0, 0]);
  assert.deepEqual(view.of(1), []);
  view.applyChange(1, [3, 0]);
  view.applyChange(1, [3, 0, 0]);
  view.applyChange(1, [3, 0, 1]);
  assert.deepEqual(view.of(1), [
    [3, 0],
    [3, 0, 1],
  ]);
  const restored = new QueueChangesView();
  restored.restore(view.snapshot());
  assert.deepEqual(restored.of(1), view.of(1));
  restored.applyTrim(1, [3, 0, 0]);
  assert.deepEqual(restored.of(1), [[3, 0, 1]]);
  restored.applyTrim(1, [3, 0, 1]);
  assert.deepEqual(restored.of(1), []);
  view.applyTopicDeletion(1);
  assert.deepEqual(view.of(1), []);
});
