// With which flags the programs run. Runs on the Node that the machine has (20 or later): Node's own modules only.
import { totalmem } from 'node:os';

/** No `__proto__` tricks, no code from strings. */
export const SAFE_FLAGS = ['--disable-proto=throw', '--disallow-code-generation-from-strings'];

/**
 * No more than 48 MiB for what has just been made (three times a semi-space), where V8 would take four times as much: nearly all of it is
 * garbage soon, and of more V8's helper threads would mark more.
 */
const SEMI_SPACE_FLAG = '--max-semi-space-size=16';

/** With less V8 goes by what there is, which it does better than by flags that were made for servers. */
const ROOMY_BYTES = 2 ** 30;

/** Whether this process may use so much memory that a program is to be quick rather than small. */
function isRoomy() {
  const limit = process.constrainedMemory?.() ?? 0;
  return Math.min(totalmem(), limit > 0 ? limit : Number.POSITIVE_INFINITY) >= ROOMY_BYTES;
}

/** The flags for a program that is started from here. */
export function nodeFlags() {
  return isRoomy() ? [...SAFE_FLAGS, SEMI_SPACE_FLAG] : SAFE_FLAGS;
}
