import type { Timer } from '@orbitmq/base';
import { type Vfs, VfsError } from '@orbitmq/vfs';
import type { ShardCore } from './core.ts';

/** Looks at the room on the disk, so that sends are refused before it is full while acks and leases still fit. */
export class DiskWatch {
  readonly #core: ShardCore;
  readonly #vfs: Vfs;
  readonly #directory: string;
  /** Hears each time that the disk is found so full that segments should go before their time. */
  readonly #onCrowded: () => void;
  #timer: Timer | undefined;
  #totalBytes = 0;
  #availableAtCheckBytes = Number.POSITIVE_INFINITY;
  /** What the log had surely written when the disk was asked. */
  #writtenAtCheck = 0;

  constructor(core: ShardCore, vfs: Vfs, directory: string, onCrowded: () => void) {
    this.#core = core;
    this.#vfs = vfs;
    this.#directory = directory;
    this.#onCrowded = onCrowded;
  }

  /** Share of the disk that is in use, 0…1. */
  get usedRatio(): number {
    return this.#totalBytes > 0 ? 1 - this.#availableBytes / this.#totalBytes : 0;
  }

  /** A fast producer fills a small disk between two looks at it: what has been appended since counts too. */
  get #availableBytes(): number {
    return Math.max(0, this.#availableAtCheckBytes - (this.#core.log.endOffset - this.#writtenAtCheck));
  }

  /** Why sends are refused now; undefined when they are taken. */
  get refusal(): string | undefined {
    const { diskFullRatio, diskReserveBytes } = this.#core.settings;
    const { usedRatio } = this;
    if (usedRatio > diskFullRatio) {
      return (
        `the disk of the broker is ${percent(usedRatio)} full, and sends are refused beyond ${percent(diskFullRatio)}: ` +
        'make room, or wait until old messages are removed'
      );
    }
    if (this.#availableBytes >= diskReserveBytes) return undefined;
    return (
      `the disk of the broker has ${this.#availableBytes} bytes left, and ${diskReserveBytes} are kept for acknowledgements: ` +
      'make room, or wait until old messages are removed'
    );
  }

  get isCrowded(): boolean {
    return this.usedRatio > this.#core.settings.diskCleanRatio || this.refusal !== undefined;
  }

  /** Looks once, and then again and again. */
  async start(): Promise<void> {
    await this.check();
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  async check(): Promise<void> {
    const wasRefused = this.refusal !== undefined;
    const { storedOffset } = this.#core.log;
    try {
      const { totalBytes, availableBytes } = await this.#vfs.diskSpace(this.#directory);
      this.#totalBytes = totalBytes;
      this.#availableAtCheckBytes = availableBytes;
      this.#writtenAtCheck = storedOffset;
    } catch (error) {
      if (!(error instanceof VfsError)) throw error;
      this.#core.logger.warn({ err: error }, 'the room on the disk could not be read');
    }
    const { refusal } = this;
    const facts = { usedRatio: this.usedRatio, availableBytes: this.#availableBytes };
    if (refusal !== undefined && !wasRefused)
      this.#core.logger.error(facts, 'sends are refused: the disk is nearly full');
    if (refusal === undefined && wasRefused)
      this.#core.logger.info(facts, 'sends are taken again: there is room on the disk');
    if (this.isCrowded) this.#onCrowded();
  }

  #schedule(): void {
    if (this.#core.isStopping) return;
    this.#timer = this.#core.clock.setTimer(this.#core.settings.diskCheckIntervalMs, () => {
      void this.check().then(() => this.#schedule());
    });
  }
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
