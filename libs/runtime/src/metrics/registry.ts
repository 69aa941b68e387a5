// These two files alone: the package as a whole also loads its cluster mode and push gateway, megabytes that nobody uses.
import collectDefaultMetrics from 'prom-client/lib/defaultMetrics.js';
import PromRegistry from 'prom-client/lib/registry.js';
import { CounterSeries, HistogramSeries, type Labels, type Sample, SeriesTable } from './series.ts';

/** What a metric is; all of a registry are listed in `docs/reference/metrics.md`. */
export interface MetricDefinition<Label extends string = string> {
  /** RocketMQ 5's name where it has one, else `orbitmq_<module>_<noun>_<unit>[_total]`. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

/** Kinds of metrics, as Prometheus calls them. */
export type MetricType = 'counter' | 'gauge' | 'histogram';

/** Something that only grows. */
export interface Counter<Label extends string> {
  /** The series of these label values. Keep it: looking it up costs more than adding. */
  series(labels: Labels<Label>): CounterSeries;
}

/** A distribution over buckets. */
export interface Histogram<Label extends string> {
  /** The series of these label values. Keep it: looking it up costs more than observing. */
  series(labels: Labels<Label>): HistogramSeries;
}

/** Gives one value at the time of a scrape. */
export type MetricReport<Label extends string> = (labels: Labels<Label>, value: number) => void;

/** The metrics of a process. Hot paths add to series; what is known anyway is asked for at a scrape. */
export interface Metrics {
  counter<Label extends string = never>(definition: MetricDefinition<Label>): Counter<Label>;
  /** @param definition buckets: upper bounds, inclusive, rising */
  histogram<Label extends string = never>(
    definition: MetricDefinition<Label> & { readonly buckets: readonly number[] },
  ): Histogram<Label>;
  /** A gauge whose values are asked for at each scrape. */
  gauge<Label extends string = never>(
    definition: MetricDefinition<Label>,
    collect: (report: MetricReport<Label>) => void,
  ): void;
  /** A counter that somebody else keeps, asked for at each scrape. */
  counterOf<Label extends string = never>(
    definition: MetricDefinition<Label>,
    collect: (report: MetricReport<Label>) => void,
  ): void;
  /** All definitions, in the order of their registration. */
  definitions(): readonly (MetricDefinition & { readonly type: MetricType })[];
  readonly contentType: string;
  /** Everything in Prometheus' text format. */
  render(): Promise<string>;
}

/** Options of a registry. */
export interface MetricsOptions {
  /** On every series: RocketMQ's are `cluster`, `node_type`, `node_id`. */
  readonly commonLabels: Readonly<Record<string, string>>;
  /** Series that one metric may have; what comes later is counted under label values `other`, or left out of a gauge. */
  readonly seriesMax: number;
  /** Also gives memory, CPU and event loop of the process. */
  readonly processMetrics: boolean;
}

/** Metrics in series of our own, which cost little to add to; prom-client formats them and watches the process. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new PromRegistry();
  registry.setDefaultLabels({ ...options.commonLabels });
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  const definitions: ReturnType<Metrics['definitions']>[number][] = [];
  const register = (definition: MetricDefinition, type: MetricType, samples: () => Sample[]): void => {
    definitions.push({ ...definition, type });
    const { name, help } = definition;
    // Of a metric, a registry uses its name and what `get` gives.
    registry.registerMetric({ name, get: async () => ({ name, help, type, values: samples() }) });
  };
  const registerAsked = (
    definition: MetricDefinition,
    type: MetricType,
    collect: (report: MetricReport<string>) => void,
  ): void => register(definition, type, () => askedSamples(collect, options.seriesMax));
  return {
    counter(definition) {
      const table = new SeriesTable(definition.labels, options.seriesMax, (labels) => new CounterSeries(labels));
      register(definition, 'counter', () => samplesOf(table));
      return { series: (labels) => table.get(labels) };
    },
    histogram(definition) {
      const { name, labels: labelNames, buckets } = definition;
      const make = (labels: Labels<string>): HistogramSeries => new HistogramSeries(name, labels, buckets);
      const table = new SeriesTable(labelNames, options.seriesMax, make);
      register(definition, 'histogram', () => samplesOf(table));
      return { series: (labels) => table.get(labels) };
    },
    gauge: (definition, collect) => registerAsked(definition, 'gauge', collect),
    counterOf: (definition, collect) => registerAsked(definition, 'counter', collect),
    definitions: () => definitions,
    contentType: registry.contentType,
    render: () => registry.metrics(),
  };
}

function samplesOf(table: SeriesTable<string, { samples(): Sample[] }>): Sample[] {
  return [...table.all()].flatMap((series) => series.samples());
}

function askedSamples(collect: (report: MetricReport<string>) => void, seriesMax: number): Sample[] {
  const samples: Sample[] = [];
  collect((labels, value) => {
    if (samples.length < seriesMax) samples.push({ labels, value });
  });
  return samples;
}
