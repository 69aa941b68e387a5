import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryVfs } from '@orbitmq/vfs';
import { CorruptionError } from './log.ts';
import { Scrub } from './scrub.ts';
import { segmentName } from './segment.ts';
import { appendMany, openTestLog, overwrite, StoppedClock } from './test-fixture.ts';

describe('scrub', () => {
  it('finds a turned bit in a sealed segment once a round, and the others are in order', async () => {
    const vfs = memoryVfs();
    const log = await openTestLog(vfs);
    appendMany(log, 40, 1000);
    await log.settled();
    const clock = new StoppedClock();
    const found: Error[] = [];
    const scrub = new Scrub({ log, clock, onDamage: (error) => found.push(error) });
    await round(scrub, clock);
    assert.equal(found.length, 0);
    assert.equal(scrub.statistics.checkedBytes, (log.segments().length - 1) * 8192);
    await overwrite(vfs, segmentName(16_384), 3_000, Uint8Array.of(0xee));
    await round(scrub, clock);
    assert.equal(found.length, 1);
    assert.ok(found[0] instanceof CorruptionError);
    assert.match(found[0].file, /16384$/);
    assert.equal(scrub.statistics.damageCount, 1);
    scrub.stop();
    assert.equal(clock.timers.length, 0);
  });

  it('reads no quicker than it may', async () => {
    const log = await openTestLog();
    appendMany(log, 20, 1000);
    await log.settled();
    const clock = new StoppedClock();
    new Scrub({ log, clock, bytesPerSecond: 8192, firstPauseMs: 5, onDamage: () => {} });
    assert.equal(clock.timers[0]!.delayMs, 5);
    clock.fire();
    await turns();
    assert.equal(clock.timers[0]!.delayMs, 1000);
  });
});

async function round(scrub: Scrub, clock: StoppedClock): Promise<void> {
  const rounds = scrub.statistics.roundCount;
  while (scrub.statistics.roundCount === rounds) {
    clock.fire();
    await turns();
  }
}

function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
