import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { Producer } from 'rocketmq-client-nodejs';

const PAUSE_MS = 10;
const SILENT = { debug() {}, info() {}, warn() {}, error() {}, close() {} };

/** An application with an official client, which sends one message after the other: again when the client gives up. */
export class OfficialSender implements AsyncDisposable {
  /** Bodies of messages of which the client said that they are stored. */
  readonly stored = new Set<string>();
  readonly #producer: Producer;
  readonly #topic: string;
  readonly #running: Promise<void>;
  #stopped = false;
  #storedMs = 0;
  #gapMs = 0;
  #lastFailure: unknown;
  #failedCount = 0;

  private constructor(producer: Producer, topic: string) {
    this.#producer = producer;
    this.#topic = topic;
    this.#running = this.#run();
  }

  /** @param endpoints what applications are given: the name servers */
  static async start(endpoints: string, topic: string): Promise<OfficialSender> {
    const producer = new Producer({ endpoints, namespace: '', topic, logger: SILENT });
    await producer.startup();
    return new OfficialSender(producer, topic);
  }

  /** Sends that the client gave up, and why the last of them; what it tried again by itself is not counted. */
  get failures(): { readonly count: number; readonly last: unknown } {
    return { count: this.#failedCount, last: this.#lastFailure };
  }

  /** Waits until so many more messages are stored. */
  async more(count: number, patienceMs = 60_000): Promise<void> {
    const target = this.stored.size + count;
    const endMs = performance.now() + patienceMs;
    while (this.stored.size < target) {
      assert.ok(performance.now() < endMs, `the official client could not send for ${patienceMs} ms`);
      await pause(10);
    }
  }

  /** Longest time between two sends that succeeded, since it was asked last. Milliseconds. */
  takeGapMs(): number {
    const gapMs = this.#gapMs;
    this.#gapMs = 0;
    return gapMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await this.#producer.shutdown();
  }

  async #run(): Promise<void> {
    this.#storedMs = performance.now();
    for (let index = 0; !this.#stopped; index++) {
      const body = `official-${index}`;
      if (await this.#isSent(body)) {
        const nowMs = performance.now();
        this.#gapMs = Math.max(this.#gapMs, nowMs - this.#storedMs);
        this.#storedMs = nowMs;
        this.stored.add(body);
      }
      await pause(PAUSE_MS);
    }
  }

  async #isSent(body: string): Promise<boolean> {
    try {
      await this.#producer.send({ topic: this.#topic, body: Buffer.from(body) });
      return true;
    } catch (error) {
      this.#lastFailure = error;
      this.#failedCount++;
      return false;
    }
  }
}
