import type { LoadResult } from './load-run.ts';
import { type MeasuredLoad, type Measurement, measureLoad, measurementLine, medianLoad } from './measurement.ts';
import type { BenchOptions } from './options.ts';
import type { Row } from './report.ts';
import { type BenchTarget, isNoop, startTarget, type TargetSettings } from './targets.ts';

/** Takes what a run finds, and prints it at once. */
export class Results {
  readonly rows: Row[] = [];
  readonly measurements: Measurement[] = [];

  print(line: string): void {
    process.stdout.write(`${line}\n`);
  }

  add(measurement: Measurement): void {
    this.measurements.push(measurement);
    this.print(measurementLine(measurement));
  }
}

/** What a scenario works with. */
export interface ScenarioContext {
  readonly options: BenchOptions;
  readonly results: Results;
}

/** Something that is measured on its own, by its name on the command line. */
export interface Scenario {
  readonly name: string;
  /** For the usage text. */
  readonly summary: string;
  run(context: ScenarioContext): Promise<void>;
}

/** The brokers of one scenario, side by side. */
export class ScenarioTargets {
  readonly brokers: readonly BenchTarget[];
  readonly #scenario: string;
  readonly #context: ScenarioContext;

  private constructor(scenario: string, context: ScenarioContext, brokers: readonly BenchTarget[]) {
    this.#scenario = scenario;
    this.#context = context;
    this.brokers = brokers;
  }

  /** Starts those that the options name, works with them, and stops them whatever happens. */
  static async use(
    scenario: string,
    context: ScenarioContext,
    settings: TargetSettings,
    work: (targets: ScenarioTargets) => Promise<void>,
  ): Promise<void> {
    const names = context.options.targets.filter((name) => !isNoop(name));
    const brokers: BenchTarget[] = [];
    try {
      for (const name of names) brokers.push(await startTarget(name, settings));
      await work(new ScenarioTargets(scenario, context, brokers));
    } finally {
      for (const broker of brokers) await broker.stop();
    }
  }

  /** Loads all of them in turns, so that a noisy moment of the machine meets all, and adds the medians of the rounds. */
  async compare(name: string, load: (target: BenchTarget) => Promise<LoadResult>): Promise<void> {
    const rounds = new Map<BenchTarget, MeasuredLoad[]>();
    for (let round = 0; round < this.#context.options.roundCount; round++) {
      for (const target of this.brokers) {
        rounds.set(target, [...(rounds.get(target) ?? []), await measureLoad(target, () => load(target))]);
      }
    }
    for (const [target, loads] of rounds) {
      const { figures, failure } = medianLoad(loads);
      this.add(target, name, { figures: { ...figures }, failure });
    }
  }

  add(
    target: BenchTarget,
    name: string,
    found: Pick<Measurement, 'figures'> & { readonly failure?: string | undefined },
  ): void {
    const { figures, failure } = found;
    this.#context.results.add({ scenario: this.#scenario, target: target.name, name, figures, failure });
  }
}

let nextGroup = 0;

/** A group that nobody has used. */
export function freshGroup(): string {
  return `bench-group-${nextGroup++}`;
}
