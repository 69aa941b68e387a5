import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type ClientConnection, type LoadResult, LoadRun, type LoadWorker, openConnections } from './load-run.ts';
import {
  encodeAckRequest,
  encodeConsumerSettings,
  encodeReceiveRequest,
  type FilterText,
  isOk,
  type ReceivedHandle,
  readReceived,
  statusCode,
  statusText,
} from './requests.ts';

/** Below the limit of calls on one connection that servers are wont to set. */
const STREAMS_PER_CONNECTION = 64;
/** What the official clients ask for in one receive. */
const BATCH_SIZE = 32;

/** What to receive and how. */
export interface ReceiveLoadOptions {
  readonly port: number;
  readonly brokerName: string;
  readonly topic: string;
  /** Each has `concurrency` workers and connections of its own. */
  readonly groups: readonly string[];
  /** Receives or acknowledgements that are always open for each group. */
  readonly concurrency: number;
  readonly durationMs?: number;
  /** Messages of all groups together after which it ends. */
  readonly countMax?: number;
  /** Default: everything. */
  readonly filter?: FilterText;
  /** `each` message by a call of its own, as the official clients do (default), or those of a `batch` by one call. */
  readonly acknowledge?: 'each' | 'batch';
  /** Sees each received message before it is acknowledged. The bytes are only valid during the call. */
  readonly onMessage?: (response: Buffer) => void;
}

/** Receives in batches of 32 and acknowledges, until the time is up or there were enough. */
export async function runReceiveLoad(options: ReceiveLoadOptions): Promise<LoadResult> {
  const run = new LoadRun(options.durationMs ?? Number.POSITIVE_INFINITY, options.countMax);
  const { port, topic, brokerName, concurrency } = options;
  const filter = options.filter ?? { type: 'TAG', expression: '*' };
  const workers: ReceiveWorker[] = [];
  const connections: ClientConnection[] = [];
  for (const group of options.groups) {
    const settings = encodeConsumerSettings(topic, group, filter);
    const opened = await openConnections(Math.ceil(concurrency / STREAMS_PER_CONNECTION), { port, settings });
    const receiveRequest = encodeReceiveRequest({ topic, group, brokerName, filter, batchSize: BATCH_SIZE });
    for (let index = 0; index < concurrency; index++) {
      const client = opened[index % opened.length]!;
      workers.push(new ReceiveWorker(run, client, { ...options, group, receiveRequest }));
    }
    connections.push(...opened);
  }
  return await run.run(workers, connections);
}

interface WorkerOptions {
  readonly topic: string;
  readonly group: string;
  readonly receiveRequest: Buffer;
  readonly acknowledge?: 'each' | 'batch';
  readonly onMessage?: (response: Buffer) => void;
}

/** Receives a batch, acknowledges each of its messages, and receives again. */
class ReceiveWorker implements LoadWorker {
  readonly #run: LoadRun;
  readonly #client: ClientConnection;
  readonly #options: WorkerOptions;
  #batch: ReceivedHandle[] = [];
  /** A receive is open that has given nothing yet. */
  #isPolling = false;
  #isFinished = false;
  #onFinish: () => void = () => {};

  constructor(run: LoadRun, client: ClientConnection, options: WorkerOptions) {
    this.#run = run;
    this.#client = client;
    this.#options = options;
  }

  start(onFinish: () => void): void {
    this.#onFinish = onFinish;
    this.#receive();
  }

  interrupt(): void {
    if (this.#isPolling) this.#finish();
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#onFinish();
  }

  #receive(): void {
    const startMs = performance.now();
    if (this.#isFinished || this.#run.isOver(startMs)) {
      this.#finish();
      return;
    }
    this.#batch = [];
    this.#isPolling = true;
    this.#client.connection.call(this.#client.headers.receive, this.#options.receiveRequest, {
      onMessage: (message) => this.#onReceived(message),
      onEnd: (failure) => this.#onBatchEnd(startMs, failure),
    });
  }

  #onReceived(message: Buffer): void {
    const handle = readReceived(message);
    if (handle !== undefined) {
      this.#isPolling = false;
      this.#options.onMessage?.(message);
      this.#batch.push(handle);
      return;
    }
    const code = statusCode(message);
    if (code !== undefined && code !== Code.MESSAGE_NOT_FOUND && !isOk(message))
      this.#run.onFailure(`a receive was answered ${statusText(message)}`);
  }

  #onBatchEnd(startMs: number, failure: string | undefined): void {
    this.#isPolling = false;
    if (this.#isFinished) return;
    if (failure !== undefined) {
      this.#run.onFailure(failure);
      this.#finish();
      return;
    }
    if (this.#batch.length === 0) {
      this.#receive();
      return;
    }
    this.#run.latencies.add(performance.now() - startMs);
    this.#acknowledge();
  }

  #acknowledge(): void {
    const handles = this.#options.acknowledge === 'batch' ? this.#batch.splice(0) : this.#batch.splice(-1);
    if (handles.length === 0) {
      this.#receive();
      return;
    }
    const request = encodeAckRequest(this.#options.topic, this.#options.group, handles);
    this.#client.connection.call(this.#client.headers.ack, request, {
      onMessage: (message) => {
        if (isOk(message)) this.#run.onMessagesDone(performance.now(), handles.length);
        else this.#run.onFailure(`an acknowledgement was answered ${statusText(message)}`);
      },
      onEnd: (failure) => {
        if (failure !== undefined) this.#run.onFailure(failure);
        this.#acknowledge();
      },
    });
  }
}
