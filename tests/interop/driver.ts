import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { endWithThisProcess } from '@orbitmq/tools';
import { waitUntil } from './child.ts';

/** A message to send, as the line protocol of README.md carries it. */
export interface OutgoingMessage {
  readonly topic: string;
  /** Base64. */
  readonly body: string;
  readonly tag?: string;
  readonly keys?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
  /** The message group of a FIFO message. */
  readonly group?: string;
  /** 0 or more. */
  readonly priority?: number;
  /** Not before this moment, milliseconds since 1970. */
  readonly deliveryMs?: number;
  /** A lite topic of the topic. */
  readonly lite?: string;
}

/** A message as a client showed it to its application. */
export interface ReceivedMessage {
  readonly messageId: string;
  readonly topic: string;
  readonly tag: string | null;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly group: string | null;
  /** Absent where the client does not tell. */
  readonly priority?: number | null;
  /** Absent where the client knows no lite topics. */
  readonly lite?: string | null;
  readonly attempt: number;
  readonly bornHost: string;
  readonly bornTimestampMs: number;
  /** Whether the client found the digest to be wrong, where it tells. */
  readonly corrupted: boolean;
  readonly sizeBytes: number;
  readonly md5: string;
  /** Base64; null above 64 KiB. */
  readonly body: string | null;
  /** For `ack` and `changeInvisible`; only in answers to `receive`. */
  readonly handle: string;
  /** When the runner read the line, by `performance.now()`. */
  readonly seenMs: number;
}

/** What a consumer asks for. */
export interface ConsumerOptions {
  readonly group: string;
  /** Expressions by topic. */
  readonly subscriptions: Readonly<Record<string, string>>;
  /** How the expressions are to be read; as tags when absent. */
  readonly filterType?: 'tag' | 'sql';
}

/** Where and how a client connects. */
export interface Connection {
  /** One or more `host:port`, joined by `;`. */
  readonly endpoints: string;
  readonly tls: boolean;
  /** Resource namespace; none when absent. */
  readonly namespace?: string;
}

interface Line {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: string;
  readonly event?: 'message' | 'progress' | 'check';
  readonly name?: string;
  readonly message?: ReceivedMessage;
  readonly acked?: number;
  readonly messageId?: string;
}

/** Where a subscription to a lite topic begins. */
export type LiteOffset =
  | { readonly policy: 'min' | 'max' | 'last' }
  | { readonly offset: number }
  | { readonly tail: number }
  | { readonly timestampMs: number };

/** What a producer's checker answers when it is asked about a transaction. */
export type CheckerAnswer = 'commit' | 'rollback' | 'unknown';

interface Waiter {
  resolve(result: Record<string, unknown>): void;
  reject(error: Error): void;
}

/** How one driver program is run. */
export interface DriverCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A running driver program: one process that holds any number of producers and consumers of one client library. */
export class Driver {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #waiters = new Map<number, Waiter>();
  readonly #messages = new Map<string, ReceivedMessage[]>();
  readonly #progress = new Map<string, number>();
  readonly #checks = new Map<string, string[]>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #isRunning = true;

  constructor(command: DriverCommand, logFile: string) {
    mkdirSync(dirname(logFile), { recursive: true });
    this.#process = spawn(command.command, command.args, { env: { ...process.env, ...command.env } });
    this.#process.stderr.pipe(createWriteStream(logFile, { flags: 'a' }));
    this.#process.stdin.on('error', () => {});
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#onLine(line));
    endWithThisProcess(this.#process);
    this.#exited = new Promise((resolve) => {
      const finish = (cause: string) => {
        this.#isRunning = false;
        for (const waiter of this.#waiters.values())
          waiter.reject(new Error(`the driver ended (${cause}), see ${logFile}`));
        this.#waiters.clear();
        resolve();
      };
      this.#process.once('exit', (code, signal) => finish(`code ${code}, signal ${signal}`));
      this.#process.once('error', (error) => finish(error.message));
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** True until the program has ended. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /**
   * Runs one operation.
   *
   * @throws Error with the client's own text when the operation failed, or when it took longer than `timeoutMs`
   */
  call(op: string, fields: object, timeoutMs = 60_000): Promise<Record<string, unknown>> {
    if (!this.#isRunning) return Promise.reject(new Error(`${op}: the driver has ended`));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => settle(() => reject(new Error(`${op}: no answer within ${timeoutMs} ms`))),
        timeoutMs,
      );
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        this.#waiters.delete(id);
        finish();
      };
      this.#waiters.set(id, {
        resolve: (result) => settle(() => resolve(result)),
        reject: (error) => settle(() => reject(new Error(`${op}: ${error.message}`))),
      });
      this.#process.stdin.write(`${JSON.stringify({ id, op, ...fields })}\n`);
    });
  }

  /** @param checker makes it a producer that can send in transactions */
  async startProducer(
    name: string,
    connection: Connection,
    topics: readonly string[],
    checker?: CheckerAnswer,
  ): Promise<void> {
    this.#checks.set(name, []);
    await this.call('startProducer', { name, ...connection, topics, ...(checker && { checker }) });
  }

  /** Sends in a transaction of its own, and ends it or leaves it open. */
  async sendInTransaction(
    name: string,
    message: OutgoingMessage,
    end: 'commit' | 'rollback' | 'none',
  ): Promise<string> {
    return (await this.call('sendInTransaction', { name, message, end })).messageId as string;
  }

  /** Ids of the messages about which the producer's checker was asked so far. */
  checksOf(name: string): readonly string[] {
    return this.#checks.get(name) ?? [];
  }

  async send(name: string, message: OutgoingMessage): Promise<string> {
    return (await this.call('send', { name, message })).messageId as string;
  }

  /** Sends a message with a time of delivery. */
  async sendDelayed(
    name: string,
    message: OutgoingMessage,
  ): Promise<{ readonly messageId: string; readonly recallHandle: string | undefined }> {
    const { messageId, recallHandle } = await this.call('send', { name, message });
    return { messageId: messageId as string, recallHandle: (recallHandle as string | null) ?? undefined };
  }

  /** Cancels a message that waits for its time. @returns its id, as the broker says it */
  async recall(name: string, topic: string, recallHandle: string): Promise<string> {
    return (await this.call('recall', { name, topic, recallHandle })).messageId as string;
  }

  /** Sends `count` messages `prefix0`, `prefix1`, …; tells which were acknowledged. */
  async sendMany(
    name: string,
    options: { topic: string; prefix: string; count: number; concurrency: number; groups?: readonly string[] },
  ): Promise<{ acked: number[]; failed: number }> {
    const result = await this.call('sendMany', { name, ...options }, 240_000);
    return { acked: result.acked as number[], failed: result.failed as number };
  }

  /** How many messages of a running `sendMany` were acknowledged when it last told. */
  progressOf(name: string): number {
    return this.#progress.get(name) ?? 0;
  }

  async startPushConsumer(
    name: string,
    connection: Connection,
    options: ConsumerOptions & {
      readonly holdMs?: number;
      /** The listener fails every delivery whose attempt is below this. */
      readonly failUntilAttempt?: number;
    },
  ): Promise<void> {
    this.#messages.set(name, []);
    await this.call('startPushConsumer', { name, ...connection, ...options });
  }

  /** What the push consumer's listener has been given so far, in that order. */
  messagesOf(name: string): readonly ReceivedMessage[] {
    return this.#messages.get(name) ?? [];
  }

  /** Waits until the listener has been given at least `countMin` messages. */
  async waitForMessages(name: string, countMin: number, timeoutMs: number): Promise<readonly ReceivedMessage[]> {
    const messages = this.messagesOf(name);
    try {
      await waitUntil(`${countMin} messages`, timeoutMs, () => messages.length >= countMin);
    } catch (cause) {
      throw new Error(`${name} was given ${messages.length} of ${countMin} messages within ${timeoutMs} ms`, { cause });
    }
    return messages;
  }

  async startSimpleConsumer(
    name: string,
    connection: Connection,
    options: ConsumerOptions & { readonly awaitMs: number },
  ): Promise<void> {
    await this.call('startSimpleConsumer', { name, ...connection, ...options });
  }

  /** Starts a consumer of lite topics; it begins with none. */
  async startLitePushConsumer(
    name: string,
    connection: Connection,
    options: {
      group: string;
      topic: string;
      holdMs?: number;
      /** The listener fails each message the first time. */
      failsOnce?: boolean;
      /** The listener suspends the first message that it is given. */
      suspendFirstMs?: number;
    },
  ): Promise<void> {
    this.#messages.set(name, []);
    await this.call('startLitePushConsumer', { name, ...connection, ...options });
  }

  async startLiteSimpleConsumer(
    name: string,
    connection: Connection,
    options: { group: string; topic: string; awaitMs: number },
  ): Promise<void> {
    await this.call('startLiteSimpleConsumer', { name, ...connection, ...options });
  }

  async subscribeLite(name: string, lite: string, offset?: LiteOffset): Promise<void> {
    await this.call('subscribeLite', { name, lite, ...(offset && { offset }) });
  }

  async unsubscribeLite(name: string, lite: string): Promise<void> {
    await this.call('unsubscribeLite', { name, lite });
  }

  async receive(name: string, max: number, invisibleMs: number): Promise<ReceivedMessage[]> {
    const { messages } = await this.call('receive', { name, max, invisibleMs });
    const seenMs = performance.now();
    return (messages as ReceivedMessage[]).map((message) => ({ ...message, seenMs }));
  }

  async ack(name: string, message: ReceivedMessage): Promise<void> {
    await this.call('ack', { name, handle: message.handle });
  }

  async changeInvisible(name: string, message: ReceivedMessage, invisibleMs: number): Promise<void> {
    await this.call('changeInvisible', { name, handle: message.handle, invisibleMs });
  }

  async close(name: string): Promise<void> {
    await this.call('close', { name });
  }

  /** Ends the program as its user would by Ctrl-D; kills it when it does not end. */
  async stop(): Promise<void> {
    this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5_000);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Ends the program without a word to the server. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }

  #onLine(text: string): void {
    const line = JSON.parse(text) as Line;
    if (line.event === 'message') {
      this.#messages.get(line.name!)?.push({ ...line.message!, handle: '', seenMs: performance.now() });
      return;
    }
    if (line.event === 'check') {
      this.#checks.get(line.name!)?.push(line.messageId!);
      return;
    }
    if (line.event === 'progress') {
      this.#progress.set(line.name!, line.acked!);
      return;
    }
    const waiter = this.#waiters.get(line.id!);
    if (line.error === undefined) waiter?.resolve(line.result!);
    else waiter?.reject(new Error(line.error));
  }
}
