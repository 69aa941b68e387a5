const RESETS_KEPT_MAX = 256;
const GAPS_KEPT_MAX = 16;

/**
 * What is remembered of streams that are not open: frames may still come for those that we have reset, and of those that
 * were skipped none may come.
 */
export class StreamHistory {
  #lastStreamId = 0;
  #resets: Set<number> | undefined;
  /** First and last number of what was skipped. */
  #gaps: (readonly [first: number, last: number])[] | undefined;

  /** The highest number that the client has used. */
  get lastStreamId(): number {
    return this.#lastStreamId;
  }

  /** Whether the stream is open or was. */
  isKnown(streamId: number): boolean {
    return streamId <= this.#lastStreamId && streamId % 2 === 1;
  }

  /** @param streamId higher than all before */
  open(streamId: number): void {
    if (streamId > this.#lastStreamId + 2) this.#addGap(this.#lastStreamId + 1, streamId - 1);
    this.#lastStreamId = streamId;
  }

  /** We have reset a stream; the client will notice after a while. */
  addReset(streamId: number): void {
    this.#resets ??= new Set();
    this.#resets.add(streamId);
    if (this.#resets.size <= RESETS_KEPT_MAX) return;
    const [oldest] = this.#resets;
    this.#resets.delete(oldest!);
  }

  /** Whether we have reset the stream not long ago. */
  wasReset(streamId: number): boolean {
    return this.#resets?.has(streamId) === true;
  }

  /** Whether the client opened a later stream without having opened this one. */
  wasSkipped(streamId: number): boolean {
    return this.#gaps?.some(([first, last]) => first <= streamId && streamId <= last) === true;
  }

  #addGap(first: number, last: number): void {
    this.#gaps ??= [];
    this.#gaps.push([first, last]);
    if (this.#gaps.length > GAPS_KEPT_MAX) this.#gaps.shift();
  }
}
