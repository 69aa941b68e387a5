import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { readKnownDifferences, readRecorded } from './differences.ts';
import { probes } from './probes/index.ts';
import { compareWith } from './run.ts';
import { type CompareTarget, startOurs } from './targets.ts';

let target: CompareTarget;
before(async () => {
  target = await startOurs('bundle');
});
after(() => target.stop());

it('differs from Apache RocketMQ 5.5.0 where it is meant to, and nowhere else', async () => {
  const { unexplained, vanished } = await compareWith(target, probes, readRecorded(), readKnownDifferences());
  assert.deepEqual({ unexplained, vanished }, { unexplained: [], vanished: [] });
});

it('has been asked of the original all that it is asked here', () => {
  assert.deepEqual(Object.keys(readRecorded()).sort(), probes.map(({ id }) => id).sort());
});

it('explains each place of a difference once', () => {
  const places = readKnownDifferences().flatMap(({ seen }) => seen.flatMap(({ at }) => at));
  assert.deepEqual(places, [...new Set(places)]);
});
