/** A call that knows its place among the open ones. */
export interface OpenCall {
  /** −1 when it is not open. Only `OpenCalls` writes it. */
  openSlot: number;
}

/** The open calls of a server, in no order. An array and no `Set`, for the reason that `StreamTable` gives. */
export class OpenCalls<T extends OpenCall> implements Iterable<T> {
  readonly #calls: T[] = [];

  add(call: T): void {
    if (call.openSlot >= 0) return;
    call.openSlot = this.#calls.length;
    this.#calls.push(call);
  }

  delete(call: T): void {
    const { openSlot } = call;
    if (openSlot < 0) return;
    call.openSlot = -1;
    const last = this.#calls.pop()!;
    if (last === call) return;
    this.#calls[openSlot] = last;
    last.openSlot = openSlot;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#calls[Symbol.iterator]();
  }
}
