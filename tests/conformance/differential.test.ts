import { describeSameOutcome } from '@orbitmq/rpc/contract';
import { ENGINES } from './engines.ts';

/** What CI tries; ORBITMQ_FUZZ_RUNS and ORBITMQ_FUZZ_SEED try more, and others. */
const RUNS_DEFAULT = 300;
const SEED_DEFAULT = 7;

describeSameOutcome([ENGINES['grpc-js'], ENGINES.native], {
  runs: Number(process.env.ORBITMQ_FUZZ_RUNS ?? RUNS_DEFAULT),
  seed: Number(process.env.ORBITMQ_FUZZ_SEED ?? SEED_DEFAULT),
});
