/** What a probe saw, as JSON: the part of a behaviour that is the same in every run. */
export type Outcome = string | number | boolean | null | readonly Outcome[] | { readonly [name: string]: Outcome };

/** Outcomes of the probes of a run, by their ids. */
export type Outcomes = Readonly<Record<string, Outcome>>;

/** Stands for a value that one side does not have. */
export const ABSENT = '(absent)';

/** One place where two outcomes are not the same. */
export interface Difference {
  /** Id of the probe and, behind a space, the names that lead to the place: `send.tags blank`. */
  readonly at: string;
  readonly ours: Outcome;
  readonly theirs: Outcome;
}

/** Every place where the outcomes of two runs are not the same, ordered by `at`. */
export function differencesOf(ours: Outcomes, theirs: Outcomes): Difference[] {
  const found: Difference[] = [];
  for (const id of unitedKeys(ours, theirs)) compare([id], ours[id] ?? ABSENT, theirs[id] ?? ABSENT, found);
  return found;
}

function compare(path: readonly string[], ours: Outcome, theirs: Outcome, found: Difference[]): void {
  if (Array.isArray(ours) && Array.isArray(theirs) && ours.length === theirs.length) {
    for (const [index, value] of ours.entries()) compare([...path, String(index)], value, theirs[index]!, found);
  } else if (isRecord(ours) && isRecord(theirs)) {
    for (const key of unitedKeys(ours, theirs))
      compare([...path, key], ours[key] ?? ABSENT, theirs[key] ?? ABSENT, found);
  } else if (JSON.stringify(ours) !== JSON.stringify(theirs)) {
    found.push({ at: path.join(' '), ours, theirs });
  }
}

function unitedKeys(one: object, other: object): string[] {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
}

function isRecord(outcome: Outcome): outcome is { readonly [name: string]: Outcome } {
  return typeof outcome === 'object' && outcome !== null && !Array.isArray(outcome);
}
