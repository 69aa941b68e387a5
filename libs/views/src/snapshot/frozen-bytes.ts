/**
 * Bytes as they are now, of memory that is written over later: they are copied part by part when there is time, and all that is left
 * at once when somebody is about to change them.
 */
export class FrozenBytes {
  readonly sizeBytes: number;
  #runs: readonly Uint8Array[];
  #isKept = false;

  /** @param runs views of the memory, one behind the other */
  constructor(runs: readonly Uint8Array[]) {
    this.#runs = runs;
    this.sizeBytes = runs.reduce((sum, run) => sum + run.length, 0);
  }

  /** Fills `target` with the bytes from `from` on; all of it must lie within them. */
  copy(from: number, target: Uint8Array): void {
    let runStart = 0;
    for (const run of this.#runs) {
      const begin = Math.max(from, runStart);
      const end = Math.min(from + target.length, runStart + run.length);
      if (begin < end) target.set(run.subarray(begin - runStart, end - runStart), begin - from);
      runStart += run.length;
    }
  }

  /** The memory is about to change: what it holds now is copied, once. */
  keep(): void {
    if (this.#isKept) return;
    this.#isKept = true;
    this.#runs = this.#runs.map((run) => run.slice());
  }

  /** Nobody asks any more. */
  release(): void {
    this.#isKept = true;
    this.#runs = [];
  }
}
