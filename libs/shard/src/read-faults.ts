import { type Clock, MINUTE_MS, MqError, SECOND_MS } from '@orbitmq/base';
import type { Logger } from '@orbitmq/runtime';
import { CorruptionError } from '@orbitmq/storage';
import { VfsError } from '@orbitmq/vfs';

/** What the system says of a medium that has lost what was on it. Other errors pass: of files, memory, the network. */
const MEDIUM_CODES: ReadonlySet<string> = new Set(['EIO', 'EBADMSG', 'EUCLEAN']);
/** A place that failed is left alone for so long, twice as long each time. */
const PAUSE_MS_FIRST = SECOND_MS;
const PAUSE_MS_MAX = 30 * SECOND_MS;
/** A place is given up when it has failed for so long, and so often. */
const EVIDENCE_MS = MINUTE_MS;
const EVIDENCE_COUNT = 3;
/** Places that are given up in the life of a process: a disk that fails in more must be replaced, not passed over. */
const LASTING_MAX = 64;
/** Places that are remembered. */
const PLACES_MAX = 1_024;

/** A place of the log can't be read now; it may be, later. */
export class ReadFault extends MqError {
  constructor(cause: Error) {
    super(
      'INTERNAL_SERVER_ERROR',
      'the broker could not read a stored message; its log says which: try again, then ask its operator',
      { cause },
    );
    this.name = 'ReadFault';
  }
}

/** A place of the log that the disk refuses to read, again and again: like damage. */
export class LastingReadFault extends Error {
  readonly file: string;
  readonly physicalOffset: number;

  constructor(physicalOffset: number, cause: VfsError) {
    super(`the disk can not read the log at physical offset ${physicalOffset}: ${cause.message}`, { cause });
    this.name = 'LastingReadFault';
    this.file = cause.path;
    this.physicalOffset = physicalOffset;
  }
}

/** What is wrong with a place of the log: it can't be read, or what is there is not what was written. */
export type PlaceError = VfsError | CorruptionError;

/** What a reader of such a place is told. */
export type Refusal = ReadFault | LastingReadFault | CorruptionError;

interface Place {
  readonly sinceMs: number;
  count: number;
  pauseUntilMs: number;
  error: Refusal;
  /** Another copy had it. */
  isRecovered: boolean;
}

/**
 * Places of the log that the disk could not read, or has damaged where another copy may come that has them: each is tried seldom, as a
 * failing disk may take seconds for a read, and given up after a minute, so that what lies there holds up nobody for ever.
 */
export class ReadFaults {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #places = new Map<number, Place>();
  #failureCount = 0;
  #lastingCount = 0;
  #recoveredCount = 0;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Reads that the disk has refused. */
  get failureCount(): number {
    return this.#failureCount;
  }

  /** Reads of such places that another copy has answered. */
  get recoveredCount(): number {
    return this.#recoveredCount;
  }

  /** Why a place is not to be read now; undefined when it may be. */
  refusal(physicalOffset: number): Refusal | undefined {
    if (this.#places.size === 0) return undefined;
    const place = this.#places.get(physicalOffset);
    if (place === undefined) return undefined;
    return !(place.error instanceof ReadFault) || this.#clock.monotonicMs() < place.pauseUntilMs
      ? place.error
      : undefined;
  }

  succeeded(physicalOffset: number): void {
    if (this.#places.size > 0) this.#places.delete(physicalOffset);
  }

  /** Another copy had what the disk has lost. */
  recovered(physicalOffset: number): void {
    this.#recoveredCount++;
    const place = this.#places.get(physicalOffset);
    if (place === undefined || place.isRecovered) return;
    place.isRecovered = true;
    this.#logger.warn({ physicalOffset }, 'what the log has lost here is read from a slave');
  }

  /** @returns what its reader is to be told */
  failed(physicalOffset: number, error: PlaceError): Refusal {
    if (isDiskError(error)) this.#failureCount++;
    const nowMs = this.#clock.monotonicMs();
    const place = this.#places.get(physicalOffset) ?? this.#add(physicalOffset, error, nowMs);
    // others that were under way when it failed say nothing new
    if (place.count > 0 && nowMs < place.pauseUntilMs) return place.error;
    place.count++;
    place.pauseUntilMs = nowMs + Math.min(PAUSE_MS_FIRST * 2 ** (place.count - 1), PAUSE_MS_MAX);
    if (this.#isLasting(place, error, nowMs)) {
      place.error = this.#lasting(physicalOffset, error);
      this.#logger.error({ err: error, physicalOffset, count: place.count }, 'a place of the log is given up');
    } else if (place.count === 1) {
      this.#logger.error(
        { err: error, physicalOffset },
        'the log can not be read here; it is tried again for a minute',
      );
    }
    return place.error;
  }

  #lasting(physicalOffset: number, error: PlaceError): LastingReadFault | CorruptionError {
    if (error instanceof CorruptionError) return error;
    this.#lastingCount++;
    return new LastingReadFault(physicalOffset, error);
  }

  #isLasting({ count, sinceMs }: Place, error: PlaceError, nowMs: number): boolean {
    if (count < EVIDENCE_COUNT || nowMs - sinceMs < EVIDENCE_MS) return false;
    if (error instanceof CorruptionError) return true;
    if (!MEDIUM_CODES.has(error.code)) return false;
    if (this.#lastingCount < LASTING_MAX) return true;
    this.#logger.error({ givenUp: LASTING_MAX }, 'the disk fails in too many places to pass over more; replace it');
    return false;
  }

  #add(physicalOffset: number, error: PlaceError, nowMs: number): Place {
    const place = { sinceMs: nowMs, count: 0, pauseUntilMs: 0, error: new ReadFault(error), isRecovered: false };
    if (this.#places.size >= PLACES_MAX) this.#forgetOne();
    this.#places.set(physicalOffset, place);
    return place;
  }

  /** The oldest that is not given up. */
  #forgetOne(): void {
    for (const [physicalOffset, { error }] of this.#places) {
      if (!(error instanceof ReadFault)) continue;
      this.#places.delete(physicalOffset);
      return;
    }
  }
}

export function isDiskError(error: unknown): error is VfsError {
  return error instanceof VfsError;
}
