import { type Clock, MqError, type Timer } from '@orbitmq/base';
import { type CommitLog, CorruptionError } from './log.ts';
import { segmentIndexOf } from './segment.ts';

const SLICE_BYTES = 1024 * 1024;
const BYTES_PER_SECOND = 8 * 1024 * 1024;
const PAUSE_MS = 24 * 3_600_000;
const FIRST_PAUSE_MS = 60_000;

export interface ScrubArguments {
  readonly log: CommitLog;
  readonly clock: Clock;
  /** How fast sealed segments are read again. Default 8 MiB/s. */
  readonly bytesPerSecond?: number;
  /** Rest between the end of one round through the log and the next. Milliseconds, default 24 h. */
  readonly pauseMs?: number;
  /** Rest before the first round: a broker that is restarted each day must get its rounds too. Milliseconds, default 1 min, at most `pauseMs`. */
  readonly firstPauseMs?: number;
  /** Called for each damage that is found, once a segment and round: a CorruptionError, or a VfsError when it can't be read. */
  readonly onDamage: (error: Error) => void;
}

/** Running totals of a scrub. */
export interface ScrubStatistics {
  readonly checkedBytes: number;
  readonly roundCount: number;
  readonly damageCount: number;
}

/**
 * Reads sealed segments again in the background and checks each record's CRC, so that a bit that has turned on the disk is found
 * while there still is another copy, and not when it is needed.
 */
export class Scrub {
  readonly #args: ScrubArguments;
  readonly #bytesPerSecond: number;
  readonly #totals = { checkedBytes: 0, roundCount: 0, damageCount: 0 };
  #position = 0;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(args: ScrubArguments) {
    this.#args = args;
    this.#bytesPerSecond = args.bytesPerSecond ?? BYTES_PER_SECOND;
    this.#wait(args.firstPauseMs ?? Math.min(FIRST_PAUSE_MS, args.pauseMs ?? PAUSE_MS));
  }

  get statistics(): ScrubStatistics {
    return this.#totals;
  }

  /** Reads no more; a slice that is being read comes to its end unnoticed. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #wait(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = this.#args.clock.setTimer(delayMs, () => void this.#step());
  }

  async #step(): Promise<void> {
    const { log } = this.#args;
    this.#position = Math.max(this.#position, log.startOffset);
    const segment = log.segments()[segmentIndexOf(log.segments(), this.#position)];
    if (segment === undefined || !segment.sealed) {
      this.#totals.roundCount++;
      this.#position = 0;
      this.#wait(this.#args.pauseMs ?? PAUSE_MS);
      return;
    }
    const from = this.#position;
    try {
      this.#position = await log.scan(from, Math.min(from + SLICE_BYTES, segment.endOffset), () => {});
      this.#totals.checkedBytes += this.#position - from;
    } catch (error) {
      this.#position = segment.endOffset;
      if (!this.#stopped) this.#report(error);
    }
    this.#wait(((this.#position - from) * 1000) / this.#bytesPerSecond);
  }

  #report(error: unknown): void {
    // Retention has removed it meanwhile.
    if (error instanceof MqError && error.code === 'OFFSET_NOT_FOUND') return;
    this.#totals.damageCount++;
    this.#args.onDamage(error instanceof Error ? error : new CorruptionError('', this.#position, String(error)));
  }
}
