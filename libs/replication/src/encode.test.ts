import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LeaderMessage } from '@orbitmq/protocol/orbitmq.replication.v1';
import { encodeLeaderMessage } from './encode.ts';

const HEAD = {
  ...{ sequence: 7n, epoch: 3n, confirmedOffset: 1n << 40n },
  ...{ welcome: undefined, refusal: undefined, records: undefined, heartbeat: undefined },
};

describe('messages of a leader', () => {
  it('say the same as in the generated encoding, whatever the size of their records', () => {
    for (const length of [0, 1, 100, 127, 128, 16_383, 16_384, 600_000, 3_000_000]) {
      const records = {
        startOffset: 4096n,
        endOffset: 4096n + BigInt(length),
        records: Buffer.alloc(length, 'record'),
      };
      const message: LeaderMessage = { ...HEAD, records };
      const decoded = LeaderMessage.decode(new Uint8Array(encodeLeaderMessage(message)));
      assert.deepEqual(decoded, LeaderMessage.decode(LeaderMessage.encode(message).finish()), `${length} bytes`);
      assert.equal(Buffer.compare(decoded.records!.records, records.records), 0);
    }
  });

  it('are written before records where there is room, so that these stay where they are', () => {
    for (const [headroomBytes, isMoved] of [
      [128, false],
      [3, true],
    ] as const) {
      const memory = Buffer.alloc(headroomBytes + 100_000, 'record');
      const records = {
        ...{ startOffset: 4096n, endOffset: 104_096n },
        ...{ records: memory.subarray(headroomBytes), headroomBytes },
      };
      const encoded = encodeLeaderMessage({ ...HEAD, records });
      const decoded = LeaderMessage.decode(new Uint8Array(encoded));
      assert.equal(encoded.buffer === memory.buffer, !isMoved);
      assert.equal(
        Buffer.compare(
          decoded.records!.records,
          Buffer.alloc(headroomBytes + 100_000, 'record').subarray(headroomBytes),
        ),
        0,
      );
      assert.equal(decoded.records!.endOffset, 104_096n);
      assert.equal(decoded.confirmedOffset, HEAD.confirmedOffset);
    }
  });

  it('change nothing before records that no room was left for', () => {
    const memory = Buffer.alloc(1000, 'others');
    const records = { startOffset: 0n, endOffset: 800n, records: memory.subarray(200) };
    const encoded = encodeLeaderMessage({ ...HEAD, records });
    assert.ok(encoded.buffer !== memory.buffer);
    assert.deepEqual(memory, Buffer.alloc(1000, 'others'));
  });

  it('may hold no records', () => {
    const message: LeaderMessage = { ...HEAD, heartbeat: { startOffset: 0n, endOffset: 8n, inSync: [0, 1] } };
    assert.deepEqual(
      LeaderMessage.decode(new Uint8Array(encodeLeaderMessage(message))),
      LeaderMessage.decode(LeaderMessage.encode(message).finish()),
    );
  });
});
