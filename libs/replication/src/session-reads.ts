import type { Clock } from '@orbitmq/base';
import type { FollowerMessage_ReadAnswer, LeaderMessage_Read } from '@orbitmq/protocol/orbitmq.replication.v1';
import type { LogChunk } from '@orbitmq/storage';

/** What the reads of a session work with. */
export interface SessionReadsOptions {
  readonly clock: Clock;
  /** See `ReplicationSettings`. */
  readonly readBytesMax: number;
  /** Sends the request. @returns false when the follower takes nothing now */
  send(read: LeaderMessage_Read): boolean;
}

/** Reads that one follower is asked for at a time: what it holds for them in memory is bounded by that. */
export const READS_MAX = 8;
/** A reader waits no longer for one follower; the disk is there, too. Milliseconds. */
const ANSWER_MS = 500;
/** A follower that did not answer in time is left alone for so long, twice as long each time. Milliseconds. */
const REST_MS_FIRST = 1000;
const REST_MS_MAX = 30_000;

type Answered = (chunk: LogChunk | undefined) => void;

/** What one follower reads for its leader, over its stream. */
export class SessionReads {
  readonly #options: SessionReadsOptions;
  readonly #waiting = new Map<number, Answered>();
  #newestId = 0;
  #restMs = 0;
  #restUntilMs = 0;
  #closed = false;

  constructor(options: SessionReadsOptions) {
    this.#options = options;
  }

  /** It may be asked now. */
  get isReady(): boolean {
    if (this.#closed || this.#waiting.size >= READS_MAX) return false;
    return this.#restMs === 0 || this.#options.clock.monotonicMs() >= this.#restUntilMs;
  }

  /** Reads that it has not answered yet. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** See `LogCopies.read`. */
  read(from: number, bytesMax: number): Promise<LogChunk | undefined> {
    const { clock, readBytesMax, send } = this.#options;
    const id = ++this.#newestId;
    const { promise, resolve } = Promise.withResolvers<LogChunk | undefined>();
    const request = {
      id: BigInt(id),
      fromOffset: BigInt(from),
      sizeBytes: Math.min(bytesMax, readBytesMax),
      recordBytesMax: readBytesMax,
    };
    if (!this.isReady || !send(request)) {
      resolve(undefined);
      return promise;
    }
    const patience = clock.setTimer(ANSWER_MS, () => {
      this.#rest();
      answered(undefined);
    });
    const answered: Answered = (chunk) => {
      patience.cancel();
      this.#waiting.delete(id);
      resolve(chunk);
    };
    this.#waiting.set(id, answered);
    return promise;
  }

  /** An answer has come. One that nobody waits for any more means nothing. */
  take({ id, records }: FollowerMessage_ReadAnswer): void {
    const answered = this.#waiting.get(Number(id));
    if (answered === undefined) return;
    this.#restMs = 0;
    if (records === undefined) answered(undefined);
    else {
      const { startOffset, endOffset, records: bytes } = records;
      answered({ startOffset: Number(startOffset), endOffset: Number(endOffset), bytes });
    }
  }

  /** Its stream has ended: nobody waits for it any more. */
  close(): void {
    this.#closed = true;
    for (const answered of [...this.#waiting.values()]) answered(undefined);
  }

  #rest(): void {
    const nowMs = this.#options.clock.monotonicMs();
    // Those that were asked for at the same time say nothing new.
    if (this.#restMs > 0 && nowMs < this.#restUntilMs) return;
    this.#restMs = Math.min(Math.max(this.#restMs * 2, REST_MS_FIRST), REST_MS_MAX);
    this.#restUntilMs = nowMs + this.#restMs;
  }
}
