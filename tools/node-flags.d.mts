/** See node-flags.mjs. */
export const SAFE_FLAGS: readonly string[];
/** See node-flags.mjs. */
export function nodeFlags(): readonly string[];
