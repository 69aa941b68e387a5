import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MovedClock } from '../contract/harness.ts';
import { PacedResets } from './paced-resets.ts';

describe('paced resets', () => {
  const begin = () => {
    const clock = new MovedClock();
    const reset: number[] = [];
    const resets = new PacedResets({ clock, reset: (streamId) => void reset.push(streamId), onProgress: () => {} });
    return { clock, reset, resets };
  };

  it('resets a burst at once, and the rest in order at a rate that servers put up with', () => {
    const { clock, reset, resets } = begin();
    for (let index = 0; index < 1200; index++) resets.add(2 * index + 1, 8);
    assert.deepEqual([reset.length, resets.waitingCount], [900, 300]);
    for (let tick = 0; tick < 20; tick++) clock.move(50);
    assert.ok(reset.length >= 1040 && reset.length <= 1050, String(reset.length));
    for (let tick = 0; tick < 30; tick++) clock.move(50);
    assert.deepEqual(
      reset,
      Array.from({ length: 1200 }, (_, index) => 2 * index + 1),
    );
    assert.equal(resets.waitingCount, 0);
  });

  it('does not let one that comes later go before those that wait', () => {
    const { clock, reset, resets } = begin();
    for (let index = 0; index < 901; index++) resets.add(index, 8);
    clock.move(40);
    resets.add(2000, 8);
    assert.equal(reset.length, 900);
    clock.move(50);
    assert.deepEqual(reset.slice(900), [900, 2000]);
  });

  it('saves up no more than a burst, however long nothing was reset', () => {
    const { clock, reset, resets } = begin();
    for (let round = 1; round <= 3; round++) {
      for (let index = 0; index < 2000; index++) resets.add(index, 8);
      assert.equal(reset.length, 900);
      resets.stop();
      reset.length = 0;
      clock.move(3_600_000);
    }
  });

  it('leaves out what the server has ended meanwhile, and all when it is stopped', () => {
    const { clock, reset, resets } = begin();
    for (let index = 0; index < 910; index++) resets.add(index, 8);
    assert.equal(resets.ended(905), true);
    assert.equal(resets.ended(3), false);
    clock.move(1000);
    assert.equal(reset.length, 909);
    for (let index = 0; index < 2000; index++) resets.add(1000 + index, 8);
    resets.stop();
    const count = reset.length;
    clock.move(60_000);
    assert.deepEqual([reset.length, resets.waitingCount], [count, 0]);
  });
});
