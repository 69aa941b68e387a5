import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareNumbers, integerOf, numberOf } from './numbers.ts';

test('texts that are numbers', () => {
  const rows: readonly (readonly [string, number | bigint])[] = [
    ['0', 0],
    ['-0', -0],
    ['007', 7],
    ['+7', 7],
    ['123456789012345', 123_456_789_012_345],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['-9223372036854775808', -(2n ** 63n)],
    ['9223372036854775808', 2 ** 63],
    ['000000000000000000000000012', 12],
    ['1.5', 1.5],
    ['-.5', -0.5],
    ['5.', 5],
    ['1e3', 1000],
    ['1E-3', 0.001],
    ['2.5f', 2.5],
    ['2d', 2],
    ['\t 5 ', 5],
  ];
  for (const [text, expected] of rows) assert.deepEqual(numberOf(text), expected, text);
});

test('texts that are none', () => {
  for (const text of ['', ' ', '-', '+', '.', '5x', '5-', '1e', '0x10', '1_0', 'NaN', 'Infinity', '5dd', '5,0', '五']) {
    assert.equal(numberOf(text), undefined, text);
  }
  assert.equal(numberOf('1'.repeat(1025)), undefined);
});

test('integers of 64 bits stay exact', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -2n, max: 2n }), (one, by) => {
      const found = numberOf(String(one));
      assert.equal(BigInt(found!), one);
      const other = BigInt.asIntN(64, one + by);
      const expected = one < other ? -1 : one > other ? 1 : 0;
      assert.equal(compareNumbers(found!, numberOf(String(other))!), expected);
    }),
  );
  assert.equal(integerOf('9223372036854775808'), undefined);
  assert.equal(integerOf('99999999999999999999999'), undefined);
});

test('doubles are read as JavaScript writes them', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.equal(Number(numberOf(String(value))), value === 0 ? numberOf(String(value)) : value);
    }),
  );
});
