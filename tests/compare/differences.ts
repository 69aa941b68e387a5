import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Difference, Outcome, Outcomes } from './outcome.ts';

const FOLDER = join(import.meta.dirname, 'testdata');
/** What probes saw of the original. */
export const RECORDED_FILE = join(FOLDER, 'apache-5.5.0.json');
/** Differences with their reasons. */
export const DIFFERENCES_FILE = join(FOLDER, 'differences.json');

/** A difference that is meant, and everywhere it shows. */
export interface KnownDifference {
  /** Also the anchor of its row in docs/compatibility.md. */
  readonly id: string;
  readonly subject: string;
  readonly ours: string;
  readonly theirs: string;
  readonly why: string;
  readonly seen: readonly {
    readonly ours: Outcome;
    readonly theirs: Outcome;
    /** Places as `Difference.at` names them. */
    readonly at: readonly string[];
  }[];
}

/** Differences that are not as the list says. */
export interface Judgement {
  /** Found, but not listed, or listed with other outcomes. */
  readonly unexplained: readonly Difference[];
  /** Listed for a probe that was run, but not found. */
  readonly vanished: readonly string[];
}

export function readKnownDifferences(): KnownDifference[] {
  return JSON.parse(readFileSync(DIFFERENCES_FILE, 'utf8')) as KnownDifference[];
}

/** What was seen of the original by the last `--record`. */
export function readRecorded(): Outcomes {
  return JSON.parse(readFileSync(RECORDED_FILE, 'utf8')) as Outcomes;
}

/** The id of the known difference that explains one, if any does. */
export function explanationOf(found: Difference, known: readonly KnownDifference[]): string | undefined {
  return known.find(({ seen }) => seen.some((entry) => entry.at.includes(found.at) && isSame(entry, found)))?.id;
}

/**
 * Compares what was found with what is known.
 * @param probeIds the probes that were run
 */
export function judge(
  found: readonly Difference[],
  known: readonly KnownDifference[],
  probeIds: readonly string[],
): Judgement {
  const ran = new Set(probeIds);
  const places = new Set(found.map(({ at }) => at));
  const listed = known.flatMap(({ seen }) => seen.flatMap(({ at }) => at));
  return {
    unexplained: found.filter((difference) => explanationOf(difference, known) === undefined),
    vanished: listed.filter((at) => ran.has(probeOf(at)) && !places.has(at)),
  };
}

/** The probe of a place. */
export function probeOf(at: string): string {
  return at.split(' ', 1)[0]!;
}

function isSame(one: Pick<Difference, 'ours' | 'theirs'>, other: Pick<Difference, 'ours' | 'theirs'>): boolean {
  return JSON.stringify([one.ours, one.theirs]) === JSON.stringify([other.ours, other.theirs]);
}
