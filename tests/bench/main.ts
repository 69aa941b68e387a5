import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname } from 'node:path';
import { machineFacts } from './measure.ts';
import { parseOptions } from './options.ts';
import { Results, type Scenario } from './scenario.ts';
import { batches } from './scenarios/batches.ts';
import { connections } from './scenarios/connections.ts';
import { drain } from './scenarios/drain.ts';
import { engine } from './scenarios/engine.ts';
import { filters } from './scenarios/filters.ts';
import { flame } from './scenarios/flame.ts';
import { groups } from './scenarios/groups.ts';
import { paths } from './scenarios/paths.ts';
import { relay } from './scenarios/relay.ts';
import { replication } from './scenarios/replication.ts';
import { steady } from './scenarios/steady.ts';
import { timers } from './scenarios/timers.ts';
import { topics } from './scenarios/topics.ts';
import { transactions } from './scenarios/transactions.ts';
import { targetMissing } from './targets.ts';

/** The first one is run when none is named. */
const SCENARIOS: readonly Scenario[] = [
  paths,
  batches,
  steady,
  timers,
  transactions,
  filters,
  groups,
  drain,
  topics,
  replication,
  relay,
  connections,
  engine,
  flame,
];

const wanted = parseOptions(process.argv.slice(2), SCENARIOS);
const results = new Results();
const skipped: string[] = [];
for (const name of wanted.targets) {
  const missing = await targetMissing(name);
  if (missing !== undefined) skipped.push(`${name}: ${missing}`);
}
const options = {
  ...wanted,
  targets: wanted.targets.filter((name) => !skipped.some((line) => line.startsWith(`${name}:`))),
};
const loadAverages: Record<string, number[]> = {};
for (const name of options.scenarios) {
  loadAverages[name] = loadavg();
  results.print(`# ${name}; load average before: ${loadAverages[name].map((load) => load.toFixed(1)).join(' ')}`);
  await SCENARIOS.find((scenario) => scenario.name === name)!.run({ options, results });
}
for (const line of skipped) results.print(`skipped ${line}`);
if (options.resultFile !== undefined) {
  const { rows, measurements } = results;
  const content = { machine: machineFacts(), loadAverages, options, skipped, rows, measurements };
  mkdirSync(dirname(options.resultFile), { recursive: true });
  writeFileSync(options.resultFile, `${JSON.stringify(content, null, 2)}\n`);
}
