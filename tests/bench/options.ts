import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MIB } from '@orbitmq/base';
import { type FlushDiskType, TARGET_NAMES, type TargetName } from './targets.ts';

/** What a benchmark run covers. */
export interface BenchOptions {
  /** Names of scenarios, in the order in which they run. */
  readonly scenarios: readonly string[];
  readonly targets: readonly TargetName[];
  readonly flushDiskTypes: readonly FlushDiskType[];
  readonly concurrencies: readonly number[];
  /** Of a load that does not wait for answers. */
  readonly callsPerSecond: number;
  readonly roundCount: number;
  /** Of one measurement. */
  readonly durationMs: number;
  readonly warmUpMs: number;
  /** Messages laid up for receiving. */
  readonly backlogCount: number;
  readonly bodyBytes: number;
  /** Timed messages that wait; the original gets a tenth. */
  readonly pendingCount: number;
  /** Timed messages that are due at one moment. */
  readonly burstCount: number;
  /** Messages that filters look at. */
  readonly filterCount: number;
  readonly groupCount: number;
  /** Messages that each group reads of a backlog. */
  readonly groupMessageCount: number;
  /** Messages of a lag that is worked off, and of a restart; the original gets a tenth. */
  readonly lagCount: number;
  readonly topicCount: number;
  /** Connections that do nothing. */
  readonly connectionCount: number;
  /** Log that a fresh slave gets. */
  readonly catchUpBytes: number;
  /** Where flame graphs go. */
  readonly flameDirectory: string;
  /** Where the JSON goes; undefined for nowhere. */
  readonly resultFile: string | undefined;
}

/** Scenarios by name, with what they are for. */
export type ScenarioNames = readonly { readonly name: string; readonly summary: string }[];

function usage(scenarios: ScenarioNames): string {
  return `npm run bench -- [scenario …] [options]
${scenarios.map(({ name, summary }) => `  ${name.padEnd(22)}  ${summary}`).join('\n')}
  all                     every one of them; without a name: ${scenarios[0]?.name}

  --quick                 short rounds and a tenth of the messages
  --targets LIST          of noop,orbitmq,apache (these), noop-native,noop-grpc-js,orbitmq-native,
                          orbitmq-grpc-js: ours with that engine; noop-go: Go's gRPC
  --flush LIST            of ASYNC_FLUSH,SYNC_FLUSH (both); for paths, batches, steady
  --concurrency LIST      calls open at a time (1,16,64,256); for paths, batches, transactions, replication, relay
  --rate N                calls a second (5000); for steady
  --rounds N              alternating rounds, medians are shown (3)
  --seconds N             of one measurement (4)
  --pending N             timed messages that wait (1000000)
  --lag N                 messages of a lag or a restart (5000000)
  --groups N              groups on one topic (100)
  --catch-up MIB          log that a fresh slave gets (1024)
  --svg DIR               where flame graphs go (tests/bench/results)
  --json FILE             also writes the results there
`;
}

/** @throws Error with the usage when an option or a scenario is not known */
export function parseOptions(args: readonly string[], scenarios: ScenarioNames): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      targets: { type: 'string', default: 'noop,orbitmq,apache' },
      flush: { type: 'string', default: 'ASYNC_FLUSH,SYNC_FLUSH' },
      concurrency: { type: 'string' },
      rate: { type: 'string', default: '5000' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      pending: { type: 'string' },
      lag: { type: 'string' },
      'catch-up': { type: 'string' },
      groups: { type: 'string', default: '100' },
      svg: { type: 'string', default: join(import.meta.dirname, 'results') },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) throw new Error(usage(scenarios));
  const { quick } = values;
  const names = scenarios.map(({ name }) => name);
  const asked = positionals.length === 0 ? names.slice(0, 1) : positionals.includes('all') ? names : positionals;
  return {
    scenarios: oneOf(asked, names, usage(scenarios)),
    targets: oneOf(values.targets.split(','), TARGET_NAMES, usage(scenarios)),
    flushDiskTypes: oneOf(values.flush.split(','), ['ASYNC_FLUSH', 'SYNC_FLUSH'], usage(scenarios)),
    concurrencies: (values.concurrency ?? (quick ? '16,256' : '1,16,64,256')).split(',').map(Number),
    callsPerSecond: Number(values.rate),
    roundCount: Number(values.rounds ?? (quick ? 1 : 3)),
    durationMs: Number(values.seconds ?? (quick ? 2 : 4)) * 1000,
    warmUpMs: quick ? 4_000 : 10_000,
    backlogCount: quick ? 20_000 : 60_000,
    bodyBytes: 1024,
    pendingCount: Number(values.pending ?? (quick ? 100_000 : 1_000_000)),
    burstCount: quick ? 20_000 : 100_000,
    filterCount: quick ? 50_000 : 200_000,
    groupCount: Number(values.groups),
    groupMessageCount: quick ? 500 : 2_000,
    lagCount: Number(values.lag ?? (quick ? 500_000 : 5_000_000)),
    catchUpBytes: Number(values['catch-up'] ?? (quick ? 256 : 1024)) * MIB,
    topicCount: quick ? 1_000 : 10_000,
    connectionCount: quick ? 1_000 : 10_000,
    flameDirectory: values.svg,
    resultFile: values.json,
  };
}

function oneOf<Name extends string>(words: readonly string[], allowed: readonly Name[], usageText: string): Name[] {
  return words.map((word) => {
    const found = allowed.find((name) => name === word);
    if (found === undefined) throw new Error(`${word} is not one of ${allowed.join(', ')}\n${usageText}`);
    return found;
  });
}
