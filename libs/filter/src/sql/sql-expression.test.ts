import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { javaStringHash, MqError } from '@orbitmq/base';
import { compileSqlExpression } from './sql-expression.ts';

type Properties = Readonly<Record<string, string>>;

function wants(text: string, properties: Properties = {}): boolean {
  const found = new Map(Object.entries(properties));
  return compileSqlExpression(text).matches((name) => found.get(name));
}

/** Rows: expression, properties, whether the message is wanted. */
function table(rows: readonly (readonly [string, Properties, boolean])[]): void {
  for (const [text, properties, expected] of rows) {
    assert.equal(wants(text, properties), expected, `${text} with ${JSON.stringify(properties)}`);
  }
}

describe('comparisons', () => {
  test('text is compared with text', () => {
    table([
      ["a = 'x'", { a: 'x' }, true],
      ["a = 'x'", { a: 'X' }, false],
      ["'x' = a", { a: 'x' }, true],
      ["a <> 'x'", { a: 'y' }, true],
      ["a <> 'x'", { a: 'x' }, false],
      ["a = 'it''s'", { a: "it's" }, true],
      ["a = ''", { a: '' }, true],
      ["a = '5'", { a: '5.0' }, false],
      ["a = 'größe 你好 😀'", { a: 'größe 你好 😀' }, true],
      ['a = b', { a: 'x', b: 'x' }, true],
      ['a = b', { a: '1', b: '1.0' }, false],
      ["'x' = 'x'", {}, true],
      ["a = 'two\nlines'", { a: 'two\nlines' }, true],
    ]);
  });

  test('text is read as a number where a number stands on the other side', () => {
    table([
      ['a = 5', { a: '5' }, true],
      ['a = 5', { a: '5.0' }, true],
      ['5 = a', { a: '+5' }, true],
      ['a = 5.0', { a: '5' }, true],
      ['a <> 5', { a: '6' }, true],
      ['a > 5', { a: '10' }, true],
      ['a > 5', { a: '5' }, false],
      ['a > 5', { a: '5.5' }, true],
      ['5 < a', { a: '10' }, true],
      ['a >= 5 AND a <= 5', { a: '5' }, true],
      ['a < -5', { a: '-6' }, true],
      ['a = - -5', { a: '5' }, true],
      ['a = +5', { a: '5' }, true],
      ['a = -.5E1', { a: '-5' }, true],
      ['a = 5.', { a: '5' }, true],
      ['a = 1e3', { a: '1000' }, true],
      ['a = 0.0', { a: '0' }, true],
      ['a = 0L', { a: '0' }, true],
      ['a > 3000000000', { a: '3000000001' }, true],
      ['a > 5', { a: '1700000000000' }, true],
      ['a = 9007199254740993', { a: '9007199254740992' }, false],
      ['a = 9007199254740993L', { a: '9007199254740993' }, true],
      ['a < 9223372036854775807', { a: '-9223372036854775808' }, true],
      ["5 = '5'", {}, true],
      ['5 > 4.5', {}, true],
    ]);
  });

  test('two properties are compared as numbers', () => {
    table([
      ['a < b', { a: '9', b: '10' }, true],
      ['a < b', { a: '0.5', b: '10' }, true],
      ['a < b', { a: 'x', b: '10' }, false],
      ['a < b', { a: 'a', b: 'b' }, false],
      ['a BETWEEN b AND c', { a: '5', b: '1', c: '9' }, true],
    ]);
  });

  test('what is no number fails the whole expression', () => {
    for (const a of ['', 'x', '5x', '1,5', '0x10', 'NaN', 'Infinity', '--5', '5 5', '.', 'e5', '1_000', '٥']) {
      table([
        ['a > 5', { a }, false],
        ['NOT (a > 5)', { a }, false],
        ['a <> 5', { a }, false],
        ['a NOT BETWEEN 1 AND 5', { a }, false],
        ["a > 5 OR b = 'x'", { a, b: 'x' }, false],
        ["b = 'x' OR a > 5", { a, b: 'x' }, true],
        ['(a > 5) IS NULL', { a }, false],
        ['(a > 5) IS NOT NULL', { a }, false],
      ]);
    }
  });

  test('TRUE and FALSE are compared with what a text says', () => {
    table([
      ['a = TRUE', { a: 'true' }, true],
      ['a = true', { a: 'TRUE' }, true],
      ['TRUE = a', { a: 'True' }, true],
      ['a = TRUE', { a: 'yes' }, false],
      ['a = FALSE', { a: 'false' }, true],
      ['a = FALSE', { a: 'yes' }, true],
      ['a <> TRUE', { a: 'false' }, true],
      ['(a = 5) = TRUE', { a: '5' }, true],
      ['a = 5 = 5', { a: '5' }, false],
      ['TRUE', {}, true],
      ['FALSE', {}, false],
      ['TRUE = TRUE', {}, true],
      ['5 = TRUE', {}, false],
    ]);
  });

  test('BETWEEN includes its bounds', () => {
    table([
      ['a BETWEEN 1 AND 5', { a: '1' }, true],
      ['a between 1 and 5', { a: '5' }, true],
      ['a BETWEEN 1 AND 5', { a: '5.1' }, false],
      ['a NOT BETWEEN 1 AND 5', { a: '5.1' }, true],
      ['a NOT BETWEEN 1 AND 5', { a: '3' }, false],
      ['a BETWEEN -5 AND -1', { a: '-3' }, true],
      ['a BETWEEN 5 AND 5', { a: '5' }, true],
      ['3 BETWEEN a AND b', { a: '1', b: '5' }, true],
      ['3 NOT BETWEEN a AND b', { a: '4', b: '1' }, true],
    ]);
  });

  test('IN knows texts', () => {
    table([
      ["a IN ('x', 'y')", { a: 'y' }, true],
      ["a in('x')", { a: 'y' }, false],
      ["a NOT IN ('x', 'y')", { a: 'z' }, true],
      ["a NOT IN ('x', 'y')", { a: 'x' }, false],
      ["(a) IN ('1', '2')", { a: '1' }, true],
      ["a IN ('1')", { a: '1.0' }, false],
      ["a IN ('__proto__', 'constructor')", { a: 'toString' }, false],
    ]);
  });

  test('parts of texts', () => {
    table([
      ["a CONTAINS 'b'", { a: 'abc' }, true],
      ["a contains 'x'", { a: 'abc' }, false],
      ["a NOT CONTAINS 'x'", { a: 'abc' }, true],
      ["a NOT CONTAINS 'b'", { a: 'abc' }, false],
      ["a STARTSWITH 'ab'", { a: 'abc' }, true],
      ["a STARTSWITH 'bc'", { a: 'abc' }, false],
      ["a NOT STARTSWITH 'bc'", { a: 'abc' }, true],
      ["a ENDSWITH 'bc'", { a: 'abc' }, true],
      ["a ENDSWITH 'ab'", { a: 'abc' }, false],
      ["a NOT ENDSWITH 'ab'", { a: 'abc' }, true],
      ["a CONTAINS '%'", { a: 'abc' }, false],
      ["a CONTAINS ''", { a: 'abc' }, false],
      ["a NOT CONTAINS ''", { a: 'abc' }, false],
      ["a NOT ENDSWITH ''", { a: 'abc' }, false],
      ["'abc' CONTAINS 'b'", {}, true],
      ["5 CONTAINS '5'", {}, false],
      ["5 NOT CONTAINS '5'", {}, false],
      ["(a = 'x') CONTAINS 'true'", { a: 'x' }, false],
    ]);
  });
});

describe('null', () => {
  test('what compares something missing is unknown, and unknown is not wanted', () => {
    const comparisons = [
      'a = 5',
      'a <> 5',
      '5 = a',
      '5 <> a',
      "a = 'x'",
      "a <> 'x'",
      'a = b',
      'a <> b',
      'a = c',
      'c <> a',
      'a = TRUE',
      'a > 5',
      'a < c',
      'a BETWEEN 1 AND 5',
      'a NOT BETWEEN 1 AND 5',
      "a IN ('x')",
      "a NOT IN ('x')",
      'a',
      'NULL',
      '-a = 5',
      '-c = 5',
    ];
    for (const text of comparisons) {
      table([
        [text, { c: '1' }, false],
        [`NOT (${text})`, { c: '1' }, false],
        [`(${text}) IS NULL`, { c: '1' }, true],
        [`(${text}) IS NOT NULL`, { c: '1' }, false],
      ]);
    }
  });

  test('parts of something missing are false, also when negated', () => {
    for (const operator of ['CONTAINS', 'STARTSWITH', 'ENDSWITH']) {
      table([
        [`a ${operator} 'x'`, {}, false],
        [`a NOT ${operator} 'x'`, {}, false],
        [`NOT (a ${operator} 'x')`, {}, true],
      ]);
    }
  });

  test('IS NULL asks whether there is such a property', () => {
    table([
      ['a IS NULL', {}, true],
      ['a is null', { a: '' }, false],
      ['a IS NOT NULL', { a: '' }, true],
      ['a IS NOT NULL', {}, false],
      ['NOT (a IS NULL)', { a: 'x' }, true],
      ['NULL IS NULL', {}, true],
      ['5 IS NULL', {}, false],
      ['a IS NULL IS NOT NULL', {}, true],
    ]);
  });

  test('AND, OR and NOT know three values', () => {
    const [T, F, U] = ['TRUE', 'FALSE', 'NULL'];
    const and = [
      [T, T, T],
      [T, F, F],
      [T, U, U],
      [F, F, F],
      [F, U, F],
      [U, U, U],
    ];
    const or = [
      [T, T, T],
      [T, F, T],
      [T, U, T],
      [F, F, F],
      [F, U, U],
      [U, U, U],
    ];
    for (const [operator, rows] of [
      ['AND', and],
      ['OR', or],
    ] as const) {
      for (const [left, right, result] of rows) {
        for (const text of [`(${left} ${operator} ${right})`, `(${right} ${operator} ${left})`]) {
          assert.equal(wants(text), result === T, text);
          assert.equal(wants(`NOT ${text}`), result === F, text);
          assert.equal(wants(`${text} IS NULL`), result === U, text);
        }
      }
    }
  });

  test('a property alone is no condition that comes true', () => {
    table([
      ['a', { a: 'true' }, false],
      ['NOT a', { a: 'true' }, true],
      ['NOT a', {}, false],
    ]);
  });
});

describe('grammar', () => {
  test('what binds stronger', () => {
    table([
      ['TRUE OR FALSE AND FALSE', {}, true],
      ['(TRUE OR FALSE) AND FALSE', {}, false],
      ['NOT FALSE AND FALSE', {}, false],
      ['NOT (FALSE AND FALSE)', {}, true],
      ["a = '1' AND b = '2' OR c = '3'", { c: '3' }, true],
      ['NOT a = 5', { a: 'x' }, false],
      ['TRUE = a > 3', { a: '4' }, true],
      ['a BETWEEN 1 AND 5 AND b > 3', { a: '2', b: '4' }, true],
      ['NOT NOT TRUE', {}, true],
    ]);
  });

  test('keywords come in any case, names in one', () => {
    table([
      ["a = 'x' aNd NoT (b iS nOt NuLl)", { a: 'x' }, true],
      ["A = 'x'", { a: 'x' }, false],
      ["_a$1 = 'x'", { _a$1: 'x' }, true],
      ["android = 'x' AND orange = 'y' AND isx = 'z'", { android: 'x', orange: 'y', isx: 'z' }, true],
    ]);
  });

  test('blanks and comments stand between words', () => {
    table([
      ["a='x'AND b='y'", { a: 'x', b: 'y' }, true],
      ["a\t=\r\n\f'x'", { a: 'x' }, true],
      ["a = 'x' -- to the end", { a: 'x' }, true],
      ["a -- what\n = 'x'", { a: 'x' }, true],
      ["a -- what\r = 'x'", { a: 'x' }, true],
      ["/* a = 'y' **/ a /**/ = 'x'", { a: 'x' }, true],
      ["a = '-- no /* comment */'", { a: '-- no /* comment */' }, true],
      ['a > 5AND b = 1', { a: '6', b: '1' }, true],
    ]);
  });

  test('the example of RocketMQ', () => {
    const text = "(TAGS is not null and TAGS in ('TagA', 'TagB')) and (a is not null and a between 0 and 3)";
    table([
      [text, { TAGS: 'TagA', a: '2' }, true],
      [text, { TAGS: 'TagC', a: '2' }, false],
      [text, { TAGS: 'TagB', a: '4' }, false],
      [text, { TAGS: 'TagB' }, false],
    ]);
  });

  test('names of JavaScript objects are names like others', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      table([
        [`${name} IS NULL`, {}, true],
        [`${name} = 'x'`, JSON.parse(`{"${name}":"x"}`), true],
      ]);
    }
  });

  test('names are told once', () => {
    assert.deepEqual(compileSqlExpression("b > 1 AND a = 'x' OR b < 5 AND TRUE").propertyNames, ['b', 'a']);
  });
});

describe('what is no expression', () => {
  const rows: readonly (readonly [string, number, RegExp])[] = [
    ['', 1, /wanted a property, a value.* found the end/],
    ['  ', 3, /found the end/],
    ['-- nothing', 11, /found the end/],
    ['*', 1, /"\*".*tag expression/],
    ["a = 'x", 5, /end it with '/],
    ["a = 'x' /* y", 9, /end it with \*\//],
    ['a', 0, /./],
    ['5', 1, /wanted a condition, found "5"/],
    ["'x'", 1, /wanted a condition/],
    ['-a', 1, /wanted a condition/],
    ["a = 'x' AND 5", 13, /wanted a condition, found "5"/],
    ['a =', 4, /found the end/],
    ['a == 5', 4, /found "="/],
    ['a != 5', 3, /write <>/],
    ["a LIKE 'x%'", 3, /no LIKE.*CONTAINS/],
    ['a + 1 > 5', 3, /no arithmetic/],
    ['a-b > 5', 2, /names of properties/],
    ['a.b = 5', 2, /names of properties/],
    ['a = "x"', 5, /single quotes/],
    ["a = 'x' || b = 'y'", 9, /write OR/],
    ["a = 'x' && b = 'y'", 9, /write AND/],
    ["a = 'x' b = 'y'", 9, /found "b"; write AND or OR/],
    ["(a = 'x'", 9, /wanted \).*end of the expression/],
    ["a = 'x')", 8, /open a parenthesis/],
    ['()', 2, /found "\)"/],
    ['a IS 5', 6, /wanted NULL/],
    ['a IS NOT', 9, /wanted NULL/],
    ['a = NULL', 5, /IS NULL/],
    ['NULL <> a', 1, /IS NULL/],
    ['TRUE = 5', 8, /TRUE and FALSE/],
    ["a > 'x'", 5, /numbers only/],
    ['a > NULL', 5, /numbers only/],
    ['a <= TRUE', 6, /numbers only/],
    ['NOT a > 5', 1, /NOT \(a > 5\)/],
    ['1 < a < 5', 1, /numbers only/],
    ["a BETWEEN 'a' AND 'b'", 11, /numbers only/],
    ['a BETWEEN 5 AND 1', 17, /not below the first, found "1"/],
    ['a BETWEEN 5, 1', 12, /wanted AND/],
    ['a BETWEEN 1', 12, /wanted AND/],
    ["5 IN ('x')", 1, /a property before IN/],
    ['a IN (1, 2)', 7, /a text in single quotes, found "1"/],
    ['a IN ()', 7, /a text in single quotes/],
    ["a IN ('x' 'y')", 11, /wanted \)/],
    ["a IN 'x'", 6, /wanted \(/],
    ['a CONTAINS b', 12, /a text in single quotes/],
    ['a NOT b', 3, /an operator/],
    ['a = 007', 5, /without leading zeros/],
    ['a = 9223372036854775808', 5, /64 bits/],
    ['a = 1e999', 5, /a decimal of at most/],
    ['a AND BETWEEN 2 AND 10', 7, /BETWEEN is a keyword/],
    ['and = 5', 1, /AND is a keyword/],
    ['größe = 5', 3, /found "ö"/],
    ['a = 😀', 5, /found "😀"/],
    ['a = #', 5, /found "#"/],
    ['a = 5;', 6, /found ";"/],
    ['a = \u0000', 5, /u0000/],
  ];
  for (const [text, character, message] of rows) {
    if (character === 0) continue;
    test(JSON.stringify(text), () => {
      assert.throws(
        () => compileSqlExpression(text),
        (error) => {
          assert.ok(error instanceof MqError);
          assert.equal(error.code, 'ILLEGAL_FILTER_EXPRESSION');
          assert.match(error.message, message);
          assert.match(error.message, new RegExp(`^SQL expression, character ${character}: wanted .+, found .+; .+`));
          return true;
        },
      );
    });
  }
});

describe('the quick look at tags', () => {
  const mayMatch = (text: string, tag: string): boolean =>
    compileSqlExpression(text).mayMatch(tag === '' ? 0 : javaStringHash(tag));

  test('tags that an expression can do without', () => {
    for (const text of [
      "TAGS = 'x'",
      "'x' = TAGS",
      "TAGS IN ('x', 'y')",
      "a > 5 AND TAGS = 'x'",
      "(TAGS = 'x' AND a > 5) OR TAGS = 'y'",
    ]) {
      assert.equal(mayMatch(text, 'x'), true, text);
      assert.equal(mayMatch(text, 'z'), false, text);
      assert.equal(mayMatch(text, ''), false, text);
    }
  });

  test('tags that may be any', () => {
    for (const text of [
      "TAGS <> 'x'",
      "NOT (TAGS = 'x')",
      "TAGS NOT IN ('x')",
      "TAGS = 'x' OR a > 5",
      "TAGS STARTSWITH 'x'",
      'TAGS = 5',
      'a > 5',
      "tags = 'x'",
    ]) {
      assert.equal(mayMatch(text, 'z'), true, text);
    }
  });
});

test('expressions that say the same have one canonical text', () => {
  const { canonical } = compileSqlExpression("a = 'it''s' AND b IN ('x', 'y') OR c > 5");
  assert.equal(canonical, "a = 'it''s' AND b IN ( 'x' , 'y' ) OR c > 5");
  for (const text of [
    "a='it''s'and b in('x','y')or c>5L",
    " a\n= 'it''s' /* and */ And b iN ('x' ,'y') -- so\n oR c > 5 ",
    canonical,
  ]) {
    assert.equal(compileSqlExpression(text).canonical, canonical);
  }
  for (const text of ["A = 'it''s' AND b IN ('x', 'y') OR c > 5", "a = 'it''S' AND b IN ('x', 'y') OR c > 5"]) {
    assert.notEqual(compileSqlExpression(text).canonical, canonical);
  }
});
