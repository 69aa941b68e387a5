import type { Outcome } from '../outcome.ts';

/** Runs the cases of a table at the same time and names their outcomes like them. */
export async function outcomesOf<Case>(
  cases: Readonly<Record<string, Case>>,
  run: (value: Case, name: string) => Promise<Outcome>,
): Promise<Outcome> {
  const pairs = Object.entries(cases).map(async ([name, value]) => [name, await run(value, name)] as const);
  return Object.fromEntries(await Promise.all(pairs));
}
