import type { StreamListener } from './http2-connection.ts';
import { type ClientConnection, type LoadResult, LoadRun, type LoadWorker, openConnections } from './load-run.ts';
import { isOk, statusText } from './requests.ts';
import { encodeProducerSettings, type SendRequestTemplate } from './send-template.ts';

/** Below the limit of calls on one connection that servers are wont to set. */
const STREAMS_PER_CONNECTION = 64;
/** Before a refused send is tried again. */
const RETRY_MS = 1;

/** What to send and how. */
export interface SendLoadOptions {
  readonly port: number;
  readonly template: SendRequestTemplate;
  /** Calls that are always open. */
  readonly concurrency: number;
  readonly durationMs?: number;
  readonly countMax?: number;
  /** Messages a second of all calls together; undefined for as many as go. */
  readonly rate?: number;
  /** Whether the clients introduce themselves by telemetry first, as real ones do. */
  readonly hasTelemetry: boolean;
}

/** Sends, `concurrency` calls at a time, each connection as one producer. */
export async function runSendLoad(options: SendLoadOptions): Promise<LoadResult> {
  const run = new LoadRun(options.durationMs ?? Number.POSITIVE_INFINITY, options.countMax);
  const settings = options.hasTelemetry ? encodeProducerSettings(options.template.topic) : undefined;
  const count = Math.ceil(options.concurrency / STREAMS_PER_CONNECTION);
  const connections = await openConnections(count, { port: options.port, settings });
  const intervalMs = options.rate === undefined ? 0 : (options.concurrency * 1000) / options.rate;
  const workers = Array.from(
    { length: options.concurrency },
    (_, index) => new SendWorker(run, connections[index % connections.length]!, options.template, intervalMs),
  );
  return await run.run(workers, connections);
}

/** Sends one request after the other; itself the listener of each call. */
class SendWorker implements LoadWorker, StreamListener {
  readonly #run: LoadRun;
  readonly #client: ClientConnection;
  readonly #template: SendRequestTemplate;
  /** From the beginning of one call to that of the next; 0 for at once. */
  readonly #intervalMs: number;
  #plannedMs = 0;
  #startMs = 0;
  #isOk = false;
  #finish: () => void = () => {};

  constructor(run: LoadRun, client: ClientConnection, template: SendRequestTemplate, intervalMs: number) {
    this.#run = run;
    this.#client = client;
    this.#template = template;
    this.#intervalMs = intervalMs * template.messageCount;
  }

  start(onFinish: () => void): void {
    this.#finish = onFinish;
    // Spread, so that paced calls do not come all at once.
    this.#plannedMs = performance.now() + Math.random() * this.#intervalMs;
    this.#next(performance.now());
  }

  onMessage(message: Buffer): void {
    this.#isOk = isOk(message);
    if (!this.#isOk) this.#run.onFailure(`a send was answered ${statusText(message)}`);
  }

  onEnd(failure: string | undefined): void {
    const nowMs = performance.now();
    if (failure !== undefined) {
      this.#run.onFailure(failure);
      this.#finish();
      return;
    }
    if (this.#isOk) {
      this.#run.latencies.add(nowMs - this.#startMs);
      if (this.#run.onMessagesDone(nowMs, this.#template.messageCount)) this.#next(nowMs);
      else this.#finish();
      return;
    }
    if (this.#run.isOver(nowMs)) this.#finish();
    else setTimeout(() => this.#send(), RETRY_MS);
  }

  #next(nowMs: number): void {
    if (this.#intervalMs === 0) {
      this.#send(nowMs);
      return;
    }
    this.#plannedMs += this.#intervalMs;
    setTimeout(
      () => {
        if (this.#run.isOver(performance.now())) this.#finish();
        else this.#send();
      },
      Math.max(0, this.#plannedMs - nowMs),
    );
  }

  #send(nowMs = performance.now()): void {
    this.#startMs = nowMs;
    this.#isOk = false;
    this.#client.connection.call(this.#client.headers.send, this.#template.next(), this);
  }
}
