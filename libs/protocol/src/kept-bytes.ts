const SLAB_BYTES = 64 * 1024;
/** A larger copy has a buffer of its own. */
const SHARED_BYTES_MAX = SLAB_BYTES / 8;
const NOTHING = Buffer.alloc(0);

let slab = NOTHING;
let slabUsed = 0;

/** Room for a copy. Those that are made one after the other share memory. */
function room(byteCount: number): Buffer {
  if (byteCount > SHARED_BYTES_MAX) return Buffer.allocUnsafeSlow(byteCount);
  if (slab.length - slabUsed < byteCount) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    slabUsed = 0;
  }
  const start = slabUsed;
  slabUsed += byteCount;
  return slab.subarray(start, slabUsed);
}

/** Collects ranges of one buffer that stay, in order, and gives them as one piece: a view as long as they are in one run. */
export class KeptBytes {
  #source: Buffer = NOTHING;
  /** start and end of each finished run. */
  readonly #runs: number[] = [];
  /** Numbers of `#runs` that count. */
  #runsLength = 0;
  #start = 0;
  #end = 0;
  #size = 0;

  /** Begins with ranges of another buffer. */
  open(source: Buffer): void {
    this.#source = source;
    this.#runsLength = 0;
    this.#start = 0;
    this.#end = 0;
    this.#size = 0;
  }

  /** Adds [start, end), which lies behind all that was added before. */
  add(start: number, end: number): void {
    this.#size += end - start;
    if (start !== this.#end || this.#end === this.#start) {
      if (this.#end !== this.#start) this.#finishRun();
      this.#start = start;
    }
    this.#end = end;
  }

  /** Gives what was added, and starts anew. A view of the source, or a copy where bytes between had to go. */
  take(): Buffer {
    const taken = this.#runsLength === 0 ? this.#source.subarray(this.#start, this.#end) : this.#copy();
    this.open(this.#source);
    return taken;
  }

  /** Lets go of the buffer. */
  close(): void {
    this.open(NOTHING);
  }

  #finishRun(): void {
    this.#runs[this.#runsLength++] = this.#start;
    this.#runs[this.#runsLength++] = this.#end;
  }

  #copy(): Buffer {
    this.#finishRun();
    const copy = room(this.#size);
    let at = 0;
    for (let index = 0; index < this.#runsLength; index += 2) {
      at += this.#source.copy(copy, at, this.#runs[index]!, this.#runs[index + 1]!);
    }
    return copy;
  }
}
