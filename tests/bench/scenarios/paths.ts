import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadResult } from '../load-run.ts';
import { type MeasuredLoad, measureLoad, medianLoad, rssMib } from '../measurement.ts';
import type { BenchOptions } from '../options.ts';
import { runReceiveLoad } from '../receive-load.ts';
import { type Operation, type Row, ratioLines, tableHead, tableLine } from '../report.ts';
import { freshGroup, type Results, type Scenario } from '../scenario.ts';
import { runSendLoad } from '../send-load.ts';
import { SendRequestTemplate } from '../send-template.ts';
import { type BenchTarget, type FlushDiskType, startTarget } from '../targets.ts';

const BACKLOG_CONCURRENCY = 64;

/** Sends, and receives with acknowledgements, beside a server that does nothing and the original. */
export const paths: Scenario = {
  name: 'paths',
  summary: 'send, and receive in batches of 32 with a call to acknowledge each message or all; both flush modes',
  async run({ options, results }) {
    results.print(tableHead());
    const rows: Row[] = [];
    for (const flushDiskType of options.flushDiskTypes) {
      rows.push(...(await new FlushComparison(options, results, flushDiskType).run()));
    }
    results.rows.push(...rows);
    for (const line of ratioLines(rows)) results.print(line);
  },
};

/** All targets side by side, so that a noisy moment of the machine meets all of them. */
class FlushComparison {
  readonly #options: BenchOptions;
  readonly #results: Results;
  readonly #flushDiskType: FlushDiskType;
  readonly #targets: BenchTarget[] = [];
  readonly #template: SendRequestTemplate;

  constructor(options: BenchOptions, results: Results, flushDiskType: FlushDiskType) {
    this.#options = options;
    this.#results = results;
    this.#flushDiskType = flushDiskType;
    this.#template = new SendRequestTemplate({ topic: 'bench-send', bodyBytes: options.bodyBytes });
  }

  async run(): Promise<Row[]> {
    try {
      for (const name of this.#options.targets) await this.#start(name);
      const rows: Row[] = [];
      for (const concurrency of this.#options.concurrencies) rows.push(...(await this.#compare('send', concurrency)));
      for (const target of this.#brokers()) {
        await this.#layUpBacklog(target);
        // What has never run is slow, and the backlog is gone soon.
        for (const acknowledge of ['each', 'batch'] as const)
          await this.#receive(target, BACKLOG_CONCURRENCY, acknowledge);
      }
      for (const operation of ['receive, ack each', 'receive, ack all'] as const) {
        for (const concurrency of this.#options.concurrencies)
          rows.push(...(await this.#compare(operation, concurrency)));
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
    const target = await startTarget(name, { flushDiskType: this.#flushDiskType });
    this.#targets.push(target);
    const startedMs = performance.now() - startMs;
    await sleep(1_000);
    const idleRssMib = rssMib(target);
    this.#results.add({
      scenario: paths.name,
      target: name,
      name: `at rest, ${this.#flushDiskType}`,
      figures: { startedMs, idleRssMib },
      failure: undefined,
    });
    await target.createTopic('bench-send', 'NORMAL');
    await target.createTopic('bench-receive', 'NORMAL');
    await this.#send(target, BACKLOG_CONCURRENCY, this.#options.warmUpMs);
  }

  async #compare(operation: Operation, concurrency: number): Promise<Row[]> {
    const rounds = new Map<BenchTarget, MeasuredLoad[]>();
    for (let round = 0; round < this.#options.roundCount; round++) {
      for (const target of operation === 'send' ? this.#targets : this.#brokers()) {
        const run = () => this.#load(operation, target, concurrency);
        rounds.set(target, [...(rounds.get(target) ?? []), await measureLoad(target, run)]);
      }
    }
    const rows = Array.from(rounds, ([target, loads]): Row => {
      const { figures, failure } = medianLoad(loads);
      const load = { operation, concurrency, flushDiskType: this.#flushDiskType };
      return { target: target.name, ...load, ...figures, failure };
    });
    for (const row of rows) this.#results.print(tableLine(row));
    return rows;
  }

  #load(operation: Operation, target: BenchTarget, concurrency: number): Promise<LoadResult> {
    if (operation === 'send') return this.#send(target, concurrency, this.#options.durationMs);
    return this.#receive(target, concurrency, operation === 'receive, ack each' ? 'each' : 'batch');
  }

  #send(target: BenchTarget, concurrency: number, durationMs: number, template = this.#template): Promise<LoadResult> {
    return runSendLoad({ port: target.port, template, concurrency, durationMs, hasTelemetry: target.isBroker });
  }

  async #layUpBacklog(target: BenchTarget): Promise<void> {
    const template = new SendRequestTemplate({ topic: 'bench-receive', bodyBytes: this.#options.bodyBytes });
    let count = 0;
    while (count < this.#options.backlogCount) {
      const result = await this.#send(target, BACKLOG_CONCURRENCY, 1_000, template);
      if (result.messageCount === 0) throw new Error(`${target.name} takes no messages: ${result.failure}`);
      count += result.messageCount;
    }
  }

  /** Every measurement is a group of its own, which starts at the first message. */
  #receive(target: BenchTarget, concurrency: number, acknowledge: 'each' | 'batch'): Promise<LoadResult> {
    return runReceiveLoad({
      port: target.port,
      topic: 'bench-receive',
      groups: [freshGroup()],
      brokerName: target.brokerName,
      concurrency,
      durationMs: this.#options.durationMs,
      countMax: this.#options.backlogCount,
      acknowledge,
    });
  }
}
