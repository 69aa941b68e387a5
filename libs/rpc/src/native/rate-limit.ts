/** Bounds how often something happens: a rate, and how much may be saved up for a burst. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  #left: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#left = burst;
    this.#atMs = nowMs;
  }

  /** It happens, so many times. @returns false when that is too often */
  take(count: number, nowMs: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + ((nowMs - this.#atMs) * this.#perSecond) / 1000) - count;
    this.#atMs = nowMs;
    return this.#left >= 0;
  }

  /** It is welcome so many times more. */
  allow(count: number): void {
    this.#left = Math.min(this.#burst, this.#left + count);
  }
}
