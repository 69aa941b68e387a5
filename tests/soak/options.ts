import { parseArgs } from 'node:util';
import { RPC_ENGINE_DEFAULT, RPC_ENGINES, type RpcEngineName } from '@orbitmq/rpc';

/** What a soak is. */
export interface SoakOptions {
  /** How long clients come and go. */
  readonly durationMs: number;
  /** Clients that come in a second. */
  readonly visitsPerSecond: number;
  /** From one look at the processes to the next. */
  readonly sampleMs: number;
  /** What carries the calls of the servers. */
  readonly rpcEngine: RpcEngineName;
  /** The same clients in the same order for the same seed. */
  readonly seed: number;
  /** Where all samples go; undefined for nowhere. */
  readonly resultFile: string | undefined;
  /** Where heap snapshots of this process go, one after each quarter; undefined for none. */
  readonly snapshotDirectory: string | undefined;
}

const USAGE = `npm run soak -- [options]
  --minutes N             how long clients come and go (60)
  --visits N              clients that come in a second (8)
  --sample-seconds N      from one look at the processes to the next (10)
  --engine NAME           of ${RPC_ENGINES.join(', ')}, for the servers (${RPC_ENGINE_DEFAULT})
  --seed N                the same clients in the same order
  --json FILE             also writes all samples there
  --heap-snapshots DIR    heap snapshots of the clients' process, one after each quarter
`;

/** @throws Error with the usage when an option is not known */
export function parseOptions(args: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '60' },
      visits: { type: 'string', default: '8' },
      'sample-seconds': { type: 'string', default: '10' },
      engine: { type: 'string', default: RPC_ENGINE_DEFAULT },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      json: { type: 'string' },
      'heap-snapshots': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) throw new Error(USAGE);
  const rpcEngine = RPC_ENGINES.find((name) => name === values.engine);
  if (rpcEngine === undefined) throw new Error(`${values.engine} is no engine\n${USAGE}`);
  return {
    durationMs: Number(values.minutes) * 60_000,
    visitsPerSecond: Number(values.visits),
    sampleMs: Number(values['sample-seconds']) * 1_000,
    rpcEngine,
    seed: Number(values.seed),
    resultFile: values.json,
    snapshotDirectory: values['heap-snapshots'],
  };
}
