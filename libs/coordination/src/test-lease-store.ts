import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Lease, LeaseConflict, type LeaseStore } from './lease.ts';

/** A store for a Lease that nobody has written yet, and another client of the same Lease. */
export interface LeaseStorePair extends AsyncDisposable {
  readonly one: LeaseStore;
  readonly other: LeaseStore;
}

const FIRST: Lease = {
  holder: 0,
  epoch: 1,
  inSync: [0],
  acknowledge: 'confirmed',
  replicationAddress: '127.0.0.1:10912',
  durationMs: 3000,
  heir: undefined,
};

/** What every store of Leases must hold: the election relies on it and on nothing else. */
export function describeLeaseStore(name: string, open: () => Promise<LeaseStorePair>): void {
  describe(`lease store: ${name}`, () => {
    it('has none at first, makes one, and gives back what was written', async () => {
      await using pair = await open();
      assert.equal(await pair.one.read(), undefined);
      const written = await pair.one.write(FIRST, undefined);
      assert.deepEqual(written.lease, FIRST);
      assert.deepEqual(await pair.other.read(), written);
    });

    it('makes one only once', async () => {
      await using pair = await open();
      await pair.one.write(FIRST, undefined);
      await assert.rejects(pair.other.write({ ...FIRST, holder: 1 }, undefined), LeaseConflict);
      assert.equal((await pair.one.read())?.lease.holder, 0);
    });

    it('keeps every field', async () => {
      await using pair = await open();
      const first = await pair.one.write(FIRST, undefined);
      const changed: Lease = {
        holder: undefined,
        epoch: 2 ** 40,
        inSync: [0, 2, 11],
        acknowledge: 'stored',
        replicationAddress: 'broker-a-1.broker-a.default.svc:10912',
        durationMs: 2500,
        heir: 11,
      };
      await pair.one.write(changed, first);
      assert.deepEqual((await pair.other.read())?.lease, changed);
    });

    it('refuses a write from an older version, and stores nothing of it', async () => {
      await using pair = await open();
      const first = await pair.one.write(FIRST, undefined);
      const second = await pair.other.write({ ...FIRST, holder: 1, epoch: 2 }, first);
      await assert.rejects(pair.one.write({ ...FIRST, inSync: [0, 1] }, first), LeaseConflict);
      assert.deepEqual(await pair.one.read(), second);
    });

    it('gives each write a version of its own, also a renewal', async () => {
      await using pair = await open();
      const first = await pair.one.write(FIRST, undefined);
      const renewed = await pair.one.write(FIRST, first);
      assert.notEqual(renewed.version, first.version);
      await assert.rejects(pair.other.write(FIRST, first), LeaseConflict);
    });

    it('lets exactly one of many writers win', async () => {
      await using pair = await open();
      const first = await pair.one.write(FIRST, undefined);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? pair.one : pair.other).write({ ...FIRST, holder: index, epoch: 2 }, first),
        ),
      );
      const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
      assert.equal(winners.length, 1);
      assert.equal((await pair.one.read())?.lease.holder, winners[0]);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') assert(outcome.reason instanceof LeaseConflict, String(outcome.reason));
      }
    });
  });
}
