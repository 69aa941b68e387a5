import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type GuardFacts, mayAcknowledge, refusalToLead, type TakeOverFacts } from './election-rules.ts';
import type { Lease } from './lease.ts';

const TIMES = { durationMs: 3000, suspicionMs: 1000, marginMs: 300 };
const LEASE: Lease = {
  holder: 0,
  epoch: 7,
  inSync: [0, 1],
  acknowledge: 'stored',
  replicationAddress: 'a:1',
  durationMs: 3000,
  heir: undefined,
};
const FACTS: TakeOverFacts = {
  member: 1,
  lease: LEASE,
  seenMs: 10_000,
  heardMs: 10_000,
  mayLackStored: false,
  nowMs: 20_000,
};

describe('who may take a lease', () => {
  const cases: readonly [string, Partial<TakeOverFacts>, Partial<Lease>, RegExp | undefined][] = [
    ['an in-sync member when it has run out and nothing is heard', {}, {}, undefined],
    ['nobody from outside the in-sync set', { member: 2 }, {}, /in-sync/],
    ['not while it runs', { nowMs: 12_999 }, {}, /run out/],
    ['at its very end', { nowMs: 13_000 }, {}, undefined],
    ['not while its leader is heard', { heardMs: 19_500 }, {}, /is heard/],
    [
      'at once after silence, where answers need the in-sync set',
      { nowMs: 11_000 },
      { acknowledge: 'confirmed' },
      undefined,
    ],
    ['not before the silence is long enough', { nowMs: 10_999 }, { acknowledge: 'confirmed' }, /is heard/],
    [
      'only at its end when the leader was never heard',
      { nowMs: 12_000, heardMs: undefined },
      { acknowledge: 'confirmed' },
      /run out/,
    ],
    ['at once when it was given up', { nowMs: 10_001 }, { holder: undefined }, undefined],
    ['the heir at once', { nowMs: 10_001 }, { holder: undefined, heir: 1 }, undefined],
    ['nobody else than the heir', { nowMs: 10_001 }, { holder: undefined, heir: 0 }, /handed over/],
    ['another one when the heir does not take it', { nowMs: 13_000 }, { holder: undefined, heir: 0 }, undefined],
    ['a holder that comes back', { nowMs: 10_001, member: 0 }, {}, undefined],
    ['no copy that may lack something, while there is another', { mayLackStored: true }, {}, /may lack/],
    ['no holder that may lack something, either', { mayLackStored: true, member: 0 }, {}, /may lack/],
    ['such a one in the end, when nobody better comes', { mayLackStored: true, nowMs: 40_000 }, {}, undefined],
    ['the only copy, whatever it lacks', { mayLackStored: true }, { inSync: [1] }, undefined],
  ];
  for (const [name, facts, lease, expected] of cases) {
    it(name, () => {
      const refusal = refusalToLead({ ...FACTS, ...facts, lease: { ...LEASE, ...lease } }, TIMES);
      if (expected === undefined) assert.equal(refusal, undefined);
      else assert.match(refusal ?? '', expected);
    });
  }
});

describe('when a leader may acknowledge', () => {
  const guard: GuardFacts = { acknowledge: 'stored', othersInSync: 1, renewedMs: 0, answeredMs: 0, nowMs: 2699 };
  const cases: readonly [string, Partial<GuardFacts>, boolean][] = [
    ['while its lease runs, less the margin', {}, true],
    ['not behind that', { nowMs: 2700 }, false],
    ['longer while the whole in-sync set answers', { nowMs: 60_000, answeredMs: 59_301 }, true],
    ['not when its answers are older than the suspicion', { nowMs: 60_000, answeredMs: 59_300 }, false],
    ['not when somebody never answered', { nowMs: 60_000, answeredMs: undefined }, false],
    [
      'always where answers need the in-sync set',
      { nowMs: 60_000, acknowledge: 'confirmed', answeredMs: undefined },
      true,
    ],
    [
      'by its lease alone when it is alone',
      { nowMs: 60_000, acknowledge: 'confirmed', othersInSync: 0, answeredMs: 59_999 },
      false,
    ],
  ];
  for (const [name, facts, expected] of cases) {
    it(name, () => assert.equal(mayAcknowledge({ ...guard, ...facts }, 3000, TIMES), expected));
  }
});
