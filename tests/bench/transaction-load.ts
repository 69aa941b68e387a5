import type { StreamListener } from './http2-connection.ts';
import { type ClientConnection, type LoadResult, LoadRun, type LoadWorker, openConnections } from './load-run.ts';
import { encodeEndTransactionRequest, isOk, readSentHalf, statusText } from './requests.ts';
import { encodeProducerSettings, type SendRequestTemplate } from './send-template.ts';

const STREAMS_PER_CONNECTION = 64;

/** What to send and how. */
export interface TransactionLoadOptions {
  readonly port: number;
  readonly topic: string;
  /** Of half messages, one a request. */
  readonly template: SendRequestTemplate;
  /** Transactions that are always on their way. */
  readonly concurrency: number;
  readonly durationMs: number;
}

/** Sends half messages and commits each; counts and times whole transactions. */
export async function runTransactionLoad(options: TransactionLoadOptions): Promise<LoadResult> {
  const run = new LoadRun(options.durationMs);
  const { port, topic, template, concurrency } = options;
  const count = Math.ceil(concurrency / STREAMS_PER_CONNECTION);
  const connections = await openConnections(count, { port, settings: encodeProducerSettings(topic) });
  const workers = Array.from(
    { length: concurrency },
    (_, index) => new TransactionWorker(run, connections[index % connections.length]!, topic, template),
  );
  return await run.run(workers, connections);
}

/** One transaction after the other; itself the listener of both of its calls. */
class TransactionWorker implements LoadWorker, StreamListener {
  readonly #run: LoadRun;
  readonly #client: ClientConnection;
  readonly #topic: string;
  readonly #template: SendRequestTemplate;
  #startMs = 0;
  /** What the half message's answer asks for next; undefined while it, or the end, is awaited. */
  #endRequest: Buffer | undefined;
  #isEnding = false;
  #onFinish: () => void = () => {};

  constructor(run: LoadRun, client: ClientConnection, topic: string, template: SendRequestTemplate) {
    this.#run = run;
    this.#client = client;
    this.#topic = topic;
    this.#template = template;
  }

  start(onFinish: () => void): void {
    this.#onFinish = onFinish;
    this.#begin();
  }

  onMessage(message: Buffer): void {
    if (!isOk(message)) {
      this.#run.onFailure(`${this.#isEnding ? 'a commit' : 'a half message'} was answered ${statusText(message)}`);
    } else if (!this.#isEnding) {
      this.#endRequest = encodeEndTransactionRequest(this.#topic, readSentHalf(message));
    } else {
      this.#run.latencies.add(performance.now() - this.#startMs);
      this.#run.onMessagesDone(performance.now());
    }
  }

  onEnd(failure: string | undefined): void {
    if (failure !== undefined) {
      this.#run.onFailure(failure);
      this.#onFinish();
    } else if (this.#endRequest !== undefined) {
      const request = this.#endRequest;
      this.#endRequest = undefined;
      this.#isEnding = true;
      this.#client.connection.call(this.#client.headers.endTransaction, request, this);
    } else if (this.#run.isOver(performance.now())) {
      this.#onFinish();
    } else {
      this.#begin();
    }
  }

  #begin(): void {
    this.#startMs = performance.now();
    this.#isEnding = false;
    this.#client.connection.call(this.#client.headers.send, this.#template.next(), this);
  }
}
