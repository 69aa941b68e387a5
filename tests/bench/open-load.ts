import type { StreamListener } from './http2-connection.ts';
import { type ClientConnection, type LoadResult, openConnections } from './load-run.ts';
import { Latencies } from './measure.ts';
import { isOk, statusText } from './requests.ts';
import { encodeProducerSettings, type SendRequestTemplate } from './send-template.ts';

/** Timers fire once a millisecond at most, so that so much is planned together. */
const TICK_MS = 1;
/** What is not answered then will not be. */
const ANSWERED_MS_MAX = 10_000;

/** What to send, and how often. */
export interface OpenLoadOptions {
  readonly port: number;
  readonly template: SendRequestTemplate;
  /** Calls a second, whatever becomes of the ones before. */
  readonly callsPerSecond: number;
  /** Producers, which send in turns. */
  readonly connectionCount: number;
  readonly durationMs: number;
}

/** What a load run did, and how late it was itself. */
export interface OpenLoadResult extends LoadResult {
  /** From the moment for which a call was planned to the one at which it was made; part of its latency. */
  readonly lateness: Latencies;
}

/**
 * Sends at a fixed rate, and does not wait for answers. A latency begins with the moment for which the call was planned:
 * one that was held up, by the server or by the generator, counts as long as it was held up.
 */
export async function runOpenLoad(options: OpenLoadOptions): Promise<OpenLoadResult> {
  const settings = encodeProducerSettings(options.template.topic);
  const connections = await openConnections(options.connectionCount, { port: options.port, settings });
  const load = new OpenLoad(options, connections);
  try {
    return await load.run();
  } finally {
    for (const { connection } of connections) connection.close();
  }
}

class OpenLoad {
  readonly #options: OpenLoadOptions;
  readonly #connections: readonly ClientConnection[];
  readonly #latencies = new Latencies();
  readonly #lateness = new Latencies();
  /** Calls that are over, to be used again. */
  readonly #idle: OpenCall[] = [];
  #plannedCount = 0;
  #openCount = 0;
  #failureCount = 0;
  #failure: string | undefined;
  #onDone: () => void = () => {};

  constructor(options: OpenLoadOptions, connections: readonly ClientConnection[]) {
    this.#options = options;
    this.#connections = connections;
  }

  async run(): Promise<OpenLoadResult> {
    const cpuBefore = process.cpuUsage();
    const beginMs = performance.now();
    await new Promise<void>((resolve) => {
      this.#onDone = resolve;
      setTimeout(() => this.#tick(beginMs, 0), TICK_MS);
    });
    const cpu = process.cpuUsage(cpuBefore);
    return {
      messageCount: this.#latencies.count * this.#options.template.messageCount,
      failureCount: this.#failureCount,
      failure: this.#failure,
      elapsedMs: performance.now() - beginMs,
      latencies: this.#latencies,
      lateness: this.#lateness,
      generatorCpuMicroseconds: cpu.user + cpu.system,
    };
  }

  isOver(callCount = this.#plannedCount): boolean {
    return callCount >= (this.#options.durationMs * this.#options.callsPerSecond) / 1_000;
  }

  onAnswered(call: OpenCall, plannedMs: number, failure: string | undefined): void {
    if (failure === undefined) this.#latencies.add(performance.now() - plannedMs);
    else {
      this.#failureCount++;
      this.#failure ??= failure;
    }
    this.#idle.push(call);
    this.#openCount--;
    if (this.#openCount === 0 && this.isOver()) this.#onDone();
  }

  /** Makes all calls that were planned until now. */
  #tick(beginMs: number, tick: number): void {
    const { callsPerSecond } = this.#options;
    const nowMs = performance.now();
    let [next, plannedMs] = [tick, beginMs + tick * TICK_MS];
    for (; plannedMs <= nowMs && !this.isOver(); plannedMs = beginMs + ++next * TICK_MS) {
      const wanted = Math.floor((next * TICK_MS * callsPerSecond) / 1_000);
      for (; this.#plannedCount < wanted && !this.isOver(); this.#plannedCount++) this.#call(plannedMs, nowMs);
    }
    if (!this.isOver()) setTimeout(() => this.#tick(beginMs, next), Math.max(0, plannedMs - performance.now()));
    else setTimeout(() => this.#giveUp(), ANSWERED_MS_MAX).unref();
  }

  #call(plannedMs: number, nowMs: number): void {
    const { connection, headers } = this.#connections[this.#plannedCount % this.#connections.length]!;
    const call = this.#idle.pop() ?? new OpenCall(this);
    call.plannedMs = plannedMs;
    this.#openCount++;
    this.#lateness.add(nowMs - plannedMs);
    connection.call(headers.send, this.#options.template.next(), call);
  }

  #giveUp(): void {
    if (this.#openCount === 0) return;
    this.#failureCount += this.#openCount;
    this.#failure ??= `${this.#openCount} calls were not answered`;
    this.#onDone();
  }
}

/** One call; itself the listener of its stream. */
class OpenCall implements StreamListener {
  readonly #load: OpenLoad;
  plannedMs = 0;
  #failure: string | undefined = 'the call ended without an answer';

  constructor(load: OpenLoad) {
    this.#load = load;
  }

  onMessage(message: Buffer): void {
    this.#failure = isOk(message) ? undefined : `a send was answered ${statusText(message)}`;
  }

  onEnd(failure: string | undefined): void {
    const found = failure ?? this.#failure;
    this.#failure = 'the call ended without an answer';
    this.#load.onAnswered(this, this.plannedMs, found);
  }
}
