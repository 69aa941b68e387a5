import fc from 'fast-check';

const SEED_DEFAULT = 11;

// Preloaded into every test file: a property test tries the same cases on every machine. ORBITMQ_FUZZ_SEED tries others;
// a failure names its seed.
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  fc.configureGlobal({ seed: Number(process.env.ORBITMQ_FUZZ_SEED ?? SEED_DEFAULT) });
}
