/**
 * Random expressions against an evaluator that follows the rules word by word: trees are made first, printed with as few
 * or as many parentheses as it happens, and evaluated with exceptions for failures and null for what is unknown.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileSqlExpression } from './sql-expression.ts';

type Value = string | number | boolean | null;
type Properties = ReadonlyMap<string, string>;

/** A tree with its text; `level` says how strongly its outermost operator binds, 0 = OR … 4 = alone. */
interface Tree {
  readonly level: number;
  readonly text: string;
  evaluate(properties: Properties): Value;
}

class Failure extends Error {}

const OR = 0;
const AND = 1;
const EQUALITY = 2;
const COMPARISON = 3;
const PREFIX = 4;
const ALONE = 5;

/** The tree's text where at least `level` is wanted. */
function at(tree: Tree, level: number): string {
  return tree.level >= level ? tree.text : `(${tree.text})`;
}

function numeric(value: Value): number {
  if (typeof value === 'number') return value;
  const text = typeof value === 'string' ? value : 'not a number';
  if (text === '' || !Number.isFinite(Number(text))) throw new Failure();
  return Number(text);
}

function areEqual(left: Value, right: Value): boolean | null {
  if (left === null || right === null) return null;
  if (typeof left === 'string' && typeof right === 'string') return left === right;
  if (typeof left === 'number' && typeof right === 'boolean') return false;
  if (typeof left === 'boolean' && typeof right === 'number') return false;
  if (typeof left === 'boolean' || typeof right === 'boolean') {
    const asTruth = (value: Value): boolean =>
      typeof value === 'boolean' ? value : String(value).toUpperCase() === 'TRUE';
    return asTruth(left) === asTruth(right);
  }
  return numeric(left) === numeric(right);
}

function areOrdered(operator: string, left: Value, right: Value): boolean | null {
  if (left === null || right === null) return null;
  const difference = numeric(left) - numeric(right);
  if (operator === '<') return difference < 0;
  if (operator === '<=') return difference <= 0;
  if (operator === '>') return difference > 0;
  return difference >= 0;
}

function and(left: Value, right: () => Value): Value {
  if (left === false) return false;
  const other = right();
  if (other === false) return false;
  return left === null || other === null ? null : true;
}

function negated(value: Value): Value {
  return value === null ? null : !value;
}

/** De Morgan: an OR that knows nothing of the one above. */
function or(left: Value, right: () => Value): Value {
  return negated(and(negated(left), () => negated(right())));
}

const TEXTS = ['', 'x', 'xy', 'yx', '5', '5.0', '-3', '1e1', 'true', 'FALSE', "it's", '12345678'];
const name = fc.constantFrom('a', 'b', 'c', '__proto__');
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const property: fc.Arbitrary<Tree> = name.map((each) => ({
  level: ALONE,
  text: each,
  evaluate: (properties) => properties.get(each) ?? null,
}));
const text: fc.Arbitrary<Tree> = fc
  .constantFrom(...TEXTS)
  .map((each) => ({ level: ALONE, text: quoted(each), evaluate: () => each }));
const number: fc.Arbitrary<Tree> = fc
  .tuple(fc.constantFrom('0', '5', '5.0', '.5', '3', '10L', '1E1', '7.'), fc.constantFrom('', '-', '+', '- - '))
  .map(([digits, sign]) => ({
    level: sign === '' ? ALONE : PREFIX,
    text: sign + digits,
    evaluate: () => Number(digits.replace('L', '')) * (sign === '-' ? -1 : 1),
  }));
const truth: fc.Arbitrary<Tree> = fc
  .constantFrom(true, false)
  .map((each) => ({ level: ALONE, text: String(each), evaluate: () => each }));
const unknown: fc.Arbitrary<Tree> = fc.constant({ level: ALONE, text: 'NULL', evaluate: () => null });
const ordered = fc.oneof(property, number);

const order = fc.tuple(fc.constantFrom('<', '<=', '>', '>='), ordered, ordered).map(
  ([operator, left, right]): Tree => ({
    level: COMPARISON,
    text: `${at(left, PREFIX)} ${operator} ${at(right, PREFIX)}`,
    evaluate: (properties) => areOrdered(operator, left.evaluate(properties), right.evaluate(properties)),
  }),
);

const between = fc.tuple(ordered, property, property, fc.boolean()).map(
  ([value, low, high, isNot]): Tree => ({
    level: COMPARISON,
    text: `${at(value, PREFIX)} ${isNot ? 'NOT ' : ''}BETWEEN ${low.text} AND ${high.text}`,
    evaluate: (properties) => {
      const found = value.evaluate(properties);
      const inside = and(areOrdered('>=', found, low.evaluate(properties)), () =>
        areOrdered('<=', found, high.evaluate(properties)),
      );
      return isNot ? negated(inside) : inside;
    },
  }),
);

const inList = fc
  .tuple(property, fc.array(fc.constantFrom(...TEXTS), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(
    ([value, texts, isNot]): Tree => ({
      level: COMPARISON,
      text: `${value.text} ${isNot ? 'NOT ' : ''}IN (${texts.map(quoted).join(',')})`,
      evaluate: (properties) => {
        const found = value.evaluate(properties);
        return found === null ? null : texts.some((each) => each === found) !== isNot;
      },
    }),
  );

const search = fc
  .tuple(
    fc.oneof(property, text, number),
    fc.constantFrom('CONTAINS', 'STARTSWITH', 'ENDSWITH'),
    fc.constantFrom(...TEXTS),
    fc.boolean(),
  )
  .map(
    ([value, operator, part, isNot]): Tree => ({
      level: COMPARISON,
      text: `${at(value, PREFIX)} ${isNot ? 'not ' : ''}${operator} ${quoted(part)}`,
      evaluate: (properties) => {
        const found = value.evaluate(properties);
        if (typeof found !== 'string' || part === '') return false;
        const index = operator === 'ENDSWITH' ? found.lastIndexOf(part) : found.indexOf(part);
        const place = operator === 'STARTSWITH' ? 0 : operator === 'ENDSWITH' ? found.length - part.length : index;
        return (index >= 0 && index === place) !== isNot;
      },
    }),
  );

const { condition } = fc.letrec<{ condition: Tree; equality: Tree; comparable: Tree }>((tie) => ({
  comparable: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    property,
    text,
    number,
    tie('condition').filter((tree) => !isOneOf(tree, 'NULL')),
  ),
  equality: fc
    .tuple(fc.constantFrom('=', '<>'), tie('comparable'), tie('comparable'))
    .filter(([, left, right]) => !(isOneOf(left, 'true', 'false') && isLiteral(right)))
    .map(
      ([operator, left, right]): Tree => ({
        level: EQUALITY,
        text: `${at(left, EQUALITY)} ${operator} ${at(right, COMPARISON)}`,
        evaluate: (properties) => {
          const result = areEqual(left.evaluate(properties), right.evaluate(properties));
          return operator === '=' ? result : negated(result);
        },
      }),
    ),
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    truth,
    unknown,
    order,
    between,
    inList,
    search,
    tie('equality'),
    fc.tuple(tie('comparable'), fc.boolean()).map(
      ([value, isNot]): Tree => ({
        level: EQUALITY,
        text: `${at(value, EQUALITY)} IS ${isNot ? 'NOT ' : ''}NULL`,
        evaluate: (properties) => (value.evaluate(properties) === null) !== isNot,
      }),
    ),
    tie('condition').map(
      (tree): Tree => ({
        level: PREFIX,
        text: `NOT ${at(tree, PREFIX)}`,
        evaluate: (properties) => negated(tree.evaluate(properties)),
      }),
    ),
    fc.tuple(tie('condition'), tie('condition')).map(
      ([left, right]): Tree => ({
        level: AND,
        text: `${at(left, AND)} AND ${at(right, EQUALITY)}`,
        evaluate: (properties) => and(left.evaluate(properties), () => right.evaluate(properties)),
      }),
    ),
    fc.tuple(tie('condition'), tie('condition')).map(
      ([left, right]): Tree => ({
        level: OR,
        text: `${at(left, OR)} or ${at(right, AND)}`,
        evaluate: (properties) => or(left.evaluate(properties), () => right.evaluate(properties)),
      }),
    ),
    tie('condition').map(
      (tree): Tree => ({
        level: ALONE,
        text: `/* ' */(${tree.text}\n)`,
        evaluate: (properties) => tree.evaluate(properties),
      }),
    ),
  ),
}));

/** Whether the tree is one of these words, whatever stands around it. */
function isOneOf(tree: Tree, ...words: readonly string[]): boolean {
  return words.includes(tree.text.replaceAll("/* ' */", '').replaceAll(/[\s()]/g, ''));
}

function isLiteral(tree: Tree): boolean {
  return /^['.\d+]/.test(tree.text);
}

const properties: fc.Arbitrary<Properties> = fc
  .array(fc.tuple(name, fc.constantFrom(...TEXTS)), { maxLength: 4 })
  .map((pairs) => new Map(pairs));

test('expressions mean what the rules say', () => {
  let wantedCount = 0;
  fc.assert(
    fc.property(condition, fc.array(properties, { minLength: 4, maxLength: 8 }), (tree, messages) => {
      const expression = compileSqlExpression(tree.text);
      for (const message of messages) {
        const expected = isTrue(tree, message);
        if (expected) wantedCount++;
        assert.equal(
          expression.matches((each) => message.get(each)),
          expected,
          tree.text,
        );
      }
      assert.equal(compileSqlExpression(expression.canonical).canonical, expression.canonical);
    }),
    { numRuns: 5_000 },
  );
  assert.ok(wantedCount > 1_000, `only ${wantedCount} of the messages were wanted`);
});

function isTrue(tree: Tree, message: Properties): boolean {
  try {
    return tree.evaluate(message) === true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}
