import { parseArgs } from 'node:util';
import { History } from './history.ts';
import { LiteHistory } from './lite-history.ts';
import { OffsetHistory } from './offset-history.ts';
import { OrderedHistory } from './ordered-history.ts';
import { TimedHistory } from './timed-history.ts';
import { TransactionHistory } from './transaction-history.ts';

/*
 * Runs simulated histories of a shard:
 *
 *   node --conditions=@orbitmq/source tests/sim/run.ts --seed 17          one, with what happened
 *   node --conditions=@orbitmq/source tests/sim/run.ts --from 0 --count 10000
 *   node --conditions=@orbitmq/source tests/sim/run.ts --timed --from 0 --count 1000
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    count: { type: 'string', default: '1000' },
    /** Histories of timed messages. */
    timed: { type: 'boolean', default: false },
    /** Histories of transactions. */
    transactions: { type: 'boolean', default: false },
    /** Histories of ordered groups: dead letters, numbers of queues that change. */
    ordered: { type: 'boolean', default: false },
    /** Histories of offsets that are set and messages that are sent again. */
    offsets: { type: 'boolean', default: false },
    /** Histories of lite topics. */
    lite: { type: 'boolean', default: false },
    /** See mutate.ts. */
    mutant: { type: 'string' },
  },
});

function historyOf(seed: number): { run(): Promise<object> } {
  if (values.lite) return new LiteHistory(seed);
  if (values.offsets) return new OffsetHistory(seed);
  if (values.ordered) return new OrderedHistory(seed);
  if (values.transactions) return new TransactionHistory(seed);
  return values.timed ? new TimedHistory(seed) : new History(seed);
}

const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.count) : 1;
for (let seed = from; seed < from + count; seed++) {
  try {
    const summary = await historyOf(seed).run();
    if (values.seed !== undefined) process.stdout.write(`${JSON.stringify(summary)}\n`);
  } catch (error) {
    process.stdout.write(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.stdout.write(`again: node --conditions=@orbitmq/source tests/sim/run.ts --seed ${seed}\n`);
    process.exit(1);
  }
}
if (values.seed === undefined) process.stdout.write(`${count} histories from seed ${from}: all promises held\n`);
