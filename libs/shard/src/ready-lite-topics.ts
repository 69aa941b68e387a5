import type { LiteTopic } from '@orbitmq/views';

/** Places of a ring that are not worth clearing away. */
const SLACK = 64;

/**
 * Lite topics that may have something to give, in the order in which they got it. A ring of places and a set that says
 * which of them count: taking one out of the middle leaves its place behind, for the next that clears away.
 */
export class ReadyLiteTopics {
  readonly #members = new Set<LiteTopic>();
  #places: (LiteTopic | undefined)[] = [];
  #head = 0;

  get count(): number {
    return this.#members.size;
  }

  /** Puts one at the end, unless it is in. */
  add(liteTopic: LiteTopic): void {
    if (this.#members.has(liteTopic)) return;
    this.#members.add(liteTopic);
    if (this.#places.length > 2 * this.#members.size + SLACK) this.#clearAway();
    this.#places.push(liteTopic);
  }

  /** Takes the first one out; undefined when there is none. */
  take(): LiteTopic | undefined {
    while (this.#head < this.#places.length) {
      const liteTopic = this.#places[this.#head]!;
      this.#places[this.#head++] = undefined;
      if (this.#members.delete(liteTopic)) return liteTopic;
    }
    this.#places = [];
    this.#head = 0;
    return undefined;
  }

  /** Puts one that was taken back to the front. */
  putBack(liteTopic: LiteTopic): void {
    if (this.#members.has(liteTopic)) return;
    this.#members.add(liteTopic);
    if (this.#head > 0) this.#places[--this.#head] = liteTopic;
    else this.#places.unshift(liteTopic);
  }

  remove(liteTopic: LiteTopic): void {
    this.#members.delete(liteTopic);
  }

  clear(): void {
    this.#members.clear();
    this.#places = [];
    this.#head = 0;
  }

  #clearAway(): void {
    const seen = new Set<LiteTopic>();
    this.#places = this.#places.filter((liteTopic, at) => {
      if (at < this.#head || liteTopic === undefined || !this.#members.has(liteTopic) || seen.has(liteTopic))
        return false;
      seen.add(liteTopic);
      return true;
    });
    this.#head = 0;
  }
}
