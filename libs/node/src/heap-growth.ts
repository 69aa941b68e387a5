import { setFlagsFromString } from 'node:v8';
import { type Clock, GIB, MIB, type Timer } from '@orbitmq/base';
import type { Component } from '@orbitmq/runtime';

export interface HeapGrowthOptions {
  /** Where the copies of this log that are made have come to, in bytes, all together; undefined while there is none. */
  copiedBytes(): number | undefined;
  /** What this process may use. */
  readonly memoryBytes: number;
  readonly clock: Clock;
  /** Sets a flag of V8; that of this process where nothing is said. */
  readonly setFlag?: (flag: string) => void;
}

const LOOK_MS = 250;
/** Less within a look costs no more than it would save. */
const COPY_BYTES = 8 * MIB;
/** Looks without a copy until it counts as over. */
const REST_COUNT = 8;
/** With less memory V8 goes by what there is, which it does better. */
const ROOMY_BYTES = GIB;

/** The whole heap is collected when it has tripled. */
const LAZY = '--heap-growing-percent=200';
/** When V8 thinks best. */
const DEFAULT = '--heap-growing-percent=0';

/**
 * Lets V8 collect the whole heap more rarely while a log is copied. Buffers count as heap, and the heap of a copy is small: V8 would collect it
 * some twenty times a second, which is a third of the CPU. At all other times that would only cost memory.
 */
export class HeapGrowth implements Component {
  readonly name = 'heap growth';
  readonly #options: HeapGrowthOptions;
  readonly #setFlag: (flag: string) => void;
  #timer: Timer | undefined;
  #copiedBytes: number | undefined;
  /** Looks that are left until V8 decides again. */
  #lazyCount = 0;

  constructor(options: HeapGrowthOptions) {
    this.#options = options;
    this.#setFlag = options.setFlag ?? setFlagsFromString;
  }

  async start(): Promise<void> {
    if (this.#options.memoryBytes >= ROOMY_BYTES) this.#wait();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
  }

  #wait(): void {
    this.#timer = this.#options.clock.setTimer(LOOK_MS, () => {
      this.#look();
      this.#wait();
    });
  }

  #look(): void {
    const [before, now] = [this.#copiedBytes, this.#options.copiedBytes()];
    this.#copiedBytes = now;
    // Less than before is another copy.
    const isCopying = before !== undefined && now !== undefined && now - before >= COPY_BYTES;
    if (isCopying) {
      if (this.#lazyCount === 0) this.#setFlag(LAZY);
      this.#lazyCount = REST_COUNT;
    } else if (this.#lazyCount > 0 && --this.#lazyCount === 0) this.#setFlag(DEFAULT);
  }
}
