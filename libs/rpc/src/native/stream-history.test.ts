import assert from 'node:assert/strict';
import { it } from 'node:test';
import { StreamHistory } from './stream-history.ts';

it('StreamHistory knows opened, skipped and reset streams', () => {
  const history = new StreamHistory();
  assert.equal(history.isKnown(1), false);
  for (const streamId of [1, 3, 9]) history.open(streamId);
  assert.deepEqual(
    [1, 2, 3, 5, 9, 11].map((id) => history.isKnown(id)),
    [true, false, true, true, true, false],
  );
  assert.deepEqual(
    [1, 3, 5, 7, 9].map((id) => history.wasSkipped(id)),
    [false, false, true, true, false],
  );
  assert.equal(history.lastStreamId, 9);
  for (let id = 11; id < 2_011; id += 2) history.addReset(id);
  assert.equal(history.wasReset(2_009), true);
  assert.equal(history.wasReset(11), false, 'it remembers a bounded number');
});
