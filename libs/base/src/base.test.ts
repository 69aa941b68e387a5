import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assert as invariant, javaStringHash, MqError, quoted, seededRandom, systemClock } from './index.ts';

describe('base', () => {
  it('hashes texts as Java does', () => {
    assert.equal(javaStringHash(''), 0);
    assert.equal(javaStringHash('TagA'), 2_598_919);
    assert.equal(javaStringHash('polygenelubricants'), -(2 ** 31));
  });

  it('repeats what a seed gives, and gives neighbouring seeds different histories', () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 8 }, () => random.below(2));
    };
    assert.deepEqual(draw(7), draw(7));
    const histories = new Set(Array.from({ length: 32 }, (_, seed) => draw(seed).join('')));
    assert.ok(histories.size > 20, `only ${histories.size} of 32 seeds differ`);
    const random = seededRandom(1);
    for (let round = 0; round < 1000; round++) {
      const drawn = random.below(10);
      assert.ok(Number.isInteger(drawn) && drawn >= 0 && drawn < 10);
    }
  });

  it('shows control characters and cuts what is long', () => {
    assert.equal(quoted('a\r\n\u001b[31m'), '"a\\r\\n\\u001b[31m"');
    assert.ok(quoted('x'.repeat(1000)).length < 150);
  });

  it('carries code, number and cause of an error', () => {
    const error = new MqError('TOPIC_NOT_FOUND', 'no such topic', { cause: 1, details: { topic: 'T' } });
    assert.equal(error.codeNumber, 40402);
    assert.equal(error.cause, 1);
    assert.throws(() => invariant(false, 'broken'), /broken/);
  });

  it('cancels a timer', async () => {
    let fired = '';
    systemClock
      .setTimer(0, () => {
        fired += 'cancelled';
      })
      .cancel();
    await new Promise<void>((resolve) => {
      systemClock.setTimer(1, resolve);
      setImmediate(() => setTimeout(() => {}, 5));
    });
    assert.equal(fired, '');
  });
});
