import assert from 'node:assert/strict';
import type { ReplicatedLog } from '@orbitmq/storage';
import type { SimClock } from '@orbitmq/testkit';

const CHUNK_BYTES = 4096;

/** Two copies of a log have the same bytes as far as both have them confirmed, and the same epochs. */
export async function compareCopies(clock: SimClock, leader: ReplicatedLog, follower: ReplicatedLog): Promise<void> {
  const start = Math.max(leader.startOffset, follower.startOffset);
  const end = Math.min(leader.confirmedOffset, follower.confirmedOffset);
  const within = (log: ReplicatedLog): readonly object[] =>
    log
      .epochs()
      .filter(({ startOffset }) => startOffset < end)
      .map(({ epoch, startOffset }) => ({ epoch, startOffset: Math.max(startOffset, start) }))
      .filter(({ startOffset }, index, all) => all[index + 1]?.startOffset !== startOffset);
  assert.deepEqual(within(follower), within(leader), 'copies have the same epochs');
  for (let position = start; position < end; ) {
    const one = await clock.settle(Promise.resolve(leader.readChunk(position, CHUNK_BYTES)));
    const other = await clock.settle(Promise.resolve(follower.readChunk(position, CHUNK_BYTES)));
    const sizeBytes = Math.min(one.bytes.length, other.bytes.length);
    assert.ok(sizeBytes > 0, `both copies have a record at ${position}`);
    const isSame = Buffer.compare(one.bytes.subarray(0, sizeBytes), other.bytes.subarray(0, sizeBytes)) === 0;
    assert.ok(isSame, `copies have the same bytes from ${position} on`);
    position = Math.min(one.endOffset, other.endOffset);
  }
}
