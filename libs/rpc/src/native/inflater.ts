import type { Transform } from 'node:stream';
import { createGunzip, createInflate, type ZlibOptions } from 'node:zlib';
import { KIB } from '@orbitmq/base';
import { RpcError } from '../service.ts';

type CreateInflate = (options: ZlibOptions) => Transform;
/** The message, or why there is none. */
type Inflated = Buffer | RpcError | 'too large';
type Done = (result: Inflated) => void;

const INFLATES: ReadonlyMap<string, CreateInflate> = new Map<string, CreateInflate>([
  ['gzip', createGunzip],
  ['deflate', createInflate],
]);

/** The encodings of requests that are understood, as `grpc-accept-encoding` lists them. */
export const ACCEPTED_ENCODINGS = ['identity', ...INFLATES.keys()].join(',');

/** What is inflated in one go. So large that each part has memory of its own. */
const PART_BYTES = 64 * KIB;

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
  readonly create: CreateInflate;
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
      this.#waiting.push({ call, message, create: known, done });
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
    const { call, message, create, done } = task;
    this.#running++;
    inflated(create, message, this.#bytesMax, (result) => {
      this.#running--;
      this.#runNext();
      if (!call.isEnded) done(result);
    });
  }
}

function inflated(create: CreateInflate, message: Buffer, bytesMax: number, done: Done): void {
  const stream = create({ chunkSize: PART_BYTES });
  const parts: Buffer[] = [];
  let bytes = 0;
  let result: Inflated | undefined;
  stream.on('data', (part: Buffer) => {
    parts.push(part);
    bytes += part.length;
    if (bytes <= bytesMax) return;
    result = 'too large';
    stream.destroy();
  });
  stream.on('end', () => {
    result = Buffer.concat(parts, bytes);
    stream.destroy(); // waits for nothing that is behind the end
  });
  stream.on('error', () => {
    result = new RpcError('INTERNAL', 'the compressed message cannot be inflated');
  });
  stream.on('close', () => {
    for (const part of parts) release(part);
    done(result!);
  });
  stream.end(message);
}

/** Gives memory back at once: many bombs would take much of it until garbage is collected. */
function release({ buffer, byteOffset }: Buffer): void {
  const isOwn = byteOffset === 0 && buffer.byteLength === PART_BYTES;
  if (isOwn) (buffer as ArrayBuffer).transfer(0);
}
