import type { Clock, Timer } from '@orbitmq/base';

/** A leader that comes back waits so long for a word of each member that stood in for it. Milliseconds. */
const PATIENCE_MS = 2_000;
/** And so long in all while they hand over. Milliseconds. */
const PATIENCE_MAX_MS = 10_000;

/**
 * What consumers ask of a leader that comes back waits until those who stood in for it have handed over what they settled: else it would
 * give out again what was acknowledged there. Not for long: a member that is gone must not keep a leader from serving.
 */
export class DeliveryHold {
  readonly #waiting: Set<number>;
  readonly #clock: Clock;
  readonly #endMs: number;
  readonly #released = Promise.withResolvers<void>();
  #timer: Timer | undefined;
  #isOver = false;

  /** @param members that stand in, as far as anybody knows */
  constructor(members: readonly number[], clock: Clock) {
    this.#waiting = new Set(members);
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + PATIENCE_MAX_MS;
    if (members.length === 0) this.release();
    else this.#wait();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves when it is over. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  /** A member is about to hand over, goes on with it, or is done with it. */
  onStandIn(member: number, isComplete: boolean): void {
    if (this.#isOver) return;
    if (isComplete) this.#waiting.delete(member);
    else this.#waiting.add(member);
    if (this.#waiting.size === 0) this.release();
    else this.#wait();
  }

  /** Idempotent. */
  release(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#released.resolve();
  }

  #wait(): void {
    this.#timer?.cancel();
    const leftMs = Math.min(PATIENCE_MS, this.#endMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimer(Math.max(0, leftMs), () => this.release());
  }
}
