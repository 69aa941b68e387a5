/** Types of what the tests use of `mqcheck.mjs`. */

export interface BrokenPromise {
  readonly kind: string;
  readonly why: string;
}

export interface Verdict {
  readonly ok: boolean;
  readonly acknowledged: number;
  readonly indeterminate: number;
  readonly receives: number;
  readonly duplicates: number;
  readonly count: Readonly<Record<string, number>>;
  readonly bad: readonly BrokenPromise[];
}

export function check(
  events: readonly Readonly<Record<string, unknown>>[],
  options?: { readonly slackMs?: number; readonly drained?: boolean },
): Verdict;
