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
  readonly #patience = Promise.withResolvers<never>();
  /** Ends of sealed segments that were not confirmed when they were sealed, oldest first. */
  readonly #sealedEnds: number[] = [];
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
    this.#patience.promise.catch(() => {});
  }

  /** Bytes of the log that retention has removed since the start. */
  get removedBytes(): number {
    return this.#removedBytes;
  }

  /** Files what is sealed and confirmed, from now on. */
  start(): void {
    this.#core.log.onSealed(({ endOffset }) => {
      this.#sealedEnds.push(endOffset);
      this.#fileConfirmed();
    });
    this.#core.onConfirmed(() => this.#fileConfirmed());
  }

  /** Lets retention run, again and again: a leader's business. */
  startRetention(): void {
    this.#schedule();
  }

  /** Removes segments that the leader of this copy does not have any more, as far as it may. */
  trim(startOffset: number): Promise<void> {
    return this.#run('remove what the leader has removed', () => this.#trim(startOffset));
  }

  /** Lets retention run now. */
  retain(): Promise<void> {
    return this.#run('remove old messages', () => this.#retain());
  }

  /** Takes a snapshot when what was begun before is done. */
  snapshot(): Promise<void> {
    return this.#run('take a snapshot', () => this.#snapshot());
  }

  /**
   * Ends when nothing is under way and the last snapshot is taken, or when that waits for others for too long: then it ends with the
   * log.
   * @param wantsSnapshot asked when all else has ended
   */
  async stop(wantsSnapshot: () => boolean): Promise<void> {
    this.#timer?.cancel();
    const { clock } = this.#core;
    const patience = Promise.withResolvers<void>();
    const timer = clock.setTimer(CONFIRMATION_PATIENCE_MS, () => {
      this.#patience.reject(unconfirmed());
      patience.resolve();
    });
    const last = this.#work.then(() => (wantsSnapshot() ? this.snapshot() : undefined));
    await Promise.race([last, patience.promise]);
    timer.cancel();
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

  #fileConfirmed(): void {
    const { confirmedOffset } = this.#core;
    let count = 0;
    while (count < this.#sealedEnds.length && this.#sealedEnds[count]! <= confirmedOffset) count++;
    if (count === 0) return;
    this.#sealedEnds.splice(0, count);
    void this.#run('file the index of a sealed segment', () => this.#fileAndSnapshot());
  }

  async #fileAndSnapshot(): Promise<void> {
    const unfiled = this.#unfiled();
    if (unfiled.length === 0) return;
    this.#snapshotPending = true;
    for (const segment of unfiled) await this.#core.state.index.file(segment);
    await this.#snapshot();
  }

  /** Sealed segments whose index is not in a file yet. What is not confirmed may be cut, and a file would be wrong then. */
  #unfiled(): SegmentInfo[] {
    const { log, state, confirmedOffset } = this.#core;
    return log
      .segments()
      .filter(
        ({ sealed, startOffset, endOffset }) =>
          sealed && endOffset <= confirmedOffset && !state.index.isFiled(startOffset),
      );
  }

  async #snapshot(): Promise<void> {
    const { log, state, position } = this.#core;
    const open = log.segments().findLast(({ startOffset }) => startOffset <= position);
    if (open === undefined) return;
    // The state is ahead of the disk, and of the in-sync set: the snapshot is written when they have caught up with it.
    const sections = [...state.frozenSections(), state.openIndexSection(open.startOffset)];
    await log.flush(position);
    await this.#confirmed(position);
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
    // Trims and state first: what the log then begins with must be enough to rebuild everything, in every copy.
    await log.flush();
    await this.#confirmed(log.endOffset);
    this.#removedBytes += await log.removeBefore(removableBefore);
    await state.index.removeBefore(log.startOffset);
  }

  async #trim(startOffset: number): Promise<void> {
    const { log, state, confirmedOffset } = this.#core;
    const removableBefore = Math.min(startOffset, confirmedOffset, state.stateRecords.position);
    if (removableBefore <= log.startOffset) return;
    await log.flush(confirmedOffset);
    this.#removedBytes += await log.removeBefore(removableBefore);
    await state.index.removeBefore(log.startOffset);
  }

  /** Waits for the in-sync set; when the shard is being closed, not for long. @throws MqError */
  async #confirmed(position: number): Promise<void> {
    if (this.#core.confirmedOffset >= position) return;
    await Promise.race([this.#core.log.confirmed(position), this.#patience.promise]);
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
/** A shard that is being closed waits so long for what others have not confirmed. Milliseconds. */
const CONFIRMATION_PATIENCE_MS = 1000;

function unconfirmed(): MqError {
  return new MqError('HA_NOT_AVAILABLE', 'the in-sync set has not confirmed the end of the log in time');
}
