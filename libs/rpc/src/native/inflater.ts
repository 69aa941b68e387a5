import { gunzip, inflate } from 'node:zlib';
import { RpcError } from '../service.ts';

type Inflate = typeof gunzip;
/** The message, or why there is none. */
type Inflated = Buffer | RpcError | 'too large';
type Done = (result: Inflated) => void;

const INFLATES: ReadonlyMap<string, Inflate> = new Map([
  ['gzip', gunzip],
  ['deflate', inflate],
]);

/** More at once would only hold more memory: what is inflated is large, and there are few threads. */
const CONCURRENT_MAX = 2;

/** Whose message it is. */
export interface InflatingCall {
  /** Nobody waits for the message any more. */
  readonly isEnded: boolean;
}

interface Task {
  readonly call: InflatingCall;
  readonly message: Buffer;
  readonly inflate: Inflate;
  readonly done: Done;
}

/** Inflates compressed messages of all calls of a server: in other threads, a few at a time, and no further than allowed. */
export class Inflater {
  readonly #bytesMax: number;
  readonly #waiting: Task[] = [];
  #running = 0;

  /** @param bytesMax of an inflated message */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * @param call when it has ended, its message is dropped and `done` is not called
   * @param encoding of the call's `grpc-encoding`
   * @param done gets the message, or the error that its call ends with, or that it is too large; once
   */
  inflate(call: InflatingCall, message: Buffer, encoding: string, done: Done): void {
    const known = INFLATES.get(encoding);
    if (known !== undefined) {
      this.#waiting.push({ call, message, inflate: known, done });
      this.#runNext();
      return;
    }
    const status = encoding === 'identity' ? 'INTERNAL' : 'UNIMPLEMENTED';
    done(
      new RpcError(status, 'a compressed message says by grpc-encoding how: gzip or deflate; send it so, or as it is'),
    );
  }

  #runNext(): void {
    if (this.#running === CONCURRENT_MAX) return;
    // Calls that are over are passed by: whoever opens and resets them would fill the queue.
    let task = this.#waiting.shift();
    while (task?.call.isEnded) task = this.#waiting.shift();
    if (task === undefined) return;
    const { call, message, inflate: run, done } = task;
    this.#running++;
    run(message, { maxOutputLength: this.#bytesMax }, (error, result) => {
      this.#running--;
      this.#runNext();
      if (!call.isEnded) done(error === null ? result : this.#failure(error));
    });
  }

  #failure(error: NodeJS.ErrnoException): Inflated {
    if (error.code === 'ERR_BUFFER_TOO_LARGE') return 'too large';
    return new RpcError('INTERNAL', 'the compressed message cannot be inflated');
  }
}
