import { CorruptionError, Scrub, type ScrubStatistics } from '@orbitmq/storage';
import { VfsError } from '@orbitmq/vfs';
import type { ShardCore } from './core.ts';

const NOTHING: ScrubStatistics = { checkedBytes: 0, roundCount: 0, damageCount: 0 };

/**
 * Reads the sealed part of the log again and again, slowly, and tells of what has turned on the disk. The shard goes on:
 * only the messages in the damaged bytes can't be read, and the operator learns of them while a backup may still have them.
 */
export class LogScrub {
  readonly #core: ShardCore;
  readonly #onFatal: (error: Error) => void;
  #scrub: Scrub | undefined;

  /** @param onFatal hears of an error that nobody expects: the process must end */
  constructor(core: ShardCore, onFatal: (error: Error) => void) {
    this.#core = core;
    this.#onFatal = onFatal;
  }

  /** Totals since the start. */
  get statistics(): ScrubStatistics {
    return this.#scrub?.statistics ?? NOTHING;
  }

  start(): void {
    const { log, clock, settings } = this.#core;
    const { scrubBytesPerSecond: bytesPerSecond, scrubPauseMs: pauseMs } = settings;
    if (bytesPerSecond === 0) return;
    this.#scrub = new Scrub({
      log,
      clock,
      bytesPerSecond,
      pauseMs,
      onDamage: (error) => this.#tell(error),
    });
  }

  stop(): void {
    this.#scrub?.stop();
  }

  #tell(error: Error): void {
    const { logger } = this.#core;
    if (error instanceof CorruptionError) {
      const { file, physicalOffset } = error;
      logger.error({ err: error, file, physicalOffset }, 'a sealed segment of the commit log is damaged');
    } else if (error instanceof VfsError) {
      logger.error({ err: error, file: error.path }, 'a sealed segment of the commit log can not be read');
    } else {
      this.#onFatal(error);
    }
  }
}
