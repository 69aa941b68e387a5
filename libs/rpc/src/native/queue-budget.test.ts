import assert from 'node:assert/strict';
import { it } from 'node:test';
import { QueueBudget } from './queue-budget.ts';

it('QueueBudget cuts whoever has taken nothing for longest', () => {
  const cut: string[] = [];
  let exceededCount = 0;
  const budget = new QueueBudget(100, () => exceededCount++);
  const connection = (name: string) => ({ destroy: () => cut.push(name) });
  const [stuck, reading, other] = [connection('stuck'), connection('reading'), connection('other')];
  budget.note(reading, 40);
  budget.note(stuck, 40);
  budget.note(reading, 30);
  budget.note(other, 30);
  assert.deepEqual(cut, []);
  budget.note(stuck, 50);
  assert.deepEqual(cut, ['stuck']);
  budget.note(stuck, 0);
  budget.note(other, 70);
  assert.deepEqual(cut, ['stuck']);
  budget.note(other, 71);
  assert.deepEqual(cut, ['stuck', 'reading']);
  assert.equal(exceededCount, 2);
});
