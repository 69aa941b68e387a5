import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SimClock } from '@orbitmq/testkit';
import { InSyncSet } from './in-sync-set.ts';

/** A set whose publications are answered by hand. */
function publishing() {
  const clock = new SimClock();
  const asked: { readonly members: readonly number[]; answer(isKnown: boolean): void }[] = [];
  let changes = 0;
  const set = new InSyncSet({
    self: 0,
    clock,
    publish: (members) => new Promise((resolve) => asked.push({ members, answer: resolve })),
    onChange: () => changes++,
  });
  const required = (): number[] => [...set.requiredOthers()];
  return { clock, asked, set, required, changes: () => changes };
}

describe('in-sync set', () => {
  it('begins with the leader alone', () => {
    const { set, required } = publishing();
    assert.deepEqual([set.members, required()], [[0], []]);
  });

  it('requires a member before its joining is published', async () => {
    const { set, asked, required, clock } = publishing();
    set.join(1);
    assert.deepEqual([set.members, required()], [[0], [1]]);
    assert.deepEqual(asked[0]!.members, [0, 1]);
    asked[0]!.answer(true);
    await clock.advance(0);
    assert.deepEqual([set.members, required()], [[0, 1], [1]]);
  });

  it('requires a member until its leaving is published, however often that fails', async () => {
    const { set, asked, required, clock } = publishing();
    set.join(1);
    asked[0]!.answer(true);
    await clock.advance(0);
    set.leave(1);
    for (let failure = 1; failure <= 3; failure++) {
      assert.deepEqual([set.members, required()], [[0, 1], [1]]);
      asked[failure]!.answer(false);
      await clock.advance(1000);
    }
    asked[4]!.answer(true);
    await clock.advance(0);
    assert.deepEqual([set.members, required()], [[0], []]);
  });

  it('requires a member that left while its joining was not known to be published', async () => {
    const { set, asked, required, clock } = publishing();
    set.join(1);
    set.leave(1);
    asked[0]!.answer(false);
    await clock.advance(1000);
    assert.deepEqual(required(), [1]);
    assert.deepEqual(asked[1]!.members, [0]);
    asked[1]!.answer(true);
    await clock.advance(0);
    assert.deepEqual([set.members, required()], [[0], []]);
  });

  it('publishes what changed meanwhile', async () => {
    const { set, asked, required, clock } = publishing();
    set.join(1);
    set.join(2);
    set.leave(1);
    asked[0]!.answer(true);
    await clock.advance(0);
    assert.deepEqual(
      [set.members, required()],
      [
        [0, 1],
        [1, 2],
      ],
    );
    assert.deepEqual(asked[1]!.members, [0, 2]);
    asked[1]!.answer(true);
    await clock.advance(0);
    assert.deepEqual([set.members, required()], [[0, 2], [2]]);
  });

  it('asks nobody any more once it is closed', async () => {
    const { set, asked, clock, changes } = publishing();
    set.join(1);
    const before = changes();
    set.close();
    asked[0]!.answer(true);
    await clock.advance(10_000);
    assert.deepEqual([asked.length, changes()], [1, before]);
  });
});
