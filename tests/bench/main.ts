import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoadResult, runReceiveLoad, runSendLoad } from './load.ts';
import { machineFacts, readRssBytes, readUsage } from './measure.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import { medianRow, type Operation, type Row, ratioLines, tableHead, tableLine } from './report.ts';
import { type BenchTarget, type FlushDiskType, startTarget } from './targets.ts';

const BACKLOG_CONCURRENCY = 64;
const SETTLE_MS = 300;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Measures one operation on one target, and what its processes used meanwhile. */
async function measure(
  target: BenchTarget,
  load: { operation: Operation; flushDiskType: FlushDiskType; concurrency: number },
  run: () => Promise<LoadResult>,
): Promise<Row> {
  await sleep(SETTLE_MS);
  const before = readUsage(target.pids);
  const result = await run();
  const after = readUsage(target.pids);
  const [p50Ms, p99Ms, p999Ms] = result.latencies.quantiles([0.5, 0.99, 0.999]);
  return {
    target: target.name,
    ...load,
    messagesPerSecond: (result.messageCount / result.elapsedMs) * 1000,
    p50Ms: p50Ms!,
    p99Ms: p99Ms!,
    p999Ms: p999Ms!,
    serverCpuMicroseconds: (after.cpuMicroseconds - before.cpuMicroseconds) / result.messageCount,
    generatorCpuMicroseconds: result.generatorCpuMicroseconds / result.messageCount,
    writtenBytes: (after.writtenBytes - before.writtenBytes) / result.messageCount,
    rssMib: readRssBytes(target.pids) / 2 ** 20,
    failureCount: result.failureCount,
    failure: result.failure,
  };
}

/** All targets side by side, so that a noisy moment of the machine meets all of them. */
class FlushComparison {
  readonly #options: BenchOptions;
  readonly #flushDiskType: FlushDiskType;
  readonly #targets: BenchTarget[] = [];
  #nextGroup = 0;

  constructor(options: BenchOptions, flushDiskType: FlushDiskType) {
    this.#options = options;
    this.#flushDiskType = flushDiskType;
  }

  async run(): Promise<Row[]> {
    try {
      for (const name of this.#options.targets) await this.#start(name);
      const rows: Row[] = [];
      for (const concurrency of this.#options.concurrencies) rows.push(...(await this.#compare('send', concurrency)));
      for (const target of this.#brokers()) await this.#layUpBacklog(target);
      for (const concurrency of this.#options.concurrencies) {
        rows.push(...(await this.#compare('receive+ack', concurrency)));
      }
      return rows;
    } finally {
      for (const target of this.#targets) await target.stop();
    }
  }

  #brokers(): BenchTarget[] {
    return this.#targets.filter((target) => target.isBroker);
  }

  async #start(name: BenchOptions['targets'][number]): Promise<void> {
    const startMs = performance.now();
    const target = await startTarget(name, this.#flushDiskType);
    this.#targets.push(target);
    const startedMs = performance.now() - startMs;
    await sleep(1_000);
    const idleMib = readRssBytes(target.pids) / 2 ** 20;
    print(
      `# ${name}: serving after ${startedMs.toFixed(0)} ms (all its processes), ${idleMib.toFixed(0)} MiB RSS idle`,
    );
    await target.createTopic('bench-send');
    await target.createTopic('bench-receive');
    await this.#send(target, 'bench-send', BACKLOG_CONCURRENCY, this.#options.warmUpMs);
  }

  async #compare(operation: Operation, concurrency: number): Promise<Row[]> {
    const rounds = new Map<BenchTarget, Row[]>();
    const load = { operation, concurrency, flushDiskType: this.#flushDiskType };
    for (let round = 0; round < this.#options.roundCount; round++) {
      for (const target of operation === 'send' ? this.#targets : this.#brokers()) {
        const run = () =>
          operation === 'send' ? this.#measuredSend(target, concurrency) : this.#receive(target, concurrency);
        rounds.set(target, [...(rounds.get(target) ?? []), await measure(target, load, run)]);
      }
    }
    const rows = [...rounds.values()].map(medianRow);
    for (const row of rows) print(tableLine(row));
    return rows;
  }

  #measuredSend(target: BenchTarget, concurrency: number): Promise<LoadResult> {
    return this.#send(target, 'bench-send', concurrency, this.#options.durationMs);
  }

  #send(target: BenchTarget, topic: string, concurrency: number, durationMs: number): Promise<LoadResult> {
    const { bodyBytes } = this.#options;
    return runSendLoad({ port: target.port, topic, concurrency, durationMs, bodyBytes, hasTelemetry: target.isBroker });
  }

  async #layUpBacklog(target: BenchTarget): Promise<void> {
    let count = 0;
    while (count < this.#options.backlogCount) {
      const result = await this.#send(target, 'bench-receive', BACKLOG_CONCURRENCY, 1_000);
      if (result.messageCount === 0) throw new Error(`${target.name} takes no messages: ${result.failure}`);
      count += result.messageCount;
    }
  }

  /** Every measurement is a group of its own, which starts at the first message. */
  #receive(target: BenchTarget, concurrency: number): Promise<LoadResult> {
    return runReceiveLoad({
      port: target.port,
      topic: 'bench-receive',
      group: `bench-group-${this.#nextGroup++}`,
      brokerName: target.brokerName,
      concurrency,
      durationMs: this.#options.durationMs,
      countMax: this.#options.backlogCount,
      bodyBytes: this.#options.bodyBytes,
      hasTelemetry: true,
    });
  }
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  print(tableHead());
  const rows: Row[] = [];
  for (const flushDiskType of options.flushDiskTypes)
    rows.push(...(await new FlushComparison(options, flushDiskType).run()));
  for (const line of ratioLines(rows)) print(line);
  if (options.resultFile === undefined) return;
  mkdirSync(dirname(options.resultFile), { recursive: true });
  writeFileSync(options.resultFile, `${JSON.stringify({ machine: machineFacts(), options, rows }, null, 2)}\n`);
}

await main();
