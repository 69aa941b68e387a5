const CAPACITY_MIN = 8;
/** A table that has become empty is only kept up to this size. */
const CAPACITY_KEPT = 512;

/**
 * What belongs to the streams of a connection, by their numbers: an open hash table in two arrays.
 *
 * No `Map`: V8 leaves its former table pointing to the next one whenever it makes a new one, so that the first table that reaches the old
 * generation keeps alive all later ones, with all calls in them, until the whole heap is marked. Streams come and go too quickly for that.
 */
export class StreamTable<T> {
  #size = 0;
  /** Number of the stream in each place; 0 where there is none. */
  #ids: number[] = emptyPlaces(CAPACITY_MIN, 0);
  #values: (T | undefined)[] = emptyPlaces(CAPACITY_MIN, undefined);
  #mask = CAPACITY_MIN - 1;

  get size(): number {
    return this.#size;
  }

  get(id: number): T | undefined {
    return this.#values[this.#placeOf(id)];
  }

  /** @param id above 0 */
  set(id: number, value: T): void {
    let at = this.#placeOf(id);
    if (this.#ids[at] === 0) {
      if (this.#size * 2 > this.#mask) {
        this.#resize((this.#mask + 1) * 2);
        at = this.#placeOf(id);
      }
      this.#size++;
      this.#ids[at] = id;
    }
    this.#values[at] = value;
  }

  /** @returns whether it was there */
  delete(id: number): boolean {
    const at = this.#placeOf(id);
    if (this.#ids[at] === 0) return false;
    this.#size--;
    if (this.#size === 0 && this.#mask >= CAPACITY_KEPT) this.clear();
    else this.#closeGap(at);
    return true;
  }

  clear(): void {
    this.#size = 0;
    this.#resize(CAPACITY_MIN);
  }

  /** All values there are now, by the numbers of their streams. */
  values(): T[] {
    const ids = this.#ids.filter((id) => id !== 0).sort((a, b) => a - b);
    return ids.map((id) => this.get(id)!);
  }

  /** Where the id is, or would come. There is always a free place. */
  #placeOf(id: number): number {
    const ids = this.#ids;
    const mask = this.#mask;
    // Clients count by two.
    let at = (id >> 1) & mask;
    while (ids[at] !== id && ids[at] !== 0) at = (at + 1) & mask;
    return at;
  }

  /** Moves up what stands behind a place that has become free, where it is nearer to its own then. */
  #closeGap(from: number): void {
    const ids = this.#ids;
    const mask = this.#mask;
    let gap = from;
    for (let at = (gap + 1) & mask; ids[at] !== 0; at = (at + 1) & mask) {
      const own = (ids[at]! >> 1) & mask;
      if (((at - own) & mask) < ((at - gap) & mask)) continue;
      ids[gap] = ids[at]!;
      this.#values[gap] = this.#values[at];
      gap = at;
    }
    ids[gap] = 0;
    this.#values[gap] = undefined;
  }

  #resize(capacity: number): void {
    const ids = this.#ids;
    const values = this.#values;
    const isKept = this.#size > 0;
    this.#ids = emptyPlaces(capacity, 0);
    this.#values = emptyPlaces(capacity, undefined);
    this.#mask = capacity - 1;
    for (let from = 0; isKept && from < ids.length; from++) {
      if (ids[from] === 0) continue;
      const at = this.#placeOf(ids[from]!);
      this.#ids[at] = ids[from]!;
      this.#values[at] = values[from];
    }
    values.fill(undefined);
  }
}

function emptyPlaces<P>(count: number, empty: P): P[] {
  return new Array<P>(count).fill(empty);
}
