/** See node-flags.mjs. */
export function nodeFlags(): readonly string[];
