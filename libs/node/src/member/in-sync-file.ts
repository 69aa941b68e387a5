import type { Logger } from '@orbitmq/runtime';
import type { BootFiles } from './boot-mark.ts';

/** The in-sync set of a master of a static role, as the next start of it is to find it. */
export interface InSyncFile {
  /** The members that were kept last; none when there were none. */
  read(): Promise<readonly number[]>;
  /** Keeps them durably. @returns false when that was not possible */
  write(members: readonly number[]): Promise<boolean>;
}

/** The file `in-sync` in a data directory: `brokerId`s with blanks between them. */
export function inSyncFile(directory: string, files: BootFiles, logger: Logger): InSyncFile {
  const path = `${directory}/in-sync`;
  return {
    async read() {
      const text = (await files.read(path)) ?? '';
      return text.split(/\s+/).filter(Boolean).map(Number).filter(Number.isSafeInteger);
    },
    async write(members) {
      try {
        await files.write(path, `${members.join(' ')}\n`, 0o644);
        return true;
      } catch (error) {
        logger.warn({ err: error, path }, 'the in-sync set could not be kept, and stays as it was');
        return false;
      }
    },
  };
}
