import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { continuationOf, type LogSpan } from './divergence.ts';

function span(startOffset: number, endOffset: number, ...epochs: readonly (readonly [number, number])[]): LogSpan {
  return {
    startOffset,
    endOffset,
    epochs: epochs.map(([epoch, offset]) => ({ epoch, startOffset: offset })),
  };
}

describe('where a follower goes on', () => {
  const cases: readonly [string, LogSpan, LogSpan, number, boolean][] = [
    [
      'at its end, when it is a part of the leader’s',
      span(0, 900, [1, 0], [2, 500]),
      span(0, 700, [1, 0], [2, 500]),
      700,
      false,
    ],
    [
      'at the end of the epoch that the leader ended earlier',
      span(0, 900, [1, 0], [3, 400]),
      span(0, 500, [1, 0]),
      400,
      false,
    ],
    ['where its own newer epoch begins', span(0, 900, [1, 0], [3, 600]), span(0, 700, [1, 0], [2, 500]), 500, false],
    [
      'at the leader’s end, when it has more of the same epoch',
      span(0, 600, [1, 0], [2, 500]),
      span(0, 700, [1, 0], [2, 500]),
      600,
      false,
    ],
    ['at the leader’s first byte, with nothing', span(300, 900, [1, 300]), span(0, 0), 300, true],
    ['at 0, with nothing', span(0, 900, [1, 0]), span(0, 0), 0, false],
    [
      'anew, when the leader’s log begins behind its end',
      span(800, 900, [2, 800]),
      span(0, 700, [1, 0], [2, 500]),
      800,
      true,
    ],
    ['anew, when they share no epoch', span(0, 900, [2, 0]), span(0, 700, [1, 0]), 0, true],
    [
      'where its newest epoch begins, when the leader began one of that number elsewhere',
      span(0, 900, [1, 0], [2, 600]),
      span(0, 700, [1, 0], [2, 500]),
      500,
      false,
    ],
    [
      'at its end, when only the leader has removed the begin of the epoch',
      span(600, 900, [2, 600]),
      span(0, 700, [1, 0], [2, 500]),
      700,
      false,
    ],
    ['at its end, when its begin has been removed', span(300, 900, [2, 300]), span(500, 900, [2, 500]), 900, false],
  ];
  for (const [name, leader, follower, cutOffset, startAnew] of cases) {
    it(name, () => assert.deepEqual(continuationOf(leader, follower), { cutOffset, startAnew }));
  }

  it('is the end of what two histories share', () => {
    // A history: epochs of random lengths; two members share a first part and go different ways.
    const lengths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(lengths, lengths, lengths, fc.nat({ max: 50 }), (shared, left, right, extra) => {
        const sharedEnd = shared.reduce((sum, length) => sum + length, 0);
        const history = (own: readonly number[], firstEpoch: number): LogSpan => {
          const epochs = [];
          let at = 0;
          for (const [index, length] of [...shared, ...own].entries()) {
            const epoch = index < shared.length ? index + 1 : firstEpoch + 2 * (index - shared.length);
            epochs.push({ epoch, startOffset: at });
            at += length;
          }
          return { startOffset: 0, endOffset: at, epochs };
        };
        // Even and odd: behind what is shared no epoch is. The follower has a bit of the last shared one that nobody else has.
        const leader = history(left, 100);
        const follower = history(right, 101);
        const moved: LogSpan = {
          ...follower,
          endOffset: follower.endOffset + extra,
          epochs: follower.epochs.map(({ epoch, startOffset }) => ({
            epoch,
            startOffset: startOffset >= sharedEnd ? startOffset + extra : startOffset,
          })),
        };
        assert.deepEqual(continuationOf(leader, moved), { cutOffset: sharedEnd, startAnew: false });
      }),
    );
  });
});
