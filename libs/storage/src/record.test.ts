import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  ByteWindow,
  claimedLength,
  HEADER_BYTES,
  isIntact,
  RECORD_TYPES,
  recordLength,
  StoredRecord,
  writeBlank,
  writeRecord,
} from './record.ts';

const STAMP = { epoch: 3, storeTimestampMs: 0x018bcfe56800, shardTimeMs: 0x018bcfe56801, flushedOffset: 8 };

describe('record', () => {
  it('lies in the log byte by byte as the table says', () => {
    const window = new ByteWindow(Buffer.alloc(56, 0xee));
    writeRecord(window, 0, 2 ** 33 + 72, 8, [Buffer.from('hello'), Buffer.from(' you')], 9, STAMP);
    assert.equal(
      Buffer.from(window.bytes).toString('hex'),
      [
        'badc14c5', // CRC
        '38000000', // length 56
        '4800000002000000', // physical offset
        '03000000', // epoch
        '08', // type
        '01', // format
        '0700', // padding
        '0068e5cf8b01', // store timestamp
        '0168e5cf8b01', // shard time
        '08000040', // flush lag
        '68656c6c6f20796f75', // payload
        '00000000000000', // padding
      ].join(''),
    );
  });

  it('gives back what was written, wherever it lies', () => {
    const millis = fc.integer({ min: 0, max: 2 ** 48 - 1 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 50 }).map((n) => n * 8),
        fc.integer({ min: 1, max: 255 }),
        fc.array(fc.uint8Array({ maxLength: 50 })),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        millis,
        millis,
        (physicalOffset, type, parts, epoch, storeTimestampMs, shardTimeMs) => {
          const payload = Buffer.concat(parts);
          const length = recordLength(payload.length);
          const window = new ByteWindow(Buffer.alloc(length + 16, 0xff));
          const flushedOffset = Math.max(0, physicalOffset - 800);
          if (type === RECORD_TYPES.blank) return;
          writeRecord(window, 8, physicalOffset, type, parts, payload.length, {
            epoch,
            storeTimestampMs,
            shardTimeMs,
            flushedOffset,
          });
          assert.equal(claimedLength(window.view, 8, physicalOffset, length), length);
          assert.ok(isIntact(window, 8, length));
          const record = new StoredRecord(window, 8);
          assert.deepEqual(
            [record.physicalOffset, record.length, record.epoch, record.type, record.flushedOffset],
            [physicalOffset, length, epoch, type, flushedOffset],
          );
          assert.deepEqual([record.storeTimestampMs, record.shardTimeMs], [storeTimestampMs, shardTimeMs]);
          assert.deepEqual(Buffer.from(record.payload), payload);
        },
      ),
    );
  });

  it('is not taken for one at another offset, nor beyond the segment', () => {
    const window = new ByteWindow(Buffer.alloc(48));
    writeRecord(window, 0, 80, 8, [Buffer.from('12345678')], 8, STAMP);
    assert.equal(claimedLength(window.view, 0, 80, 48), 48);
    assert.equal(claimedLength(window.view, 0, 88, 48), 0);
    assert.equal(claimedLength(window.view, 0, 80 + 2 ** 32, 48), 0);
    assert.equal(claimedLength(window.view, 0, 80, 40), 0);
  });

  it('shows each turned bit', () => {
    const window = new ByteWindow(Buffer.alloc(64));
    writeRecord(window, 0, 80, 8, [Buffer.alloc(21, 5)], 21, STAMP);
    for (let bit = 0; bit < 64 * 8; bit++) {
      window.bytes[bit >> 3]! ^= 1 << (bit & 7);
      const length = claimedLength(window.view, 0, 80, 64);
      assert.ok(length === 0 || !isIntact(window, 0, length), `bit ${bit}`);
      window.bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  it('a lag that does not fit says nothing about what was fsynced', () => {
    const window = new ByteWindow(Buffer.alloc(40));
    writeRecord(window, 0, 2 ** 40, 8, [], 0, { ...STAMP, flushedOffset: 0 });
    assert.equal(new StoredRecord(window, 0).flushedOffset, 0);
  });

  it('a blank counts only with its header', () => {
    const window = new ByteWindow(Buffer.alloc(HEADER_BYTES));
    writeBlank(window, 0, 80, 4096, STAMP);
    assert.equal(claimedLength(window.view, 0, 80, 4096), 4096);
    assert.ok(isIntact(window, 0, HEADER_BYTES));
  });
});
