import { MqError } from '@orbitmq/base';
import type { Answer } from './cluster.ts';

/** Thrown where nobody can say any more what became of a call. */
export class Unknown extends Error {}

/** Calls that wait for their answer: when the process dies, nobody answers. */
export class OpenCalls {
  readonly #open = new Set<() => void>();
  readonly #hasFailed: () => boolean;

  /** @param hasFailed the process can't go on: what it throws is no answer */
  constructor(hasFailed: () => boolean) {
    this.#hasFailed = hasFailed;
  }

  /** A call: an MqError is a refusal, and certain; rejects for what nobody expects. */
  of<Value>(run: () => Promise<Value>): Promise<Answer<Value>> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer<Value>>();
    const abandon = (): void => resolve({ kind: 'unknown' });
    this.#open.add(abandon);
    run().then(
      (value) => {
        this.#open.delete(abandon);
        resolve({ kind: 'ok', value });
      },
      (error: unknown) => {
        this.#open.delete(abandon);
        if (error instanceof Unknown) abandon();
        else if (error instanceof MqError) resolve({ kind: 'refused', code: error.code });
        else if (this.#hasFailed()) abandon();
        else reject(error);
      },
    );
    return promise;
  }

  /** The process has died. */
  abandon(): void {
    for (const abandon of this.#open) abandon();
    this.#open.clear();
  }
}
