import type { StreamListener } from './http2-connection.ts';
import { type ClientConnection, type LoadResult, openConnections } from './load-run.ts';
import { Latencies } from './measure.ts';
import { isOk, statusText } from './requests.ts';
import { encodeProducerSettings, type SendRequestTemplate } from './send-template.ts';
import { Ticker } from './ticker.ts';

/** So much is planned together. */
const TICK_MS = 1;
/** Calls of the first moments are made and not timed: fresh connections, and code that has not run before. */
const RUN_IN_MS = 500;
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
  /** Time in which calls are timed. */
  readonly durationMs: number;
}

/** What a load run did, and how late it was itself. Latencies are from the moment for which a call was planned. */
export interface OpenLoadResult extends LoadResult {
  /** From the moment at which a call was made: what the server and the way to it took. */
  readonly answerTimes: Latencies;
  /** From the moment for which a call was planned to the one at which it was made; part of its latency. */
  readonly lateness: Latencies;
  /** The same for a thread that only sleeps: what the machine makes of it. */
  readonly idleLateness: Latencies;
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
  readonly #tickCount: number;
  readonly #callCount: number;
  readonly #latencies = new Latencies();
  readonly #answerTimes = new Latencies();
  readonly #lateness = new Latencies();
  /** Calls that are over, to be used again. */
  readonly #idle: OpenCall[] = [];
  #beginMs = 0;
  #tick = 0;
  #plannedCount = 0;
  #openCount = 0;
  #failureCount = 0;
  #failure: string | undefined;
  #onDone: () => void = () => {};

  constructor(options: OpenLoadOptions, connections: readonly ClientConnection[]) {
    this.#options = options;
    this.#connections = connections;
    this.#tickCount = Math.ceil((RUN_IN_MS + options.durationMs) / TICK_MS);
    this.#callCount = this.#callsUntil(this.#tickCount);
  }

  async run(): Promise<OpenLoadResult> {
    const cpuBefore = process.cpuUsage();
    const done = new Promise<void>((resolve) => {
      this.#onDone = resolve;
    });
    const ticker = new Ticker({ intervalMs: TICK_MS, tickCount: this.#tickCount, onTick: () => this.#onTick() });
    this.#beginMs = ticker.beginMs;
    try {
      await done;
    } finally {
      await ticker.stop();
    }
    const cpu = process.cpuUsage(cpuBefore);
    return {
      messageCount: (this.#callCount - this.#failureCount) * this.#options.template.messageCount,
      failureCount: this.#failureCount,
      failure: this.#failure,
      elapsedMs: performance.now() - this.#beginMs,
      latencies: this.#latencies,
      answerTimes: this.#answerTimes,
      lateness: this.#lateness,
      idleLateness: ticker.lateness,
      generatorCpuMicroseconds: cpu.user + cpu.system,
    };
  }

  onAnswered(call: OpenCall, failure: string | undefined): void {
    if (failure !== undefined) {
      this.#failureCount++;
      this.#failure ??= failure;
    } else if (this.#isTimed(call.plannedMs)) {
      const nowMs = performance.now();
      this.#latencies.add(nowMs - call.plannedMs);
      this.#answerTimes.add(nowMs - call.madeMs);
    }
    this.#idle.push(call);
    this.#openCount--;
    if (this.#openCount === 0 && this.#plannedCount === this.#callCount) this.#onDone();
  }

  #isTimed(plannedMs: number): boolean {
    return plannedMs >= this.#beginMs + RUN_IN_MS;
  }

  #callsUntil(tick: number): number {
    return Math.floor((tick * TICK_MS * this.#options.callsPerSecond) / 1_000);
  }

  /** Makes all calls that were planned until now. */
  #onTick(): void {
    if (this.#plannedCount === this.#callCount) return;
    const nowMs = performance.now();
    for (; this.#tick < this.#tickCount; this.#tick++) {
      const plannedMs = this.#beginMs + this.#tick * TICK_MS;
      if (plannedMs > nowMs) return;
      const wanted = this.#callsUntil(this.#tick + 1);
      for (; this.#plannedCount < wanted; this.#plannedCount++) this.#call(plannedMs, nowMs);
    }
    setTimeout(() => this.#giveUp(), ANSWERED_MS_MAX).unref();
  }

  #call(plannedMs: number, nowMs: number): void {
    const { connection, headers } = this.#connections[this.#plannedCount % this.#connections.length]!;
    const call = this.#idle.pop() ?? new OpenCall(this);
    call.plannedMs = plannedMs;
    call.madeMs = nowMs;
    this.#openCount++;
    if (this.#isTimed(plannedMs)) this.#lateness.add(nowMs - plannedMs);
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
  madeMs = 0;
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
    this.#load.onAnswered(this, found);
  }
}
