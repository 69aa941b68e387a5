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

/** What a member knows of the run of the kernel in which it wrote last. */
export interface BootMark {
  /**
   * The machine may have gone down since: then what had been written without fsync may be gone. A process that was killed loses nothing
   * that it had written, as the kernel has it. True also where that can't be told.
   */
  readonly hasRebooted: boolean;
  /** Keeps the present run: nothing is lacking any more. Not before, as the next start must know what this one did not make up for. */
  keep(): Promise<void>;
}

/** Reads the mark of a data directory. */
export async function readBootMark(directory: string, files: BootFiles, logger: Logger): Promise<BootMark> {
  const path = `${directory}/boot`;
  const boot = (await files.read(BOOT_ID).catch(() => undefined))?.trim();
  const kept = (await files.read(path))?.trim();
  return {
    hasRebooted: boot === undefined || kept !== boot,
    keep: async () => {
      if (boot === undefined || kept === boot) return;
      try {
        await files.write(path, `${boot}\n`, 0o644);
      } catch (error) {
        logger.warn(
          { err: error, path },
          'the run of the kernel could not be kept; after the next start it counts as another one',
        );
      }
    },
  };
}
