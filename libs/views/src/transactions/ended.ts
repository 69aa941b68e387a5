import type { ByteReader, ByteWriter } from '../bytes.ts';

/** How a transaction ended: `discarded` = nobody ended it for too long. */
export const TRANSACTION_END = { committed: 1, rolledBack: 2, discarded: 3 } as const;
export type TransactionEnd = (typeof TRANSACTION_END)[keyof typeof TRANSACTION_END];

/** Part of the format: another number gives another state. */
const GENERATION_SIZE = 65_536;

/**
 * The last 65,536 to 131,072 transactions that have ended, so that who ends one twice hears what became of it. Two
 * generations, of which the older goes as a whole: taking out single old entries would cost more than keeping them.
 */
export class EndedTransactions {
  #young = new Map<number, TransactionEnd>();
  #old = new Map<number, TransactionEnd>();

  get(id: number): TransactionEnd | undefined {
    return this.#young.get(id) ?? this.#old.get(id);
  }

  add(id: number, end: TransactionEnd): void {
    if (this.#young.size === GENERATION_SIZE) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, end);
  }

  /** Two lists, the older first: u32 count, then each as u48 id, u8 end. */
  write(writer: ByteWriter): void {
    for (const generation of [this.#old, this.#young]) {
      writer.u32(generation.size);
      for (const [id, end] of generation) {
        writer.u48(id);
        writer.u8(end);
      }
    }
  }

  read(reader: ByteReader): void {
    for (const generation of [this.#old, this.#young]) {
      for (let remaining = reader.u32(); remaining > 0; remaining--) {
        generation.set(reader.u48(), reader.u8() as TransactionEnd);
      }
    }
  }
}
