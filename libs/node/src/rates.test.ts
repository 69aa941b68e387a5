import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '@orbitmq/testkit';
import { Rates } from './rates.ts';

test('tells messages a second over a window, and nothing before there are two samples', async () => {
  const clock = new SimClock();
  let sent = 0;
  const rates = new Rates(clock, () => ({ sent, delivered: 0 }));
  rates.start();
  assert.deepEqual(rates.over(10_000), { sent: 0, delivered: 0 });
  sent = 500;
  await clock.advance(5_000);
  assert.deepEqual(rates.over(10_000), { sent: 100, delivered: 0 });
  await clock.advance(60_000);
  assert.deepEqual(rates.over(10_000), { sent: 0, delivered: 0 });
  sent = 0;
  await clock.advance(5_000);
  assert.equal(rates.over(10_000).sent, 0, 'a deleted topic takes its counts with it');
  rates.stop();
});
