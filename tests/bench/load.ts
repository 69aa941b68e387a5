import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { Http2Connection, type StreamListener } from './http2-connection.ts';
import { Latencies } from './measure.ts';
import {
  callHeaders,
  encodeAckRequest,
  encodeReceiveRequest,
  encodeSettings,
  isOk,
  type ReceivedHandle,
  readReceived,
  SendRequestTemplate,
  statusCode,
} from './requests.ts';

/** Below the limit of calls on one connection that servers are wont to set. */
const STREAMS_PER_CONNECTION = 64;
const BATCH_SIZE = 32;

/** What a load run did. */
export interface LoadResult {
  /** Messages sent, or received and acknowledged. */
  readonly messageCount: number;
  readonly failureCount: number;
  /** The text of one failure. */
  readonly failure: string | undefined;
  readonly elapsedMs: number;
  /** Of each call for a send; of each receive for consuming. */
  readonly latencies: Latencies;
  /** CPU time of this process. */
  readonly generatorCpuMicroseconds: number;
}

/** What to load and how. */
export interface LoadOptions {
  readonly port: number;
  readonly topic: string;
  /** Calls that are always open. */
  readonly concurrency: number;
  readonly durationMs: number;
  readonly bodyBytes: number;
  /** Whether the clients introduce themselves by telemetry first, as real ones do. */
  readonly hasTelemetry: boolean;
}

/** Sends messages of random bytes, `concurrency` at a time, each connection as one producer. */
export async function runSendLoad(options: LoadOptions): Promise<LoadResult> {
  const run = new LoadRun(options.durationMs);
  const connections = await openConnections(options, undefined);
  const template = new SendRequestTemplate(options.topic, options.bodyBytes);
  const workers = Array.from({ length: options.concurrency }, (_, index) => {
    const { connection, headers } = connections[index % connections.length]!;
    return new SendWorker(run, connection, headers.send, template);
  });
  run.begin();
  await Promise.all(workers.map((worker) => worker.run()));
  return run.finish(connections);
}

/** Receives in batches of 32 and acknowledges message by message, until `countMax` messages or the time is up. */
export async function runReceiveLoad(
  options: LoadOptions & { readonly group: string; readonly brokerName: string; readonly countMax: number },
): Promise<LoadResult> {
  const run = new LoadRun(options.durationMs, options.countMax);
  const connections = await openConnections(options, options.group);
  const { topic, group } = options;
  const request = encodeReceiveRequest(topic, group, options.brokerName, BATCH_SIZE);
  const encodeAck = (handle: ReceivedHandle) => encodeAckRequest(topic, group, handle.messageId, handle.receiptHandle);
  const workers = Array.from({ length: options.concurrency }, (_, index) => {
    const { connection, headers } = connections[index % connections.length]!;
    return new ReceiveWorker(run, connection, headers, request, encodeAck);
  });
  run.begin();
  await Promise.all(workers.map((worker) => worker.run()));
  return run.finish(connections);
}

type Headers = ReturnType<typeof callHeaders>;

interface ClientConnection {
  readonly connection: Http2Connection;
  readonly headers: Headers;
}

let nextClient = 0;

async function openConnections(options: LoadOptions, group: string | undefined): Promise<ClientConnection[]> {
  const count = Math.ceil(options.concurrency / STREAMS_PER_CONNECTION);
  const connections: ClientConnection[] = [];
  for (let index = 0; index < count; index++) {
    const connection = await Http2Connection.connect(options.port);
    const headers = callHeaders(`bench@${process.pid}@${nextClient++}`);
    connections.push({ connection, headers });
    if (options.hasTelemetry) await introduce(connection, headers, encodeSettings(options.topic, group));
  }
  return connections;
}

/** Opens the telemetry stream and waits for the server's settings; the stream stays open. */
function introduce(connection: Http2Connection, headers: Headers, settings: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const listener: StreamListener = {
      onMessage: () => resolve(),
      onEnd: (failure) => reject(new Error(`the telemetry stream ended: ${failure ?? 'by the server'}`)),
    };
    connection.call(headers.telemetry, settings, listener, false);
  });
}

/** Counts what all workers of a run do and tells them when to stop. */
class LoadRun {
  readonly latencies = new Latencies();
  readonly #durationMs: number;
  readonly #countMax: number;
  #messageCount = 0;
  #failureCount = 0;
  #failure: string | undefined;
  #beginMs = 0;
  #endMs = 0;
  #beginCpu = process.cpuUsage();

  constructor(durationMs: number, countMax = Number.POSITIVE_INFINITY) {
    this.#durationMs = durationMs;
    this.#countMax = countMax;
  }

  begin(): void {
    this.#beginCpu = process.cpuUsage();
    this.#beginMs = performance.now();
    this.#endMs = this.#beginMs + this.#durationMs;
  }

  isOver(nowMs: number): boolean {
    return nowMs >= this.#endMs || this.#messageCount >= this.#countMax;
  }

  /** @returns whether the worker should go on */
  onMessageDone(nowMs: number): boolean {
    this.#messageCount++;
    return !this.isOver(nowMs);
  }

  onFailure(failure: string): void {
    this.#failureCount++;
    this.#failure ??= failure;
  }

  finish(connections: readonly ClientConnection[]): LoadResult {
    const elapsedMs = performance.now() - this.#beginMs;
    const cpu = process.cpuUsage(this.#beginCpu);
    for (const { connection } of connections) connection.close();
    return {
      messageCount: this.#messageCount,
      failureCount: this.#failureCount,
      failure: this.#failure,
      elapsedMs,
      latencies: this.latencies,
      generatorCpuMicroseconds: cpu.user + cpu.system,
    };
  }
}

/** Sends one message after the other; itself the listener of each call. */
class SendWorker implements StreamListener {
  readonly #run: LoadRun;
  readonly #connection: Http2Connection;
  readonly #headers: Headers['send'];
  readonly #template: SendRequestTemplate;
  #startMs = 0;
  #isOk = false;
  #finish: () => void = () => {};

  constructor(run: LoadRun, connection: Http2Connection, headers: Headers['send'], template: SendRequestTemplate) {
    this.#run = run;
    this.#connection = connection;
    this.#headers = headers;
    this.#template = template;
  }

  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#send();
    });
  }

  onMessage(message: Buffer): void {
    this.#isOk = isOk(message);
    if (!this.#isOk) this.#run.onFailure(`a send was answered ${statusCode(message)}: ${message.toString('latin1')}`);
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
      if (this.#run.onMessageDone(nowMs)) this.#send(nowMs);
      else this.#finish();
      return;
    }
    if (this.#run.isOver(nowMs)) this.#finish();
    else setTimeout(() => this.#send(), 1);
  }

  #send(nowMs = performance.now()): void {
    this.#startMs = nowMs;
    this.#isOk = false;
    this.#connection.call(this.#headers, this.#template.next(), this);
  }
}

/** Receives a batch, acknowledges each of its messages, and receives again. */
class ReceiveWorker {
  readonly #run: LoadRun;
  readonly #connection: Http2Connection;
  readonly #headers: Headers;
  readonly #request: Buffer;
  readonly #encodeAck: (handle: ReceivedHandle) => Buffer;
  #batch: ReceivedHandle[] = [];
  #finish: () => void = () => {};

  constructor(
    run: LoadRun,
    connection: Http2Connection,
    headers: Headers,
    request: Buffer,
    encodeAck: (handle: ReceivedHandle) => Buffer,
  ) {
    this.#run = run;
    this.#connection = connection;
    this.#headers = headers;
    this.#request = request;
    this.#encodeAck = encodeAck;
  }

  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#receive();
    });
  }

  #receive(): void {
    const startMs = performance.now();
    if (this.#run.isOver(startMs)) {
      this.#finish();
      return;
    }
    this.#batch = [];
    this.#connection.call(this.#headers.receive, this.#request, {
      onMessage: (message) => this.#onReceived(message),
      onEnd: (failure) => this.#onBatchEnd(startMs, failure),
    });
  }

  #onReceived(message: Buffer): void {
    const handle = readReceived(message);
    if (handle !== undefined) {
      this.#batch.push(handle);
      return;
    }
    const code = statusCode(message);
    if (code !== undefined && code !== Code.MESSAGE_NOT_FOUND && !isOk(message))
      this.#run.onFailure(`a receive was answered ${code}`);
  }

  #onBatchEnd(startMs: number, failure: string | undefined): void {
    if (failure !== undefined) {
      this.#run.onFailure(failure);
      this.#finish();
      return;
    }
    if (this.#batch.length > 0) this.#run.latencies.add(performance.now() - startMs);
    this.#ackNext();
  }

  #ackNext(): void {
    const handle = this.#batch.pop();
    if (handle === undefined) {
      this.#receive();
      return;
    }
    this.#connection.call(this.#headers.ack, this.#encodeAck(handle), {
      onMessage: (message) => {
        if (isOk(message)) this.#run.onMessageDone(performance.now());
        else this.#run.onFailure(`an ack was answered ${statusCode(message)}`);
      },
      onEnd: (failure) => {
        if (failure !== undefined) this.#run.onFailure(failure);
        this.#ackNext();
      },
    });
  }
}
