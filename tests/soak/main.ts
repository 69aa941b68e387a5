import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeHeapSnapshot } from 'node:v8';
import { MIB } from '@orbitmq/base';
import { machineFacts } from '../bench/measure.ts';
import { startCluster } from '../cluster.ts';
import { parseOptions, type SoakOptions } from './options.ts';
import { CLIENTS, type Sample } from './samples.ts';
import { Soak } from './soak.ts';
import { trendsOf } from './verdict.ts';

/* `npm run soak`: clients come and go for an hour, and no process may grow. Exit code 0 when none has. */

const FAILURES_SHOWN_MAX = 10;
const LINE_MS = 60_000;

const options = parseOptions(process.argv.slice(2));
process.exitCode = (await soak(options)) ? 0 : 1;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function soak({ rpcEngine, resultFile, seed, durationMs }: SoakOptions): Promise<boolean> {
  print(`soak of ${durationMs / 60_000} minutes, engine ${rpcEngine}, seed ${seed}`);
  const properties = { rpcEngine };
  await using cluster = await startCluster({ brokerProperties: properties, nameServerProperties: properties });
  const run = new Soak(cluster, options);
  await run.prepare();
  const onSamples = reporter(run);
  const beginMs = performance.now();
  await run.run((samples) => onSamples(samples, performance.now() - beginMs));
  const leftovers = await run.leftovers();
  const complaints = run.complaints();
  // A heap snapshot takes memory that its process keeps.
  const hasSnapshots = options.snapshotDirectory !== undefined;
  const trends = run.watched
    .flatMap(trendsOf)
    .filter(
      ({ process, figure }) =>
        !(hasSnapshots && process === CLIENTS && (figure === 'rssBytes' || figure === 'anonymousBytes')),
    );
  for (const { line } of trends) print(line);
  for (const { name, samples } of run.watched) print(`${name.padEnd(10)} ${cpuShare(samples)} of one core`);
  print(`visits: ${Array.from(run.visits, ([name, count]) => `${name} ${count}`).join(', ')}`);
  print(`messages: ${run.counts.sent} sends answered, ${run.counts.received} received and acknowledged`);
  tell('failures', run.failures);
  tell('times that the machine stood still', run.stalls.told);
  tell('failures of calls that ran out of time then, which do not count', run.excused);
  tell('left of clients that are gone', leftovers);
  tell('errors in the logs', complaints);
  if (resultFile !== undefined) {
    const watched = run.watched.map(({ name, samples }) => ({ name, samples }));
    const { failures, excused, counts } = run;
    const visits = Object.fromEntries(run.visits);
    const content = {
      machine: machineFacts(),
      options,
      trends,
      visits,
      counts,
      failures,
      excused,
      leftovers,
      complaints,
      watched,
    };
    mkdirSync(dirname(resultFile), { recursive: true });
    writeFileSync(resultFile, `${JSON.stringify(content, null, 2)}\n`);
  }
  const isGood = [run.failures, leftovers, complaints].every((list) => list.length === 0);
  const isFlat = trends.every((trend) => trend.isFlat);
  print(isGood && isFlat ? 'nothing grows' : `NOT GOOD${isFlat ? '' : ': something grows'}`);
  return isGood && isFlat;
}

function tell(what: string, texts: readonly string[]): void {
  print(`${what}: ${texts.length}`);
  for (const text of texts.slice(0, FAILURES_SHOWN_MAX)) print(`  ${text}`);
}

/** Prints a line a minute, and takes a heap snapshot after each quarter when that is wanted. */
function reporter(run: Soak): (samples: readonly Sample[], elapsedMs: number) => void {
  let [nextLineMs, quarter] = [0, 0];
  return (samples, elapsedMs) => {
    const snapshots = options.snapshotDirectory;
    if (snapshots !== undefined && elapsedMs > ((quarter + 1) * options.durationMs) / 4 - options.sampleMs) {
      quarter++;
      mkdirSync(snapshots, { recursive: true });
      writeHeapSnapshot(join(snapshots, `quarter-${quarter}.heapsnapshot`));
    }
    if (elapsedMs < nextLineMs) return;
    nextLineMs += LINE_MS;
    const processes = samples.map((sample, index) => `${run.watched[index]!.name} ${sampleText(sample)}`);
    print(`${(elapsedMs / 60_000).toFixed(1)} min, ${run.counts.sent} sent; ${processes.join('; ')}`);
  };
}

function sampleText({ rssBytes, heapBytes, externalBytes, descriptorCount }: Sample): string {
  const [rss, heap, external] = [rssBytes, heapBytes, externalBytes].map((bytes) => (bytes / MIB).toFixed(1));
  return `RSS ${rss} heap ${heap} external ${external} MiB, ${descriptorCount} descriptors`;
}

/** Of the whole time between first and last sample. */
function cpuShare(samples: readonly Sample[]): string {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || first === last) return 'an unknown share';
  const share = (last.cpuMicroseconds - first.cpuMicroseconds) / ((last.atMs - first.atMs) * 1_000);
  return `${(share * 100).toFixed(1)} %`;
}
