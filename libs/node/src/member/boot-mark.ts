import type { Logger } from '@orbitmq/runtime';

/** The small files that the mark is kept in. */
export interface BootFiles {
  /** Text of a file; undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  /** Writes a file whole and durably. */
  write(path: string, text: string, mode: number): Promise<void>;
}

/** Where Linux names the present run of the kernel. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * The machine may have gone down since this member wrote last: then what it had written without fsync may be gone. A process that
 * was killed loses nothing that it had written, as the kernel has it.
 * @returns true also where that can't be told
 */
export async function hasRebooted(directory: string, files: BootFiles, logger: Logger): Promise<boolean> {
  const path = `${directory}/boot`;
  const boot = (await files.read(BOOT_ID).catch(() => undefined))?.trim();
  const kept = (await files.read(path))?.trim();
  if (boot !== undefined && kept === boot) return false;
  try {
    await files.write(path, `${boot ?? 'unknown'}\n`, 0o644);
  } catch (error) {
    logger.warn(
      { err: error, path },
      'the run of the kernel could not be kept; after the next start it counts as another one',
    );
  }
  return true;
}
