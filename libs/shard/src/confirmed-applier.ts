import { MqError } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import type { CommitLog, LogRecord } from '@orbitmq/storage';
import { type ComparedChecksum, compareAttestation } from './attestation.ts';
import { type Confirmation, leaderConfirmation } from './core.ts';
import { RECORD } from './records.ts';
import { recoverIndex } from './recovery.ts';
import type { ShardState } from './state.ts';
import { StateSearch } from './state-records.ts';

/** Bytes of the log that are applied before others have their turn. */
const SLICE_BYTES = 128 * 1024;
/** Records that change topics or groups. */
const METADATA_TYPES: ReadonlySet<number> = new Set([
  RECORD.topic,
  RECORD.topicDeletion,
  RECORD.group,
  RECORD.groupDeletion,
  RECORD.secret,
]);

/** What an applier works on. */
export interface ConfirmedApplierParts {
  readonly log: CommitLog;
  readonly state: ShardState;
  readonly logger: Logger;
  /** Position of the state; undefined when the log begins at a later byte, and the state with which it begins is not known yet. */
  readonly position: number | undefined;
  /** Runs the next slice when others have had their turn. */
  readonly defer: (callback: () => void) => void;
  readonly onMetadataChange: () => void;
  /** Called with an error that nobody expects: the process must end. */
  readonly onFatal: (error: Error) => void;
}

/** Somebody who waits for a position. */
interface Waiting {
  readonly position: number;
  resolve(): void;
  reject(error: Error): void;
}

/**
 * Applies to a follower's state what is confirmed, in the order of the log, a slice at a time. It comes from memory, as it has just been
 * received; only a copy that is behind reads its disk. When the shard is promoted, it applies the rest, and from then on
 * the state is where the log ends.
 */
export class ConfirmedApplier implements Confirmation {
  readonly #parts: ConfirmedApplierParts;
  readonly #listeners = new Set<() => void>();
  #position: number | undefined;
  /** A copy without a base state looks for one in what is confirmed. */
  #search: StateSearch | undefined;
  #searchedTo = 0;
  #leader: Confirmation | undefined;
  #attested: ComparedChecksum | undefined;
  #waiting: Waiting[] = [];
  #work: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: ConfirmedApplierParts) {
    this.#parts = parts;
    this.#position = parts.position;
    parts.log.onConfirmed(() => this.#start());
  }

  get confirmedOffset(): number {
    return this.#leader?.confirmedOffset ?? this.#position ?? this.#parts.log.startOffset;
  }

  get position(): number {
    return this.#leader?.position ?? this.#position ?? this.#parts.log.startOffset;
  }

  get hasBase(): boolean {
    return this.#base() !== undefined;
  }

  get attested(): ComparedChecksum | undefined {
    return this.#attested;
  }

  onConfirmed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when all before `position` is applied. */
  applied(position: number): Promise<void> {
    if ((this.#position ?? -1) >= position) return Promise.resolve();
    if (this.#stopped) return Promise.reject(closed());
    return new Promise((resolve, reject) => this.#waiting.push({ position, resolve, reject }));
  }

  /** Applies no more; resolves when what was begun has ended. */
  async stop(): Promise<void> {
    await this.pause();
    for (const { reject } of this.#waiting.splice(0)) reject(closed());
  }

  /** Applies nothing until `resume`; resolves when what was begun has ended. */
  async pause(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  resume(): void {
    this.#stopped = false;
    if (this.#isBehind) this.#start();
  }

  /** Looks for the base state in all that is stored, if there is none yet. To be paused. @returns whether there is one */
  async findBase(): Promise<boolean> {
    while (!this.hasBase && this.#searchedTo < this.#parts.log.storedOffset) {
      await this.#searchBase(this.#parts.log.storedOffset);
    }
    return this.hasBase;
  }

  /** The log is led by this node now: applies what is left of it; then the state is at its end, and goes on with it. To be paused. */
  async lead(): Promise<void> {
    const { log } = this.#parts;
    while (this.#base()! < log.endOffset) await this.#applySlice(log.endOffset);
    this.#leader = leaderConfirmation(log);
    log.onConfirmed(() => this.#tell());
    this.#tell();
    this.#reach(log.endOffset);
  }

  /** An empty log begins where its first record does: with nothing, when that is its very begin. */
  #base(): number | undefined {
    const { log } = this.#parts;
    if (this.#position === undefined && log.startOffset === 0 && log.logId !== undefined) this.#position = 0;
    return this.#position;
  }

  #start(): void {
    if (this.#work !== undefined || this.#stopped) return;
    this.#work = new Promise((resolve) => {
      this.#parts.defer(() => {
        void this.#applyConfirmed()
          .catch((error: Error) => {
            this.#stopped = true;
            this.#parts.onFatal(error);
          })
          .finally(() => {
            this.#work = undefined;
            resolve();
            if (this.#isBehind) this.#start();
          });
      });
    });
  }

  get #isBehind(): boolean {
    const { log } = this.#parts;
    return (this.#base() ?? this.#searchedTo) < log.confirmedOffset && log.fenced === undefined;
  }

  async #applyConfirmed(): Promise<void> {
    const { log } = this.#parts;
    if (this.#stopped) return;
    if (this.#base() === undefined) await this.#searchBase(log.confirmedOffset);
    else await this.#applySlice(log.confirmedOffset);
  }

  async #applySlice(end: number): Promise<void> {
    const { log } = this.#parts;
    const from = this.#position!;
    const to = Math.min(end, from + SLICE_BYTES);
    if (from >= to) return;
    let metadataChanged = false;
    const visit = (record: LogRecord): void => {
      this.#apply(record);
      metadataChanged ||= METADATA_TYPES.has(record.type);
    };
    let reached = log.scanTail(from, to, visit);
    if (reached === from) reached = await log.scan(from, to, visit);
    this.#position = reached;
    if (metadataChanged) this.#parts.onMetadataChange();
    this.#tell();
    this.#reach(reached);
  }

  #apply(record: LogRecord): void {
    const { state, logger } = this.#parts;
    if (record.type === RECORD.attestation) {
      const compared = compareAttestation(record, state.checksum());
      if (compared.checksum !== compared.leaderChecksum) {
        logger.error(
          { ...compared },
          "the state of this copy is not its leader's: move its data directory away and start it anew",
        );
      }
      this.#attested = compared;
    }
    state.apply(record);
  }

  /** @param end of what may be searched */
  async #searchBase(end: number): Promise<void> {
    const { log, state, logger } = this.#parts;
    this.#search ??= new StateSearch(log.startOffset);
    const from = Math.max(this.#searchedTo, log.startOffset);
    const search = this.#search;
    this.#searchedTo = await log.scan(from, Math.min(end, from + SLICE_BYTES), (record) => search.visit(record));
    const { found } = search;
    if (found === undefined) return;
    state.restore(found.sections);
    await recoverIndex(state, log, found);
    this.#search = undefined;
    this.#position = found.position;
    logger.info({ position: found.position }, 'the state with which the log begins has come');
    this.#parts.onMetadataChange();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #reach(position: number): void {
    if (this.#waiting.length === 0) return;
    const reached = this.#waiting.filter((waiting) => waiting.position <= position);
    this.#waiting = this.#waiting.filter((waiting) => waiting.position > position);
    for (const { resolve } of reached) resolve();
  }
}

function closed(): MqError {
  return new MqError('INTERNAL_SERVER_ERROR', 'this copy of the shard is closed');
}
