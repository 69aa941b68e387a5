import { MIB } from '@orbitmq/base';
import { median } from '../bench/measure.ts';
import type { Sample, Watched } from './samples.ts';

/** What must not grow, by how much it may differ, and how it is told. */
interface Rule {
  readonly figure: 'rssBytes' | 'anonymousBytes' | 'heapBytes' | 'externalBytes' | 'descriptorCount' | 'handleCount';
  /** The greater one of a share and a number is allowed. */
  readonly share: number;
  readonly atLeast: number;
  readonly says: (value: number) => string;
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
const RULES: readonly Rule[] = [
  { figure: 'rssBytes', share: 0.05, atLeast: 8 * MIB, says: mib },
  { figure: 'anonymousBytes', share: 0.05, atLeast: 8 * MIB, says: mib },
  { figure: 'heapBytes', share: 0.05, atLeast: 8 * MIB, says: mib },
  { figure: 'externalBytes', share: 0.05, atLeast: 8 * MIB, says: mib },
  { figure: 'descriptorCount', share: 0.1, atLeast: 16, says: String },
  { figure: 'handleCount', share: 0.1, atLeast: 16, says: String },
];

/** One figure of one process over the whole time. */
export interface Trend {
  readonly process: string;
  readonly figure: Rule['figure'];
  /** Medians of the four quarters; the first one is warm-up. */
  readonly quarters: readonly number[];
  readonly isFlat: boolean;
  readonly line: string;
}

/** Compares the last quarter of the time with the second one. */
export function trendsOf({ name, samples }: Watched): Trend[] {
  return RULES.map(({ figure, share, atLeast, says }) => {
    const quarters = quartersOf(samples).map((part) => median(part.map((sample) => sample[figure])));
    const [, early, , late] = quarters as [number, number, number, number];
    const allowed = Math.max(share * early, atLeast);
    // What could not be measured is not flat.
    const isFlat = late - early <= allowed;
    const line = `${name.padEnd(10)} ${figure.padEnd(15)} quarters ${quarters.map(says).join(', ')}: ${
      isFlat ? 'flat' : 'GROWS'
    } (allowed +${says(Math.round(allowed))})`;
    return { process: name, figure, quarters, isFlat, line };
  });
}

function quartersOf(samples: readonly Sample[]): Sample[][] {
  return [0, 1, 2, 3].map((quarter) => {
    const at = (part: number): number => Math.floor((samples.length * part) / 4);
    return samples.slice(at(quarter), at(quarter + 1));
  });
}
