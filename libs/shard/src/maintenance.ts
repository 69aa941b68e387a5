import { MqError, type Timer } from '@orbitmq/base';
import type { SegmentInfo } from '@orbitmq/storage';
import { type Vfs, VfsError } from '@orbitmq/vfs';
import { writeSnapshot } from '@orbitmq/views';
import { Carrier } from './carrier.ts';
import type { ShardCore } from './core.ts';
import { encodeCut, RECORD } from './records.ts';
import { Retention } from './retention.ts';
import { SegmentHolders } from './segment-holders.ts';
import { appendState } from './state-records.ts';

/** What the maintenance needs beside the shard's core. */
export interface MaintenanceOptions {
  readonly vfs: Vfs;
  readonly snapshotDirectory: string;
  /** The disk is so full that segments should go before their time. */
  isCrowded(): boolean;
  /** Called with an error that nobody expects: the process must end. */
  onFatal(error: Error): void;
}

/**
 * What is done beside the messages, one thing after the other: index files and snapshots when a segment is sealed,
 * retention, snapshots at the end. A file that can't be written is only tried again later: the log has it all.
 */
export class Maintenance {
  readonly #core: ShardCore;
  readonly #options: MaintenanceOptions;
  readonly #retention: Retention;
  readonly #carrier: Carrier;
  readonly #holders: SegmentHolders;
  #work: Promise<void> = Promise.resolve();
  #snapshotPending = false;
  #timer: Timer | undefined;
  #removedBytes = 0;

  constructor(core: ShardCore, options: MaintenanceOptions) {
    this.#core = core;
    this.#options = options;
    this.#retention = new Retention(core);
    this.#carrier = new Carrier(core);
    this.#holders = new SegmentHolders(core);
  }

  /** Bytes of the log that retention has removed since the start. */
  get removedBytes(): number {
    return this.#removedBytes;
  }

  start(): void {
    this.#core.log.onSealed(() => {
      void this.#run('file the index of a sealed segment', () => this.#fileAndSnapshot());
    });
    this.#schedule();
  }

  /** Lets retention run now. */
  retain(): Promise<void> {
    return this.#run('remove old messages', () => this.#retain());
  }

  /** Takes a snapshot when what was begun before is done. */
  snapshot(): Promise<void> {
    return this.#run('take a snapshot', () => this.#snapshot());
  }

  /** Ends when nothing is under way. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#work;
  }

  #schedule(): void {
    if (this.#core.isStopping) return;
    this.#timer = this.#core.clock.setTimer(this.#core.settings.retentionIntervalMs, () => {
      void this.retain().then(() => this.#schedule());
    });
  }

  #run(what: string, work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work).catch((error: Error) => {
      if (error instanceof VfsError || error instanceof MqError) {
        this.#core.logger.warn({ err: error }, `could not ${what}; it is tried again`);
      } else {
        this.#options.onFatal(error);
      }
    });
    return this.#work;
  }

  async #fileAndSnapshot(): Promise<void> {
    const unfiled = this.#unfiled();
    if (unfiled.length === 0) return;
    this.#snapshotPending = true;
    for (const segment of unfiled) await this.#core.state.index.file(segment);
    await this.#snapshot();
  }

  /** Sealed segments whose index is not in a file yet. */
  #unfiled(): SegmentInfo[] {
    const { log, state } = this.#core;
    return log.segments().filter((segment) => segment.sealed && !state.index.isFiled(segment.startOffset));
  }

  async #snapshot(): Promise<void> {
    const { log, state } = this.#core;
    const position = log.endOffset;
    const openStart = log.segments().at(-1)!.startOffset;
    // The state is ahead of the disk: the snapshot is written when the log has caught up with it.
    const sections = [...state.sections(), state.openIndexSection(openStart)];
    await log.flush(position);
    await writeSnapshot(this.#options.vfs, this.#options.snapshotDirectory, { position, sections });
    this.#snapshotPending = false;
  }

  async #retain(): Promise<void> {
    // On a full disk no file can be written: that must not keep retention from making room.
    const { log } = this.#core;
    await this.#tryAgain();
    const isCrowded = this.#options.isCrowded();
    const { removableBefore, carry } = await this.#retention.round(isCrowded);
    const oldest = log.segments()[0];
    if (removableBefore > log.startOffset) await this.#remove(removableBefore);
    else if (isCrowded && carry === undefined && oldest?.sealed) await this.#holders.tell(oldest);
    if (carry !== undefined) await this.#carrier.carry(carry);
  }

  async #remove(removableBefore: number): Promise<void> {
    const { log, state } = this.#core;
    const oldestPin = state.pins.first();
    if (oldestPin !== undefined && oldestPin < removableBefore) {
      this.#core.append(RECORD.cut, [encodeCut(removableBefore)]);
    }
    if (state.stateRecords.position < removableBefore) await this.#appendState();
    // Trims and state first: what the log then begins with must be enough to rebuild everything.
    await log.flush();
    this.#removedBytes += await log.removeBefore(removableBefore);
    await state.index.removeBefore(log.startOffset);
  }

  async #tryAgain(): Promise<void> {
    try {
      if (this.#unfiled().length > 0) await this.#fileAndSnapshot();
      else if (this.#snapshotPending) await this.#snapshot();
    } catch (error) {
      if (!(error instanceof VfsError)) throw error;
      this.#core.logger.warn({ err: error }, 'an index file or a snapshot could not be written; it is tried again');
    }
  }

  async #appendState(): Promise<void> {
    const { log, state, settings } = this.#core;
    const chunkBytes = Math.min(
      STATE_CHUNK_BYTES,
      Math.floor((settings.log.recordBytesMax ?? STATE_CHUNK_BYTES * 2) / 2),
    );
    const snapshot = { position: log.endOffset, sections: state.sections() };
    await appendState(log, snapshot, chunkBytes, (type, parts) => this.#core.append(type, parts));
  }
}

const STATE_CHUNK_BYTES = 128 * 1024;
