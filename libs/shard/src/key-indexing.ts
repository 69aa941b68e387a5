import { delay, MIB, MINUTE_MS, MqError, type Timer } from '@orbitmq/base';
import { StoredKeyReader, WireError } from '@orbitmq/protocol';
import { CorruptionError, type LogRecord } from '@orbitmq/storage';
import { type Vfs, VfsError } from '@orbitmq/vfs';
import { KeyHash, KeyIndex, type KeyPlaces } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { decodePointer } from './pointer.ts';
import { isMessage, MESSAGE_HEADER_BYTES, messageSystemEnd, RECORD } from './records.ts';

/** Bytes of the log that are looked at before others have their turn. */
const SLICE_BYTES = 256 * 1024;
/** Between two slices. Milliseconds. */
const SLICE_PAUSE_MS = 2;
/** So far behind it goes on at once: what lies much further back is not in memory any more, and would have to be read. Bytes. */
const HURRY_BYTES = MIB;
/** Between a send and its keys' way into the index, unless somebody asks. Milliseconds. */
const REST_MS = 100;
/** After a file could not be written. Milliseconds. */
const TRY_AGAIN_MS = 1000;
/** A part of the log that the disk can't read for so long is left out, as a damaged one. */
const UNREAD_MS_MAX = MINUTE_MS;
/** How long a query waits for the index to come to the end of the log. Milliseconds. */
const PATIENCE_MS = 5000;
const PATIENCE_STEP_MS = 5;
/** Files that one search looks at. */
const FILES_MAX = 64;

/** What is looked up. */
export const KEY_SPACE = { messageId: 1, key: 2, pending: 3, body: 4 } as const;
export type KeySpace = (typeof KEY_SPACE)[keyof typeof KEY_SPACE];

/**
 * Follows the log and notes where message ids and keys occur: behind what is confirmed, a slice at a time, so that no send
 * ever waits for it. After a start it goes on where its files end.
 */
export class KeyIndexing {
  readonly #core: ShardCore;
  readonly #index: KeyIndex;
  readonly #hash = new KeyHash();
  readonly #keys = new StoredKeyReader();
  #position = 0;
  /** End of the segment, or begin of a range that has a file: the open part ends there. */
  #partEnd = 0;
  /** Begin of the first file that was dropped, to be made again; Infinity when none was. */
  #redoFrom = Number.POSITIVE_INFINITY;
  /** Since when the disk can't read what comes next. */
  #unreadSinceMs: number | undefined;
  #timer: Timer | undefined;
  #work: Promise<void> | undefined;
  /** The file of a part is being written, and the next part is there to be added to. */
  #isFiling = false;
  #stopListening: () => void = () => {};
  readonly #visit = (record: LogRecord): void => this.#note(record);

  /** @param directory for the files of the index; it exists */
  constructor(core: ShardCore, vfs: Vfs, directory: string) {
    this.#core = core;
    this.#index = new KeyIndex(vfs, directory);
  }

  /** Takes over the files there are; where the index is off, they stay as they are. */
  async start(): Promise<void> {
    const { log, settings } = this.#core;
    if (!settings.messageIndexEnable) return;
    await this.#index.recover(log.startOffset, log.endOffset, (error) => this.#tellDamage(error));
    this.#goTo(log.startOffset);
    // Not before there is a part to add to: others append while the files are looked through.
    this.#stopListening = this.#core.onConfirmed(() => {
      this.#keepUp();
      this.#arm(REST_MS);
    });
    this.#arm(REST_MS);
  }

  async stop(): Promise<void> {
    this.#stopListening();
    this.#timer?.cancel();
    await this.#work;
  }

  /**
   * Places of records that may hold a key, the newest first.
   * @param range of the log
   * @throws MqError FORBIDDEN where the index is off
   */
  async find(space: KeySpace, key: string | number, range: { from: number; to: number }): Promise<KeyPlaces> {
    if (!this.#core.settings.messageIndexEnable) {
      throw new MqError(
        'FORBIDDEN',
        'this broker keeps no index of message ids and keys; its operator can have one made with messageIndexEnable=true',
      );
    }
    await this.#catchUp(Math.min(range.to, this.#core.confirmedOffset));
    const { low, high } = this.#hashOf(space, key);
    return this.#index.find({ low, high, ...range, filesMax: FILES_MAX }, (error, { start }) => {
      this.#tellDamage(error);
      this.#redoFrom = Math.min(this.#redoFrom, start);
      this.#arm(REST_MS);
    });
  }

  #hashOf(space: KeySpace, key: string | number): KeyHash {
    const bytes = Buffer.from(String(key));
    this.#hash.seed(this.#core.state.metadata.secret);
    this.#hash.of(space, bytes, 0, bytes.length);
    return this.#hash;
  }

  /** Waits until the index has come to a place, for a while. */
  async #catchUp(position: number): Promise<void> {
    const { clock } = this.#core;
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    while (this.#position < position && clock.monotonicMs() < untilMs && !this.#core.isStopping) {
      this.#arm(0);
      await delay(clock, PATIENCE_STEP_MS);
    }
  }

  #arm(delayMs: number): void {
    if (this.#work !== undefined || this.#core.isStopping) return;
    if (delayMs > 0 && this.#timer !== undefined) return;
    this.#timer?.cancel();
    this.#timer = this.#core.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.#work = this.#step().then((pauseMs) => {
        this.#work = undefined;
        if (pauseMs !== undefined) this.#arm(pauseMs);
      });
    });
  }

  /** Goes on as long as the log comes quicker than slices with pauses can follow. */
  #keepUp(): void {
    const { log, confirmedOffset } = this.#core;
    const isFarBehind = confirmedOffset - this.#position >= HURRY_BYTES;
    const isReading = this.#work !== undefined && !this.#isFiling;
    if (!isFarBehind || isReading || this.#index.isFull || this.#redoFrom < this.#position) return;
    if (this.#partEnd === Number.POSITIVE_INFINITY || this.#position < log.startOffset) return;
    const to = Math.min(this.#position + 2 * SLICE_BYTES, this.#partEnd, confirmedOffset);
    this.#position = log.scanTail(this.#position, to, this.#visit);
    if (this.#isPartDone && !this.#index.hasClosed) this.#closePart();
  }

  /** One slice. @returns the pause before the next one; undefined when there is nothing to do */
  async #step(): Promise<number | undefined> {
    const { log, logger } = this.#core;
    try {
      if (this.#position < log.startOffset) {
        await this.#index.removeBefore(log.startOffset);
        this.#goTo(log.startOffset);
      }
      if (this.#redoFrom < this.#position) this.#goTo(this.#redoFrom);
      this.#redoFrom = Number.POSITIVE_INFINITY;
      await this.#fileParts();
      // The log may not have begun the segment yet when the one before ended. Now, before anything of it is noted: its part begins here.
      if (this.#partEnd === Number.POSITIVE_INFINITY) this.#goTo(this.#position);
      const { confirmedOffset } = this.#core;
      const to = Math.min(this.#position + SLICE_BYTES, this.#partEnd, confirmedOffset);
      if (to <= this.#position) return undefined;
      this.#position = await this.#walk(this.#position, to);
      this.#unreadSinceMs = undefined;
      // What comes meanwhile is worth a read of its own only when there is more of it.
      return to < confirmedOffset ? SLICE_PAUSE_MS : REST_MS;
    } catch (error) {
      if (error instanceof CorruptionError || this.#isUnreadForLong(error)) {
        logger.error({ err: error }, 'a part of the log is damaged and its keys can not be looked up');
        this.#position = this.#partEnd;
        return SLICE_PAUSE_MS;
      }
      if (this.#core.isStopping || this.#position < log.startOffset) return SLICE_PAUSE_MS;
      if (!(error instanceof VfsError)) throw error;
      logger.warn({ err: error }, 'the index of keys could not go on; it is tried again');
      return TRY_AGAIN_MS;
    }
  }

  /** What is in memory was checked when it came there; the disk is read for what is not. */
  async #walk(from: number, to: number): Promise<number> {
    const { log } = this.#core;
    const reached = log.scanTail(from, to, this.#visit);
    return reached === from ? await log.scan(from, to, this.#visit) : reached;
  }

  #isUnreadForLong(error: unknown): boolean {
    if (!(error instanceof VfsError) || error.operation !== 'read' || this.#core.isStopping) return false;
    const nowMs = this.#core.clock.monotonicMs();
    this.#unreadSinceMs ??= nowMs;
    if (nowMs - this.#unreadSinceMs < UNREAD_MS_MAX) return false;
    this.#unreadSinceMs = undefined;
    return true;
  }

  get #isPartDone(): boolean {
    return this.#position >= this.#partEnd || this.#index.isFull;
  }

  /** Ends the part and begins the next one: there must always be one to add to. */
  #closePart(): void {
    this.#index.close(this.#position);
    this.#goTo(this.#position);
  }

  /** Writes the files of parts that are done. It takes a while, in which the next part is added to. */
  async #fileParts(): Promise<void> {
    for (;;) {
      if (this.#isPartDone && !this.#index.hasClosed) this.#closePart();
      if (!this.#index.hasClosed) return;
      this.#isFiling = true;
      try {
        await this.#index.fileClosed();
        await this.#index.removeBefore(this.#core.log.startOffset);
      } finally {
        this.#isFiling = false;
      }
    }
  }

  /** Begins a part at the first byte from `position` on that has no file. */
  #goTo(position: number): void {
    const { log } = this.#core;
    this.#position = this.#index.uncoveredFrom(Math.max(position, log.startOffset));
    const segment = log.segments().find(({ endOffset }) => this.#position < endOffset);
    const segmentEnd = segment?.endOffset ?? Number.POSITIVE_INFINITY;
    this.#partEnd = Math.min(segmentEnd, this.#index.coveredFrom(this.#position));
    this.#index.begin(this.#position);
  }

  #note(record: LogRecord): void {
    if (record.type === RECORD.pointer) {
      const { ends, body } = decodePointer(record.payload);
      const { low, high } =
        ends.id > 0 ? this.#hashOf(KEY_SPACE.pending, ends.id) : this.#hashOf(KEY_SPACE.body, body.physicalOffset);
      this.#index.add(low, high, record.physicalOffset);
      return;
    }
    if (!isMessage(record.type) && record.type !== RECORD.timed && record.type !== RECORD.half) return;
    try {
      this.#noteMessage(record);
    } catch (error) {
      // Only messages that came over the API are protobuf.
      if (!(error instanceof WireError)) throw error;
    }
  }

  /** Hashes the keys where they lie, as `#hashOf` does the bytes of a text. */
  #noteMessage({ bytes, payloadStart, physicalOffset }: LogRecord): void {
    const keys = this.#keys;
    keys.open(bytes, payloadStart + MESSAGE_HEADER_BYTES, messageSystemEnd(bytes, payloadStart));
    this.#hash.seed(this.#core.state.metadata.secret);
    while (keys.next()) {
      const { start, end, isMessageId } = keys;
      if (isMessageId && start === end) continue;
      this.#hash.of(isMessageId ? KEY_SPACE.messageId : KEY_SPACE.key, bytes, start, end);
      this.#index.add(this.#hash.low, this.#hash.high, physicalOffset);
    }
  }

  #tellDamage(error: Error): void {
    this.#core.logger.warn({ err: error }, 'a file of the index of keys is made again from the log');
  }
}
