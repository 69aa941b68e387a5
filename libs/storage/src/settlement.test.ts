import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MqError } from '@orbitmq/base';
import { memoryVfs } from '@orbitmq/vfs';
import { appendMany, openTestLog } from './test-fixture.ts';

/** Lets everything that can go on go on. */
async function turns(): Promise<void> {
  for (let count = 0; count < 50; count++) await new Promise((resolve) => setImmediate(resolve));
}

function outcomeOf(promise: Promise<void>): { state: string } {
  const outcome = { state: 'waits' };
  promise.then(
    () => {
      outcome.state = 'done';
    },
    (error: Error) => {
      outcome.state = error.message;
    },
  );
  return outcome;
}

describe('settling', () => {
  it('waits for the confirmation where acknowledgements need it', async () => {
    const log = await openTestLog(memoryVfs(), { lead: { acknowledge: 'confirmed' } });
    log.confirm(0);
    const confirmed: number[] = [];
    log.onConfirmed((offset) => confirmed.push(offset));
    appendMany(log, 3, 10);
    const first = outcomeOf(log.settled());
    const firstEnd = log.endOffset;
    await turns();
    appendMany(log, 3, 10);
    const second = outcomeOf(log.settled());
    const reached = outcomeOf(log.confirmed());
    await turns();
    assert.equal(log.storedOffset, log.endOffset);
    assert.deepEqual([log.settledOffset, log.confirmedOffset, first.state, second.state], [0, 0, 'waits', 'waits']);
    log.confirm(firstEnd);
    await turns();
    assert.deepEqual([log.settledOffset, first.state, second.state], [firstEnd, 'done', 'waits']);
    log.confirm(log.endOffset + 1000);
    await turns();
    assert.deepEqual([log.settledOffset, second.state, reached.state], [log.endOffset, 'done', 'done']);
    // What is confirmed stays so, and a limit that was lowered holds for what comes.
    log.confirm(8);
    assert.equal(log.confirmedOffset, log.endOffset);
    assert.deepEqual(confirmed, [firstEnd, log.endOffset]);
    await log.close();
  });

  it('does not wait for it where they need it not, and shows the difference', async () => {
    const log = await openTestLog();
    log.confirm(0);
    appendMany(log, 3, 10);
    await log.settled();
    assert.equal(log.settledOffset, log.endOffset);
    assert.equal(log.confirmedOffset, 0);
    assert.equal(await log.removeBefore(log.endOffset), 0);
    const waiting = outcomeOf(log.confirmed());
    await log.close();
    await turns();
    assert.match(waiting.state, /is closed/);
  });

  it('keeps segments that are not confirmed', async () => {
    const log = await openTestLog();
    log.confirm(8192);
    appendMany(log, 40, 900);
    await log.settled();
    assert.equal(await log.removeBefore(log.endOffset), 8192);
    assert.equal(log.startOffset, 8192);
  });

  it('tells that a batch is taken before it is written, and its bytes can be read', async () => {
    const log = await openTestLog();
    const taken: [number, number, number][] = [];
    log.onTaken((offset) => {
      const chunk = log.readChunk(0, 1 << 20);
      assert.ok(!(chunk instanceof Promise));
      taken.push([offset, log.storedOffset, chunk.endOffset]);
    });
    appendMany(log, 2, 10);
    await log.settled();
    assert.deepEqual(taken, [[log.endOffset, 0, log.endOffset]]);
  });

  it('R2: acknowledges nothing when it is fenced, and ends in peace', async () => {
    const vfs = memoryVfs();
    const failures: Error[] = [];
    const log = await openTestLog(vfs, {
      lead: { acknowledge: 'confirmed' },
      onFailure: (error) => failures.push(error),
    });
    log.confirm(0);
    appendMany(log, 3, 10);
    const stored = outcomeOf(log.settled());
    await turns();
    appendMany(log, 3, 10);
    const gathering = outcomeOf(log.settled());
    const error = new MqError('HA_NOT_AVAILABLE', 'another one leads');
    const fenced: Error[] = [];
    log.onFenced((cause) => fenced.push(cause));
    log.fence(error);
    log.fence(new MqError('HA_NOT_AVAILABLE', 'again'));
    await turns();
    assert.deepEqual(fenced, [error]);
    for (const { state } of [stored, gathering]) assert.match(state, /can not say whether/);
    assert.equal(log.fenced, error);
    log.confirm(Number.POSITIVE_INFINITY);
    assert.equal(log.confirmedOffset, 0);
    assert.throws(() => appendMany(log, 1, 10), error);
    await assert.rejects(log.settled(), /can not say whether/);
    await assert.rejects(log.confirmed(), /can not say whether/);
    await assert.rejects(log.flush(), error);
    const end = log.storedOffset;
    await log.close();
    assert.deepEqual(failures, []);
    const again = await openTestLog(vfs, { role: 'follower' });
    assert.ok(again.endOffset >= end);
  });

  it('R2: asks the guard before anything is acknowledged or shown', async () => {
    let asked = 0;
    let may = true;
    const guard = (): boolean => {
      asked++;
      return may;
    };
    const log = await openTestLog(memoryVfs(), { lead: { guard } });
    appendMany(log, 5, 10);
    await log.settled();
    assert.equal(asked, 1);
    may = false;
    const shown = log.confirmedOffset;
    appendMany(log, 5, 10);
    await assert.rejects(
      log.settled(),
      (error) => error instanceof MqError && error.code === 'MASTER_PERSISTENCE_TIMEOUT',
    );
    assert.deepEqual([log.confirmedOffset, log.settledOffset], [shown, shown]);
    assert.throws(() => appendMany(log, 1, 10));
    await log.close();
  });

  it('R2: asks the guard also for an answer that waits for nothing', async () => {
    let may = true;
    const log = await openTestLog(memoryVfs(), { lead: { guard: () => may } });
    appendMany(log, 5, 10);
    await log.settled();
    await log.settled();
    may = false;
    await assert.rejects(
      log.settled(),
      (error) => error instanceof MqError && error.code === 'MASTER_PERSISTENCE_TIMEOUT',
    );
    assert.ok(log.fenced !== undefined);
    await log.close();
  });
});
