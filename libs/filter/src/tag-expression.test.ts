import assert from 'node:assert/strict';
import { test } from 'node:test';
import { javaStringHash, MqError } from '@orbitmq/base';
import fc from 'fast-check';
import { compileTagExpression, TAG_COUNT_MAX, TAG_EXPRESSION_LENGTH_MAX } from './tag-expression.ts';

const hashOf = (tag: string | undefined): number => (tag === undefined ? 0 : javaStringHash(tag));
const wants = (text: string, tag: string | undefined): boolean => {
  const expression = compileTagExpression(text);
  const exact = expression.matchesTag(tag);
  if (exact) assert.ok(expression.mayMatch(hashOf(tag)), `${text} has to let the hash of ${tag} pass`);
  return exact;
};

test('all messages are wanted by * and by nothing', () => {
  for (const text of ['*', '', ' ', ' * ', '\n*\n']) {
    assert.equal(compileTagExpression(text).acceptsAll, true, text);
    for (const tag of [undefined, '', 'a', '*']) assert.equal(wants(text, tag), true);
  }
});

test('tags are alternatives', () => {
  for (const text of ['a||b', ' a || b ', '||a||||b||', 'b||a||a', 'a||  ||b']) {
    assert.equal(compileTagExpression(text).acceptsAll, false);
    assert.deepEqual(
      ['a', 'b', 'A', 'ab', 'a||b', '', undefined].map((tag) => wants(text, tag)),
      [true, true, false, false, false, false, false],
      text,
    );
  }
  assert.equal(wants('größe', 'größe'), true);
  assert.equal(wants('a b', 'a b'), true);
  assert.equal(wants('a|b', 'a'), false);
  assert.equal(wants('a||*', 'b'), false);
});

test('expressions that want the same have one canonical text', () => {
  for (const text of ['a||b', ' b || a ', '||b||a||b||']) assert.equal(compileTagExpression(text).canonical, 'a || b');
  for (const text of ['*', '', ' * ']) assert.equal(compileTagExpression(text).canonical, '*');
  assert.notEqual(compileTagExpression('a').canonical, compileTagExpression('A').canonical);
});

test('two tags of one hash are told apart by the exact answer', () => {
  assert.equal(javaStringHash('Aa'), javaStringHash('BB'));
  const expression = compileTagExpression('Aa');
  assert.equal(expression.mayMatch(hashOf('BB')), true);
  assert.equal(expression.matchesTag('BB'), false);
});

test('names of JavaScript objects are tags like others', () => {
  for (const tag of ['__proto__', 'constructor', 'toString']) {
    assert.equal(wants('a', tag), false);
    assert.equal(wants(tag, tag), true);
    assert.equal(wants(tag, 'a'), false);
  }
});

test('what is no expression is refused', () => {
  const tooMany = Array.from({ length: TAG_COUNT_MAX + 1 }, (_, index) => `t${index}`).join('||');
  for (const text of ['||', ' || || ', 'a\u0000b', 'a||\u0085', 'x'.repeat(TAG_EXPRESSION_LENGTH_MAX + 1), tooMany]) {
    assert.throws(
      () => compileTagExpression(text),
      (error: unknown) =>
        error instanceof MqError && error.code === 'ILLEGAL_FILTER_EXPRESSION' && error.message.length < 1000,
    );
  }
  compileTagExpression('x'.repeat(TAG_EXPRESSION_LENGTH_MAX));
  compileTagExpression(Array.from({ length: TAG_COUNT_MAX }, (_, index) => `t${index}`).join('||'));
});

test('any list of tags wants its tags and no others', () => {
  const tag = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
    .filter((text) => text.trim() === text && !text.includes('|') && text !== '*');
  fc.assert(
    fc.property(fc.array(tag, { minLength: 1, maxLength: 8 }), tag, (tags, other) => {
      const text = tags.join(' || ');
      for (const each of tags) assert.equal(wants(text, each), true);
      assert.equal(wants(text, other), tags.includes(other));
      assert.equal(wants(text, undefined), false);
    }),
  );
});

/** What the rules say, word by word; undefined = refused. */
function expectedToWant(text: string, tag: string | undefined): boolean | undefined {
  const whole = text.trim();
  if (whole === '' || whole === '*') return true;
  let [isAny, isWanted] = [false, false];
  for (let rest = whole; ; ) {
    const end = rest.indexOf('||');
    const part = (end < 0 ? rest : rest.slice(0, end)).trim();
    if (part !== '') isAny = true;
    if (part !== '' && part === tag) isWanted = true;
    if (end < 0) return isAny ? isWanted : undefined;
    rest = rest.slice(end + 2);
  }
}

test('any text means what the rules say', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '|', '|', ' ', '*', 'ü'), maxLength: 12 });
  const tag = fc.option(fc.string({ unit: fc.constantFrom('a', 'b', '|', '*', 'ü'), minLength: 1, maxLength: 3 }), {
    nil: undefined,
  });
  fc.assert(
    fc.property(text, tag, (expression, each) => {
      const expected = expectedToWant(expression, each);
      if (expected !== undefined) assert.equal(wants(expression, each), expected);
      else assert.throws(() => compileTagExpression(expression), { code: 'ILLEGAL_FILTER_EXPRESSION' });
    }),
    { numRuns: 2_000 },
  );
});
