import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseProperties } from './properties.ts';

function pairs(text: string): string[][] {
  return parseProperties(text).map(({ key, value }) => [key, value]);
}

test('reads separators, comments and blank lines as Java does', () => {
  assert.deepEqual(pairs('a=1\n b : 2\r\n\tc\t3\n# x=1\n  ! y=2\n\nd\ne==f:g\n'), [
    ['a', '1'],
    ['b', '2'],
    ['c', '3'],
    ['d', ''],
    ['e', '=f:g'],
  ]);
});

test('joins continued lines and reads escapes', () => {
  assert.deepEqual(pairs('long=one,\\\n    two\nuni=\\u00e9\\t\\x\nk\\ e\\:y=v\npath=C:\\\\dir\\\\\nlast=x\\'), [
    ['long', 'one,two'],
    ['uni', 'é\tx'],
    ['k e:y', 'v'],
    ['path', 'C:\\dir\\'],
    ['last', 'x'],
  ]);
});

test('says on which line keys stand and which escape is wrong', () => {
  assert.deepEqual(
    parseProperties('\n#\na=1\\\n2\nb=3').map(({ line }) => line),
    [3, 5],
  );
  assert.throws(() => parseProperties('a=1\nb=\\u12zz'), /line 2: .*"12zz"/);
});

test('reads back what is escaped, whatever it is', () => {
  const escaped = (text: string): string =>
    [...text]
      .flatMap((char) => char.split(''))
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('');
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.string({ unit: 'binary' }), (key, value) => {
      assert.deepEqual(pairs(`${escaped(key)}=${escaped(value)}`), [[key, value]]);
    }),
  );
});

test('never fails but on a wrong \\u', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      parseProperties(text.replaceAll('u', ''));
    }),
  );
});
