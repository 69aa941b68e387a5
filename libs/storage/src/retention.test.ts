import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideRetention } from './retention.ts';

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;
/** Five segments of 100 bytes, their newest records 50, 40, 30, 20 and 10 h old; the last one is being written. */
const segments = [0, 1, 2, 3, 4].map((index) => ({
  startOffset: index * 100,
  endOffset: index * 100 + 100,
  newestTimestampMs: NOW - (50 - index * 10) * HOUR,
  sealed: index < 4,
}));
const roomy = { totalBytes: 10_000, availableBytes: 9_000 };
const input = { segments, nowMs: NOW, disk: roomy, isReadOnly: false };

describe('retention', () => {
  it('keeps what is young', () => {
    const decision = decideRetention({ reservedMs: 72 * HOUR }, input);
    assert.deepEqual([decision.removeBefore, decision.reason, decision.isReadOnly], [0, 'none', false]);
  });

  it('removes segments whose newest record is too old', () => {
    const decision = decideRetention({ reservedMs: 35 * HOUR }, input);
    assert.deepEqual([decision.removeBefore, decision.reason], [200, 'age']);
  });

  it('removes the oldest above the total size, never the one being written', () => {
    const decision = decideRetention({ reservedMs: 72 * HOUR, totalBytesMax: 250 }, input);
    assert.deepEqual([decision.removeBefore, decision.reason], [300, 'size']);
    assert.equal(decideRetention({ reservedMs: 72 * HOUR, totalBytesMax: 0 }, input).removeBefore, 400);
  });

  it('removes as much as a full disk takes', () => {
    const disk = { totalBytes: 1_000, availableBytes: 20 };
    const decision = decideRetention({ reservedMs: 72 * HOUR }, { ...input, disk });
    assert.deepEqual([decision.removeBefore, decision.reason, decision.isReadOnly], [200, 'disk', true]);
    assert.equal(decision.usedRatio, 0.98);
  });

  it('is read-only from its limit on, and until it is well below', () => {
    const at = (availableBytes: number, isReadOnly: boolean): boolean =>
      decideRetention({ reservedMs: HOUR }, { ...input, isReadOnly, disk: { totalBytes: 1_000, availableBytes } })
        .isReadOnly;
    assert.deepEqual(
      [at(101, false), at(100, false), at(101, true), at(119, true), at(121, true)],
      [false, true, true, true, false],
    );
  });
});
