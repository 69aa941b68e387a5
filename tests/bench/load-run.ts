import { Http2Connection, type StreamListener } from './http2-connection.ts';
import { Latencies } from './measure.ts';
import { callHeaders } from './requests.ts';

/** What a load run did. */
export interface LoadResult {
  /** Messages sent, or received and acknowledged. */
  readonly messageCount: number;
  readonly failureCount: number;
  /** The text of one failure. */
  readonly failure: string | undefined;
  readonly elapsedMs: number;
  /** Of each call for a send; of each receive that gave something for consuming. */
  readonly latencies: Latencies;
  /** CPU time of this process. */
  readonly generatorCpuMicroseconds: number;
}

/** A connection of one client and the header fields of its calls. */
export interface ClientConnection {
  readonly connection: Http2Connection;
  readonly headers: ReturnType<typeof callHeaders>;
}

/** Whom to connect to and as whom. */
export interface ClientOptions {
  readonly port: number;
  /** What each client says first on its telemetry stream, as real ones do; undefined for nothing. */
  readonly settings: Buffer | undefined;
}

let nextClient = 0;

/** Opens connections, each as a client of its own. */
export async function openConnections(count: number, options: ClientOptions): Promise<ClientConnection[]> {
  const connections: ClientConnection[] = [];
  for (let index = 0; index < count; index++) {
    const connection = await Http2Connection.connect(options.port);
    const headers = callHeaders(`bench@${process.pid}@${nextClient++}`);
    connections.push({ connection, headers });
    if (options.settings !== undefined) await introduce(connection, headers, options.settings);
  }
  return connections;
}

/** Opens the telemetry stream and waits for the server's settings; the stream stays open. */
function introduce(connection: Http2Connection, headers: ClientConnection['headers'], settings: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const listener: StreamListener = {
      onMessage: () => resolve(),
      onEnd: (failure) => reject(new Error(`the telemetry stream ended: ${failure ?? 'by the server'}`)),
    };
    connection.call(headers.telemetry, settings, listener, false);
  });
}

/** One of the workers of a run. */
export interface LoadWorker {
  /** Begins; calls `onFinish` once, when it has done its last call. */
  start(onFinish: () => void): void;
  /** The run is over: what only waits need not wait any longer. */
  interrupt?(): void;
}

/** Counts what all workers of a run do and tells them when to stop: after a time, or after so many messages. */
export class LoadRun {
  readonly latencies = new Latencies();
  readonly #durationMs: number;
  readonly #countMax: number;
  #workers: readonly LoadWorker[] = [];
  #messageCount = 0;
  #failureCount = 0;
  #failure: string | undefined;
  #endMs = 0;
  #isOver = false;

  constructor(durationMs: number, countMax = Number.POSITIVE_INFINITY) {
    this.#durationMs = durationMs;
    this.#countMax = countMax;
  }

  get messageCount(): number {
    return this.#messageCount;
  }

  /** Runs the workers to their ends and closes the connections. */
  async run(workers: readonly LoadWorker[], connections: readonly ClientConnection[]): Promise<LoadResult> {
    this.#workers = workers;
    const cpuBefore = process.cpuUsage();
    const beginMs = performance.now();
    this.#endMs = beginMs + this.#durationMs;
    const timer = Number.isFinite(this.#durationMs) ? setTimeout(() => this.#end(), this.#durationMs) : undefined;
    await Promise.all(workers.map((worker) => new Promise<void>((resolve) => worker.start(resolve))));
    clearTimeout(timer);
    const elapsedMs = performance.now() - beginMs;
    const cpu = process.cpuUsage(cpuBefore);
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

  isOver(nowMs: number): boolean {
    return this.#isOver || nowMs >= this.#endMs;
  }

  /** @returns whether the worker should go on */
  onMessagesDone(nowMs: number, count = 1): boolean {
    this.#messageCount += count;
    if (this.#messageCount >= this.#countMax) this.#end();
    return !this.isOver(nowMs);
  }

  onFailure(failure: string): void {
    this.#failureCount++;
    this.#failure ??= failure;
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const worker of this.#workers) worker.interrupt?.();
  }
}
