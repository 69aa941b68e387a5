import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { WireError } from './wire-error.ts';
import { GROUP_DEPTH_MAX, WIRE_GROUP_START, WireReader } from './wire-reader.ts';
import { millisecondsSize, varintSize, writeMillisecondsField, writeVarint } from './wire-writer.ts';

function readAll(bytes: Uint8Array): number {
  const reader = new WireReader(bytes);
  let count = 0;
  while (reader.next()) {
    count++;
    assert.ok(reader.fieldStart < reader.valueStart && reader.valueStart <= reader.valueEnd);
    assert.ok(reader.valueEnd <= bytes.length);
  }
  assert.equal(reader.position, bytes.length);
  return count;
}

const refused = (bytes: readonly number[], what: RegExp): void => {
  assert.throws(
    () => readAll(Uint8Array.from(bytes)),
    (error: unknown) => error instanceof WireError && error.code === 'BAD_REQUEST' && what.test(error.message),
  );
};

test('reads what another writer wrote', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 29 - 1 }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      fc.uint8Array({ maxLength: 300 }),
      (fieldNumber, long, int, content) => {
        const bytes = new BinaryWriter()
          .tag(fieldNumber, 0)
          .int64(long)
          .tag(fieldNumber, 0)
          .int32(int)
          .tag(fieldNumber, 2)
          .bytes(content)
          .tag(fieldNumber, 1)
          .fixed64(7n)
          .tag(fieldNumber, 5)
          .fixed32(7)
          .finish();
        const reader = new WireReader(bytes);
        assert.ok(reader.next() && reader.isVarint(fieldNumber));
        assert.equal(reader.int64(), Number(long));
        assert.equal(reader.low >>> 0, Number(BigInt.asUintN(32, long)));
        assert.ok(reader.next() && reader.isVarint(fieldNumber));
        assert.equal(reader.int32(), int);
        assert.ok(reader.next() && reader.isBytes(fieldNumber));
        assert.deepEqual(Buffer.from(reader.value()), Buffer.from(content));
        assert.ok(reader.next() && reader.valueEnd - reader.valueStart === 8);
        assert.ok(reader.next() && reader.valueEnd - reader.valueStart === 4);
        assert.ok(!reader.next());
      },
    ),
  );
});

test('writes varints and milliseconds as another writer does', () => {
  const target = Buffer.alloc(40);
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const expected = new BinaryWriter().uint64(BigInt(value)).finish();
      assert.equal(writeVarint(target, 0, value), expected.length);
      assert.equal(varintSize(value), expected.length);
      assert.deepEqual(target.subarray(0, expected.length), Buffer.from(expected));

      const end = writeMillisecondsField(target, 0, 9, value);
      assert.equal(end, 2 + millisecondsSize(value));
      const reader = new WireReader(target, 2, end);
      let milliseconds = 0;
      while (reader.next()) milliseconds += reader.isVarint(1) ? reader.int64() * 1000 : reader.int32() / 1e6;
      assert.equal(milliseconds, value);
    }),
  );
});

test('skips unknown groups, but not too deep ones', () => {
  const nested = (depth: number): number[] => [...Array(depth).fill(0x0b), ...Array(depth).fill(0x0c)];
  assert.equal(readAll(Uint8Array.from([0x0b, 0x10, 0x96, 0x01, 0x1a, 1, 9, 0x25, 1, 2, 3, 4, 0x0c, 0x10, 1])), 2);
  assert.equal(readAll(Uint8Array.from([0x0b, 0x29, 1, 2, 3, 4, 5, 6, 7, 8, 0x0c])), 1);
  assert.equal(readAll(Uint8Array.from(nested(GROUP_DEPTH_MAX))), 1);
  const reader = new WireReader(Uint8Array.from([0x0b, 0x13, 0x14, 0x0c]));
  assert.ok(reader.next());
  assert.deepEqual([reader.fieldNumber, reader.wireType, reader.valueEnd], [1, WIRE_GROUP_START, 4]);
  refused(nested(GROUP_DEPTH_MAX + 1), /too deep/);
  refused(Array(100_000).fill(0x0b), /too deep/);
  refused([0x0b, 0x10, 1], /without an end/);
  refused([0x0b, 0x14], /another group/);
  refused([0x0b, 0x0f], /wire type 7/);
});

test('refuses malformed bytes', () => {
  refused([0x0c], /wire type 4/);
  refused([0x0e], /wire type 6/);
  refused([0x00], /field number 0/);
  refused([0x80, 0x00], /field number 0/);
  refused([0x80], /inside of a number/);
  refused([0x08], /inside of a number/);
  refused([0x08, 0x80, 0x80], /inside of a number/);
  refused([0x09, 1, 2, 3], /inside of a number/);
  refused([0x0d, 1, 2, 3], /inside of a number/);
  refused([0x08, ...Array(9).fill(0xff), 0x02], /more than 64 bits/);
  refused([0x08, ...Array(10).fill(0x80), 0x01], /more than 64 bits/);
  refused([0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01], /tag of more than 32 bits/);
  refused([0xff, 0xff, 0xff, 0xff, 0x1f, 0x01], /tag of more than 32 bits/);
  refused([0x0a, 0x05, 1, 2], /beyond the end/);
  refused([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], /beyond the end/);
  refused([0x0a, 0x80, 0x80, 0x80, 0x80, 0x10], /beyond the end/);
});

test('random bytes end with a count or a WireError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        readAll(bytes);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        assert.ok(error.position <= bytes.length);
      }
    }),
    { numRuns: 2000 },
  );
});
