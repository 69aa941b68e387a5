/** Collects ranges of one buffer that stay, in order, and gives them as one piece: a view as long as they are in one run. */
export class KeptBytes {
  readonly #source: Buffer;
  /** start and end of each finished run. */
  readonly #runs: number[] = [];
  #start = 0;
  #end = 0;
  #size = 0;

  constructor(source: Buffer) {
    this.#source = source;
  }

  /** Adds [start, end), which lies behind all that was added before. */
  add(start: number, end: number): void {
    this.#size += end - start;
    if (start !== this.#end && this.#end !== this.#start) {
      this.#runs.push(this.#start, this.#end);
      this.#start = start;
    } else if (this.#start === this.#end) this.#start = start;
    this.#end = end;
  }

  /** Gives what was added, and starts anew. A view of the source, or a copy where bytes between had to go. */
  take(): Buffer {
    const taken = this.#runs.length === 0 ? this.#source.subarray(this.#start, this.#end) : this.#copy();
    this.#runs.length = 0;
    this.#start = 0;
    this.#end = 0;
    this.#size = 0;
    return taken;
  }

  #copy(): Buffer {
    this.#runs.push(this.#start, this.#end);
    const copy = Buffer.allocUnsafe(this.#size);
    let at = 0;
    for (let index = 0; index < this.#runs.length; index += 2) {
      const end = this.#runs[index + 1]!;
      at += this.#source.copy(copy, at, this.#runs[index]!, end);
    }
    return copy;
  }
}
