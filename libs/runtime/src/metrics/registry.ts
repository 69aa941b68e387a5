import { assert } from '@orbitmq/base';
import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry as PromRegistry,
} from 'prom-client';

/** Values of a metric's labels. */
export type Labels<Name extends string> = Readonly<Record<Name, string>>;

/** What a metric is; all of a registry are listed in `docs/reference/metrics.md`. */
export interface MetricDefinition<Label extends string = string> {
  /** RocketMQ 5's name where it has one, else `orbitmq_<module>_<noun>_<unit>[_total]`. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

/** One series of a counter. Adding costs one addition: it is safe on hot paths. */
export interface CounterSeries {
  add(amount: number): void;
}

/** One series of a histogram. */
export interface HistogramSeries {
  observe(value: number): void;
}

/** Something that only grows. */
export interface Counter<Label extends string> {
  /** The series of these label values. Keep it: looking it up costs more than adding. */
  series(labels: Labels<Label>): CounterSeries;
}

/** A distribution over buckets. */
export interface Histogram<Label extends string> {
  series(labels: Labels<Label>): HistogramSeries;
}

/** Gives one value of a gauge at the time of a scrape. */
export type GaugeReport<Label extends string> = (labels: Labels<Label>, value: number) => void;

/** The metrics of a process. */
export interface Metrics {
  counter<Label extends string = never>(definition: MetricDefinition<Label>): Counter<Label>;
  histogram<Label extends string = never>(
    definition: MetricDefinition<Label> & { readonly buckets: readonly number[] },
  ): Histogram<Label>;
  /** A gauge whose values are asked for at each scrape. */
  gauge<Label extends string = never>(
    definition: MetricDefinition<Label>,
    collect: (report: GaugeReport<Label>) => void,
  ): void;
  /** All definitions, in the order of their registration. */
  definitions(): readonly (MetricDefinition & { readonly type: 'counter' | 'gauge' | 'histogram' })[];
  readonly contentType: string;
  /** Everything in Prometheus' text format. */
  render(): Promise<string>;
}

/** Options of a registry. */
export interface MetricsOptions {
  /** On every series: RocketMQ's are `cluster`, `node_type`, `node_id`. */
  readonly commonLabels: Readonly<Record<string, string>>;
  /** Series that one metric may have; what comes later is counted under label values `other`. */
  readonly seriesMax: number;
  /** Also gives memory, CPU and event loop of the process. */
  readonly processMetrics: boolean;
}

/** Label value of everything beyond `seriesMax`. */
const OTHER = 'other';

/** Metrics kept by prom-client behind series that cost an addition. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new PromRegistry();
  registry.setDefaultLabels({ ...options.commonLabels });
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  const definitions: ReturnType<Metrics['definitions']>[number][] = [];
  const { seriesMax } = options;
  return {
    counter(definition) {
      definitions.push({ ...definition, type: 'counter' });
      return createCounter(definition, registry, seriesMax);
    },
    histogram(definition) {
      definitions.push({ ...definition, type: 'histogram' });
      return createHistogram(definition, registry, seriesMax);
    },
    gauge(definition, collect) {
      definitions.push({ ...definition, type: 'gauge' });
      createGauge(definition, collect, registry, seriesMax);
    },
    definitions: () => definitions,
    contentType: registry.contentType,
    render: () => registry.metrics(),
  };
}

/** Series by label values, at most `seriesMax` and one for the rest. */
class SeriesTable<Label extends string, Series> {
  readonly #labels: readonly Label[];
  readonly #make: (labels: Labels<Label>) => Series;
  readonly #seriesMax: number;
  readonly #table = new Map<string, Series>();
  #other: Series | undefined;

  constructor(labels: readonly Label[], seriesMax: number, make: (labels: Labels<Label>) => Series) {
    this.#labels = labels;
    this.#make = make;
    this.#seriesMax = seriesMax;
  }

  get(labels: Labels<Label>): Series {
    const key = this.#labels.map((label) => labels[label]).join('\u0000');
    const known = this.#table.get(key);
    if (known !== undefined) return known;
    if (this.#table.size >= this.#seriesMax) {
      this.#other ??= this.#make(Object.fromEntries(this.#labels.map((label) => [label, OTHER])) as Labels<Label>);
      return this.#other;
    }
    const series = this.#make(labels);
    this.#table.set(key, series);
    return series;
  }
}

function createCounter<Label extends string>(
  definition: MetricDefinition<Label>,
  registry: PromRegistry,
  seriesMax: number,
): Counter<Label> {
  const pending: { labels: Labels<Label>; amount: number }[] = [];
  const inner = new PromCounter<Label>({
    name: definition.name,
    help: definition.help,
    labelNames: [...definition.labels],
    registers: [registry],
    collect() {
      for (const entry of pending) {
        inner.inc(entry.labels, entry.amount);
        entry.amount = 0;
      }
    },
  });
  const table = new SeriesTable<Label, CounterSeries>(definition.labels, seriesMax, (labels) => {
    const entry = { labels: { ...labels }, amount: 0 };
    pending.push(entry);
    return {
      add(amount) {
        assert(amount >= 0, `counter ${definition.name} can only grow`);
        entry.amount += amount;
      },
    };
  });
  return { series: (labels) => table.get(labels) };
}

function createHistogram<Label extends string>(
  definition: MetricDefinition<Label> & { readonly buckets: readonly number[] },
  registry: PromRegistry,
  seriesMax: number,
): Histogram<Label> {
  const inner = new PromHistogram<Label>({
    name: definition.name,
    help: definition.help,
    labelNames: [...definition.labels],
    buckets: [...definition.buckets],
    registers: [registry],
  });
  const table = new SeriesTable<Label, HistogramSeries>(definition.labels, seriesMax, (labels) => {
    const bound = inner.labels({ ...labels });
    return { observe: (value) => bound.observe(value) };
  });
  return { series: (labels) => table.get(labels) };
}

function createGauge<Label extends string>(
  definition: MetricDefinition<Label>,
  collect: (report: GaugeReport<Label>) => void,
  registry: PromRegistry,
  seriesMax: number,
): void {
  const inner = new PromGauge<Label>({
    name: definition.name,
    help: definition.help,
    labelNames: [...definition.labels],
    registers: [registry],
    collect() {
      inner.reset();
      let count = 0;
      collect((labels, value) => {
        if (count++ < seriesMax) inner.set({ ...labels }, value);
      });
    },
  });
}
