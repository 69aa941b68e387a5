import type { Logger } from '@orbitmq/runtime';

/** The small files that the number is kept in. */
export interface IncarnationFiles {
  /** Text of a file; undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  /** Writes a file whole and durably. */
  write(path: string, text: string, mode: number): Promise<void>;
}

/**
 * Number of this start of a broker: the wall clock, but higher than at any start before on the same data directory, so
 * that name servers take the broker for the newer one also when the clock was set back. Where it can't be kept, as on a
 * full disk, the broker starts nevertheless.
 * @param wallMs milliseconds since 1970
 */
export async function nextIncarnation(
  directory: string,
  wallMs: number,
  files: IncarnationFiles,
  logger: Logger,
): Promise<number> {
  const path = `${directory}/incarnation`;
  try {
    const kept = Number((await files.read(path)) ?? 0);
    const incarnation = Math.max(Math.floor(wallMs), Number.isSafeInteger(kept) ? kept + 1 : 0);
    await files.write(path, `${incarnation}\n`, 0o644);
    return incarnation;
  } catch (error) {
    logger.warn({ err: error, path }, 'the number of this start could not be kept; the wall clock stands in for it');
    return Math.floor(wallMs);
  }
}
