import { ROOT } from './repository.ts';
import { check, runSteps, type TestStep, testFiles } from './test-steps.ts';

const BIN = `${ROOT}/node_modules/.bin`;
const script = (name: string): readonly string[] => [
  process.execPath,
  '--conditions=@orbitmq/source',
  `${ROOT}/tools/${name}`,
];
const MINUTE_MS = 60_000;

const STEPS: readonly TestStep[] = [
  check('lint', 'format, lint rules, module boundaries, foreign packages', {
    biome: [`${BIN}/biome`, 'ci', '--colors=off', '.'],
    // Module boundaries are checked against this graph, which then lies in the cache.
    'project graph': [`${BIN}/nx`, 'show', 'projects', '--json'],
    'module boundaries': [`${BIN}/eslint`, '.'],
    'foreign packages': script('supply.ts'),
  }),
  check('typecheck', 'all projects, strict', { tsc: [`${BIN}/tsc`, '-b'] }),
  check('generated', 'generated code, reference pages and chart are those of their sources', {
    protocol: [...script('gen-proto.ts'), '--check'],
    reference: [...script('gen-docs.ts'), '--check'],
    chart: [...script('gen-chart.ts'), '--check'],
  }),
  testFiles('unit', 'beside the sources', {
    patterns: ['libs/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tools/**/*.test.ts'],
    concurrency: 2,
    timeoutMs: 2 * MINUTE_MS,
    bundles: true,
  }),
  testFiles('helm', 'the chart: renderings, refused values, security', {
    patterns: ['tests/helm/**/*.test.ts'],
    concurrency: 2,
    timeoutMs: 5 * MINUTE_MS,
  }),
  testFiles('sim', 'the engine over a simulated disk, by seed', {
    patterns: ['tests/sim/**/*.test.ts'],
    concurrency: 2,
    timeoutMs: 10 * MINUTE_MS,
  }),
  testFiles('e2e', 'real processes', {
    patterns: ['tests/e2e/**/*.test.ts', 'tests/compare/**/*.test.ts', 'tests/*.test.ts'],
    concurrency: 1,
    timeoutMs: 5 * MINUTE_MS,
    bundles: true,
  }),
  testFiles('chaos', 'kill, power loss, broken disks, hostile clients', {
    patterns: ['tests/chaos/**/*.test.ts', 'tests/faults/**/*.test.ts'],
    concurrency: 1,
    timeoutMs: 10 * MINUTE_MS,
    bundles: true,
  }),
  testFiles('conformance', 'h2spec, the interop cases of gRPC, and our two engines against each other', {
    patterns: ['tests/conformance/**/*.test.ts'],
    concurrency: 1,
    timeoutMs: 5 * MINUTE_MS,
  }),
  testFiles('interop', 'official clients of other languages', {
    patterns: ['tests/interop/**/*.test.ts'],
    concurrency: 1,
    timeoutMs: 10 * MINUTE_MS,
    bundles: true,
  }),
  testFiles('interop-grpc-js', 'the same over grpc-js: what does not depend on parts of the cluster dying', {
    patterns: [
      'tests/interop/{go,go-old,java,java-old,node,python,rust,transactions,relayed}.test.ts',
      'tests/interop/{cross,dead-letters,first-send,namespace,priority,timed}.test.ts',
    ],
    namePatterns: [
      'on a healthy cluster',
      'are committed, rolled back, or ended by a check',
      'node has everything',
      'messages between languages',
      'what no listener can consume',
      'a topic that nobody has made',
      'clients with a namespace',
      'messages with a priority',
      'messages with a time of delivery',
    ],
    concurrency: 1,
    timeoutMs: 10 * MINUTE_MS,
    bundles: true,
    environment: { ORBITMQ_RPC_ENGINE: 'grpc-js' },
  }),
];

process.exitCode = await runSteps(STEPS, process.argv.slice(2));
