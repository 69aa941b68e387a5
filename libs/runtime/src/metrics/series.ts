import { assert } from '@orbitmq/base';

/** Values of a metric's labels. */
export type Labels<Name extends string> = Readonly<Record<Name, string>>;

/** One number of a scrape, as prom-client formats it. */
export interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Label value of everything beyond the number of series that a metric may have. */
const OTHER = 'other';

/** One series of a counter: adding costs an addition. */
export class CounterSeries {
  readonly #labels: Labels<string>;
  #total = 0;

  constructor(labels: Labels<string>) {
    this.#labels = { ...labels };
  }

  /** @param amount ≥ 0 */
  add(amount: number): void {
    assert(amount >= 0, 'a counter can only grow');
    this.#total += amount;
  }

  samples(): Sample[] {
    return [{ labels: this.#labels, value: this.#total }];
  }
}

/** One series of a histogram: observing costs a walk over a few buckets. */
export class HistogramSeries {
  readonly #name: string;
  readonly #labels: Labels<string>;
  readonly #buckets: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(name: string, labels: Labels<string>, buckets: readonly number[]) {
    this.#name = name;
    this.#labels = { ...labels };
    this.#buckets = buckets;
    this.#counts = new Float64Array(buckets.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#buckets.length && value > this.#buckets[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sum += value;
  }

  samples(): Sample[] {
    const samples: Sample[] = [];
    let count = 0;
    for (const [index, inBucket] of this.#counts.entries()) {
      count += inBucket;
      const le = index < this.#buckets.length ? String(this.#buckets[index]) : '+Inf';
      samples.push({ metricName: `${this.#name}_bucket`, labels: { le, ...this.#labels }, value: count });
    }
    samples.push({ metricName: `${this.#name}_sum`, labels: this.#labels, value: this.#sum });
    samples.push({ metricName: `${this.#name}_count`, labels: this.#labels, value: count });
    return samples;
  }
}

/** Series by label values, at most `seriesMax` and one for the rest. */
export class SeriesTable<Label extends string, Series> {
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

  *all(): IterableIterator<Series> {
    yield* this.#table.values();
    if (this.#other !== undefined) yield this.#other;
  }
}
