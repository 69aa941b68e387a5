import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MqError } from '@orbitmq/base';
import fc from 'fast-check';
import { SQL_CONTAINS_MAX, SQL_DEPTH_MAX, SQL_LENGTH_MAX, SQL_TERMS_MAX } from './limits.ts';
import { compileSqlExpression } from './sql-expression.ts';

const MIB = 1024 * 1024;
/** CPU that a refusal may take, milliseconds. */
const REFUSAL_MS_MAX = 50;

function isRefused(text: string): void {
  assert.throws(
    () => compileSqlExpression(text),
    (error) => {
      assert.ok(error instanceof MqError, String(error));
      assert.equal(error.code, 'ILLEGAL_FILTER_EXPRESSION');
      assert.ok(error.message.length < 500);
      return true;
    },
  );
}

/** CPU that one run takes at its best: what else goes on on the machine counts little then. Milliseconds. */
function cpuMsOf(run: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let count = 0; count < 10; count++) {
    const before = process.threadCpuUsage();
    run();
    const { user, system } = process.threadCpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

const hugeExpressions: Readonly<Record<string, string>> = {
  'a long text': `a = '${'x'.repeat(MIB)}'`,
  'a long name': 'a'.repeat(MIB),
  'a long number': `a = ${'9'.repeat(MIB)}`,
  'a long comment': `/*${'*'.repeat(MIB)}`,
  'many blanks': ' '.repeat(MIB),
  'many conditions': Array.from({ length: MIB / 12 }, () => 'a = 5').join(' AND '),
  'a long list': `a IN (${Array.from({ length: MIB / 8 }, () => "'xx'").join(', ')})`,
};

for (const [what, text] of Object.entries(hugeExpressions)) {
  test(`${what} of a megabyte is refused at once`, () => {
    const cpuMs = cpuMsOf(() => isRefused(text));
    assert.ok(cpuMs <= REFUSAL_MS_MAX, `${cpuMs} ms`);
  });
}

const deepExpressions: Readonly<Record<string, (depth: number) => string>> = {
  parentheses: (depth) => `${'('.repeat(depth)}TRUE${')'.repeat(depth)}`,
  negations: (depth) => `${'NOT '.repeat(depth)}TRUE`,
  'signs before numbers': (depth) => `a = ${'+'.repeat(depth)}5`,
  'minus signs': (depth) => `a = ${'- '.repeat(depth)}5`,
  comparisons: (depth) => `a${' = a'.repeat(depth)}`,
  'questions for null': (depth) => `a${' IS NULL'.repeat(depth)}`,
  searches: (depth) => `a${" STARTSWITH 'x'".repeat(depth)}`,
  'changes of AND and OR': (depth) => `${'(a OR b AND '.repeat(depth)}c${')'.repeat(depth)}`,
};

for (const [what, make] of Object.entries(deepExpressions)) {
  test(`${what} are nested to a limit`, () => {
    compileSqlExpression(make(SQL_DEPTH_MAX / 2 - 1)).matches(() => '1');
    for (const depth of [SQL_DEPTH_MAX + 1, 1000, 10_000]) {
      const cpuMs = cpuMsOf(() => isRefused(make(depth)));
      assert.ok(cpuMs <= REFUSAL_MS_MAX, `${cpuMs} ms`);
    }
  });
}

test('as many terms as are allowed make a filter', () => {
  const conditions = (count: number): string => Array.from({ length: count }, () => 'a=5').join(' OR ');
  assert.equal(
    compileSqlExpression(conditions(SQL_TERMS_MAX / 2)).matches(() => '6'),
    false,
  );
  isRefused(conditions(SQL_TERMS_MAX / 2 + 1));
  const list = (count: number): string => `a IN (${Array.from({ length: count }, (_, index) => `'${index}'`)})`;
  assert.equal(
    compileSqlExpression(list(SQL_TERMS_MAX - 1)).matches(() => '77'),
    true,
  );
  isRefused(list(SQL_TERMS_MAX));
  const searches = (count: number): string => Array.from({ length: count }, () => "a CONTAINS 'x'").join(' OR ');
  compileSqlExpression(searches(SQL_CONTAINS_MAX));
  isRefused(searches(SQL_CONTAINS_MAX + 1));
  const longest = `a = '${'x'.repeat(SQL_LENGTH_MAX - 6)}'`;
  assert.equal(longest.length, SQL_LENGTH_MAX);
  compileSqlExpression(longest);
  isRefused(`${longest} `);
});

test('texts made against a search take no more time than others', () => {
  const value = 'a'.repeat(16 * 1024);
  const wanted = `b${'a'.repeat(SQL_LENGTH_MAX / 2 - 20)}`;
  const text = `a CONTAINS '${wanted}' OR a CONTAINS '${wanted.slice(1)}b'`;
  const expression = compileSqlExpression(text.slice(0, SQL_LENGTH_MAX));
  assert.equal(
    expression.matches(() => value),
    false,
  );
  assert.ok(cpuMsOf(() => expression.matches(() => value)) < 10);
});

test('the heaviest filter takes little for one message', () => {
  const wanted = `${'a'.repeat(200)}b`;
  const searches = Array.from({ length: SQL_CONTAINS_MAX }, () => `a CONTAINS '${wanted}'`).join(' OR ');
  const numbers = Array.from({ length: 300 }, () => 'a=5').join(' OR ');
  const [search, number] = [compileSqlExpression(searches), compileSqlExpression(numbers)];
  const property = 'a'.repeat(16 * 1024);
  const digits = `${'1'.repeat(1023)}x`;
  search.matches(() => property);
  number.matches(() => digits);
  const cpuMs = cpuMsOf(() => {
    search.matches(() => property);
    number.matches(() => digits);
  });
  assert.ok(cpuMs < 50, `${cpuMs} ms`);
});

test('any text is an expression or is refused, and nothing else happens', () => {
  const word = fc.constantFrom(
    ...['a', 'b', "'x'", "''", "'", '5', '5.', '.5', '1e5', '1e', '007', '5L', 'NOT', 'AND', 'OR', 'BETWEEN', 'IN'],
    ...['TRUE', 'FALSE', 'NULL', 'IS', 'CONTAINS', 'STARTSWITH', 'ENDSWITH', 'LIKE', '(', ')', ',', '+', '-', '--'],
    ...['/*', '*/', '=', '<>', '<', '<=', '>', '>=', '\n', ' ', '__proto__', '"', '\\', '\u0000', '\ud800', '😀'],
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.array(word, { maxLength: 20 }).map((words) => words.join(' ')),
    fc.array(word, { maxLength: 20 }).map((words) => words.join('')),
  );
  fc.assert(
    fc.property(texts, fc.option(fc.string(), { nil: undefined }), (text, value) => {
      let expression: ReturnType<typeof compileSqlExpression>;
      try {
        expression = compileSqlExpression(text);
      } catch (error) {
        assert.ok(error instanceof MqError);
        assert.equal(error.code, 'ILLEGAL_FILTER_EXPRESSION');
        return;
      }
      assert.equal(typeof expression.matches(() => value), 'boolean');
      assert.equal(compileSqlExpression(expression.canonical).canonical, expression.canonical);
    }),
    { numRuns: 5_000 },
  );
});
