import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  explanationOf,
  type KnownDifference,
  RECORDED_FILE,
  readKnownDifferences,
  readRecorded,
} from './differences.ts';
import { type Difference, differencesOf, type Outcomes } from './outcome.ts';
import { probes } from './probes/index.ts';
import { askOriginal, compareWith, hasFailed } from './run.ts';
import { type CompareTarget, startApache, startOurs } from './targets.ts';

const USAGE = `npm run compare -- [--ours | --record] [--only PREFIX] [--json FILE]

Asks OrbitMQ and Apache RocketMQ 5.5.0 the same, and lists where they differ. Fails when a difference is not in
tests/compare/testdata/differences.json, when one there has vanished, and when Apache RocketMQ is not as recorded.

--ours          only OrbitMQ, compared with what was recorded; needs neither Java nor Maven
--record        writes what was seen of Apache RocketMQ
--only PREFIX   only probes whose id begins so
--json FILE     writes the outcomes and the differences`;

const { values: options } = parseArgs({
  options: {
    ours: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

async function withTarget<Result>(
  starting: Promise<CompareTarget>,
  use: (target: CompareTarget) => Promise<Result>,
): Promise<Result> {
  const target = await starting;
  try {
    return await use(target);
  } finally {
    await target.stop();
  }
}

/** What the original does now, or did when it was recorded. */
async function theirOutcomes(recorded: Outcomes): Promise<Outcomes> {
  if (options.ours) return recorded;
  const expected = options.record ? undefined : recorded;
  const theirs = await withTarget(startApache(), (target) => askOriginal(target, chosen, expected));
  if (!options.record) return theirs;
  const failed = Object.entries(theirs).filter(([, outcome]) => hasFailed(outcome));
  if (failed.length > 0) throw new Error(`nothing was recorded, as probes failed: ${JSON.stringify(failed)}`);
  writeFileSync(RECORDED_FILE, `${JSON.stringify(sorted({ ...readRecorded(), ...theirs }), undefined, 1)}\n`);
  return theirs;
}

function only(outcomes: Outcomes, ids: readonly string[]): Outcomes {
  return Object.fromEntries(Object.entries(outcomes).filter(([id]) => ids.includes(id)));
}

function sorted(outcomes: Outcomes): Outcomes {
  return Object.fromEntries(Object.entries(outcomes).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function print(title: string, differences: readonly Difference[]): void {
  if (differences.length === 0) return;
  console.log(`\n${title}`);
  for (const { at, ours, theirs } of differences) {
    console.log(
      `  ${at}\n    OrbitMQ          ${JSON.stringify(ours)}\n    Apache RocketMQ  ${JSON.stringify(theirs)}`,
    );
  }
}

function printExplained(differences: readonly Difference[], known: readonly KnownDifference[]): void {
  for (const { id, subject, why } of known) {
    print(
      `${subject} (${id}): ${why}`,
      differences.filter((difference) => explanationOf(difference, known) === id),
    );
  }
}

const chosen = probes.filter(({ id }) => id.startsWith(options.only));
const ids = chosen.map(({ id }) => id);

async function main(): Promise<number> {
  const recorded = only(readRecorded(), ids);
  const theirs = await theirOutcomes(recorded);
  const known = readKnownDifferences();
  const comparison = await withTarget(startOurs('source'), (target) => compareWith(target, chosen, theirs, known));
  const { ours, found, unexplained, vanished } = comparison;
  printExplained(found, known);
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify({ ours, theirs, found }, undefined, 1));
  print('NOT EXPLAINED', unexplained);
  for (const at of vanished) console.log(`VANISHED ${at}`);
  const moved = options.record ? [] : differencesOf(recorded, theirs);
  for (const { at, ours: was, theirs: is } of moved) {
    console.log(`NOT AS RECORDED ${at}: ${JSON.stringify(was)} then, ${JSON.stringify(is)} now`);
  }
  const counts = [unexplained, vanished, moved].map(({ length }) => length);
  console.log(
    `\n${chosen.length} probes, ${found.length} differences: ${counts[0]} not explained, ${counts[1]} vanished, ${counts[2]} not as recorded`,
  );
  return unexplained.length + vanished.length + moved.length === 0 ? 0 : 1;
}

if (options.help) console.log(USAGE);
else process.exitCode = await main();
