import { parseArgs } from 'node:util';
import type { FlushDiskType, TargetName } from './targets.ts';

/** What a benchmark run covers. */
export interface BenchOptions {
  readonly targets: readonly TargetName[];
  readonly flushDiskTypes: readonly FlushDiskType[];
  readonly concurrencies: readonly number[];
  readonly roundCount: number;
  /** Of one measurement. */
  readonly durationMs: number;
  readonly warmUpMs: number;
  /** Messages laid up for receiving. */
  readonly backlogCount: number;
  readonly bodyBytes: number;
  /** Where the JSON goes; undefined for nowhere. */
  readonly resultFile: string | undefined;
}

const USAGE = `npm run bench -- [options]
  --quick                 one short round of concurrency 16 and 256
  --targets LIST          of noop,orbitmq,apache (all)
  --flush LIST            of ASYNC_FLUSH,SYNC_FLUSH (both)
  --concurrency LIST      calls open at a time (1,16,64,256)
  --rounds N              alternating rounds, medians are shown (3)
  --seconds N             of one measurement (4)
  --json FILE             also writes the results there
`;

/** @throws Error with the usage when an option is not known */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      targets: { type: 'string', default: 'noop,orbitmq,apache' },
      flush: { type: 'string', default: 'ASYNC_FLUSH,SYNC_FLUSH' },
      concurrency: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) throw new Error(USAGE);
  const { quick } = values;
  return {
    targets: oneOf(values.targets, ['noop', 'orbitmq', 'apache']),
    flushDiskTypes: oneOf(values.flush, ['ASYNC_FLUSH', 'SYNC_FLUSH']),
    concurrencies: (values.concurrency ?? (quick ? '16,256' : '1,16,64,256')).split(',').map(Number),
    roundCount: Number(values.rounds ?? (quick ? 1 : 3)),
    durationMs: Number(values.seconds ?? (quick ? 2 : 4)) * 1000,
    warmUpMs: quick ? 4_000 : 10_000,
    backlogCount: quick ? 20_000 : 60_000,
    bodyBytes: 1024,
    resultFile: values.json,
  };
}

function oneOf<Name extends string>(list: string, allowed: readonly Name[]): Name[] {
  return list.split(',').map((word) => {
    const found = allowed.find((name) => name === word);
    if (found === undefined) throw new Error(`${word} is not one of ${allowed.join(', ')}\n${USAGE}`);
    return found;
  });
}
