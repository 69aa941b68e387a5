import { parseArgs } from 'node:util';
import { ClusterHistory } from './cluster/cluster-history.ts';
import { History } from './history.ts';
import { LiteHistory } from './lite-history.ts';
import { ReplicaHistory } from './replica-history.ts';
import { TimedHistory } from './timed-history.ts';
import { TransactionHistory } from './transaction-history.ts';
import { WholeHistory } from './whole/whole-history.ts';

/*
 * Runs simulated histories of a shard:
 *
 *   node --conditions=@orbitmq/source tests/sim/run.ts --whole --seed 17          one, with what happened
 *   node --conditions=@orbitmq/source tests/sim/run.ts --whole --seed 17 --trace 200 --about standard
 *   node --conditions=@orbitmq/source tests/sim/run.ts --whole --from 0 --count 10000
 *   node --conditions=@orbitmq/source tests/sim/run.ts --whole --from 0 --minutes 30
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    count: { type: 'string', default: '1000' },
    /** Goes on for so long, instead of a count. */
    minutes: { type: 'string' },
    /** Histories of everything at once. */
    whole: { type: 'boolean', default: false },
    /** Histories of a shard on several machines. */
    cluster: { type: 'boolean', default: false },
    /** Of a history of everything: how much of what happened is told when it fails; default 60. */
    trace: { type: 'string' },
    /** Words; only what has to do with one of them is told. */
    about: { type: 'string', multiple: true, default: [] },
    /** Histories of timed messages. */
    timed: { type: 'boolean', default: false },
    /** Histories of transactions. */
    transactions: { type: 'boolean', default: false },
    /** Histories of lite topics. */
    lite: { type: 'boolean', default: false },
    /** Histories of two copies of a log. */
    replica: { type: 'boolean', default: false },
    /** See mutate.ts. */
    mutant: { type: 'string' },
  },
});

interface RunnableHistory {
  run(): Promise<object>;
  /** What happened, for the one who looks for a bug. */
  trace?(countMax: number, words: readonly string[]): string;
}

const KINDS = ['whole', 'cluster', 'lite', 'transactions', 'timed', 'replica'] as const;
const kind = KINDS.find((each) => values[each]);

function historyOf(seed: number): RunnableHistory {
  if (kind === 'whole') return new WholeHistory(seed);
  if (kind === 'cluster') return new ClusterHistory(seed);
  if (kind === 'lite') return new LiteHistory(seed);
  if (kind === 'replica') return new ReplicaHistory(seed);
  if (kind === 'transactions') return new TransactionHistory(seed);
  return kind === 'timed' ? new TimedHistory(seed) : new History(seed);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const from = Number(values.seed ?? values.from);
const countMax = values.seed !== undefined ? 1 : values.minutes === undefined ? Number(values.count) : 2 ** 31;
const untilMs = performance.now() + Number(values.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
let count = 0;
for (; count < countMax && performance.now() < untilMs; count++) {
  const seed = from + count;
  const history = historyOf(seed);
  try {
    const summary = await history.run();
    if (values.seed !== undefined) say(JSON.stringify(summary));
    if (values.trace !== undefined) say(history.trace?.(Number(values.trace), values.about) ?? '');
  } catch (error) {
    say(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    say(history.trace?.(Number(values.trace ?? 60), values.about) ?? '');
    const which = kind === undefined ? '' : ` --${kind}`;
    say(`again: node --conditions=@orbitmq/source tests/sim/run.ts${which} --seed ${seed}`);
    process.exit(1);
  }
}
if (values.seed === undefined) say(`${count} histories from seed ${from}: all promises held`);
