/*
 * What `npm run test:k8s` does: Kubernetes is built if it never was on this machine, the tests run, and nothing stays but the
 * built programs. Steps can be chosen by name, as with `npm test`.
 */
import { freePort, runSteps, type TestRecord, type TestStep, testFiles } from '@orbitmq/tools';
import {
  areProgramsBuilt,
  buildPrograms,
  hasImageBuilder,
  installImageBuilder,
  installPackages,
  labSkip,
  MISSING,
  makeHome,
  missingPackages,
  removeForsakenHomes,
  removeHome,
  SHARED_HOME,
  SHARED_PORT,
} from './lab.ts';

const MINUTE_MS = 60_000;
const TICK_MS = 30_000;

removeForsakenHomes();
/** All files of the step `cluster` share one. */
const home = makeHome();
process.once('exit', () => removeHome(home));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

/** Brings what the tests need. What this machine can't have is not tried, and the tests say so. */
const PREPARE: TestStep = {
  name: 'prepare',
  says: 'packages and programs of Kubernetes',
  async run() {
    const packages = missingPackages();
    if (labSkip !== false && packages.length === 0) {
      return [{ outcome: 'skipped', name: 'prepare: a Kubernetes of our own', reason: labSkip }];
    }
    const records: TestRecord[] = [];
    if (packages.length > 0) records.push(await attempt('packages are installed', installPackages));
    if (!hasImageBuilder() && !(await installImageBuilder()))
      console.log('  buildah can not be had: no Dockerfile is built.');
    if (areProgramsBuilt()) return [...records, { outcome: 'passed', name: 'prepare: the programs are there' }];
    console.log('  Building Kubernetes from its sources: once on each machine, some 10 minutes of two idle cores.');
    const build = (): Promise<void> => buildPrograms((text) => process.stdout.write(text));
    return [...records, await attempt('the programs are built', build)];
  },
};

/** What fails here for want of a registry or a package is skipped, but not where nothing may be lacking. */
async function attempt(name: string, work: () => Promise<void>): Promise<TestRecord> {
  const startedMs = performance.now();
  const ticker = setInterval(
    () => console.log(`  ${name}: ${Math.round((performance.now() - startedMs) / 1000)} s …`),
    TICK_MS,
  );
  try {
    await work();
    return { outcome: 'passed', name: `prepare: ${name}` };
  } catch (error) {
    console.error(error);
    const reason = `not true here: ${name}`;
    // Nothing that comes now need try it again.
    process.env[MISSING] ??= reason;
    const outcome = process.env.CI === undefined ? 'skipped' : 'failed';
    return { outcome, name: `prepare: ${name}`, reason };
  } finally {
    clearInterval(ticker);
  }
}

const STEPS: readonly TestStep[] = [
  PREPARE,
  testFiles('leases', 'the Lease store over a real API server', {
    patterns: ['tests/k8s/lease-store.test.ts'],
    concurrency: 1,
    timeoutMs: 5 * MINUTE_MS,
  }),
  testFiles('image', 'the image of all services', {
    patterns: ['tests/k8s/image.test.ts'],
    concurrency: 1,
    timeoutMs: 5 * MINUTE_MS,
  }),
  testFiles('cluster', 'the chart on two nodes: clients, faults, upgrades', {
    patterns: ['tests/k8s/cluster/*.test.ts'],
    concurrency: 1,
    timeoutMs: 20 * MINUTE_MS,
    environment: { [SHARED_HOME]: home, [SHARED_PORT]: String(await freePort()) },
  }),
];

process.exitCode = await runSteps(STEPS, process.argv.slice(2));
