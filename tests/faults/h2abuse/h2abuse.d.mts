/** Types of what the tests use of `h2abuse.mjs`. */

/** Attacks by their names. */
export const attacks: Readonly<Record<string, (context: unknown) => Promise<unknown>>>;
