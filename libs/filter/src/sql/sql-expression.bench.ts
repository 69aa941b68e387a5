/**
 * Time of SQL expressions: for one message with its properties at hand, and for reading the expression.
 *
 *   node --conditions=@orbitmq/source libs/filter/src/sql/sql-expression.bench.ts
 */
import { compileSqlExpression } from './sql-expression.ts';

const ROUNDS = 5;
const RUNS = 200_000;

function bench(name: string, runs: number, body: () => unknown): void {
  let nanoseconds = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let run = 0; run < runs; run++) body();
    nanoseconds = Math.min(nanoseconds, Number(process.hrtime.bigint() - start) / runs);
  }
  process.stdout.write(`${JSON.stringify({ name, nanoseconds: Math.round(nanoseconds) })}\n`);
}

const properties = new Map([
  ['region', 'eu-west-1'],
  ['price', '129.90'],
  ['count', '7'],
  ['TAGS', 'TagB'],
  ['note', 'a text of some length in which something is to be found, at its end'],
]);
const lookup = (name: string): string | undefined => properties.get(name);
const expressions = [
  "region = 'eu-west-1'",
  'count > 5',
  'price BETWEEN 100 AND 200',
  "region IN ('eu-west-1', 'eu-west-2', 'us-east-1')",
  "note CONTAINS 'end'",
  "(TAGS IS NOT NULL AND TAGS IN ('TagA', 'TagB')) AND (count IS NOT NULL AND count BETWEEN 0 AND 9)",
  Array.from({ length: 100 }, (_, index) => `count = ${index + 100}`).join(' OR '),
];
for (const text of expressions) {
  const expression = compileSqlExpression(text);
  const shown = text.length > 56 ? `${text.slice(0, 56)}…` : text;
  bench(`matches: ${shown}`, RUNS, () => expression.matches(lookup));
}
for (const text of expressions) {
  const shown = text.length > 56 ? `${text.slice(0, 56)}…` : text;
  bench(`compile: ${shown}`, RUNS / 100, () => compileSqlExpression(text));
}
