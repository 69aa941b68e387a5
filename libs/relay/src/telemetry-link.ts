import type { Clock } from '@orbitmq/base';
import { WireError } from '@orbitmq/protocol';
import { type BidiCall, RpcError, type RpcStatus } from '@orbitmq/rpc';
import type { Broker } from './brokers.ts';

/** A client's newest settings: the command as it came, and a number that each later one raises. */
export interface SettingsCommand {
  readonly bytes: Uint8Array;
  readonly number: number;
}

/** Whom a link works for. */
export interface TelemetryClient {
  readonly path: string;
  /** Metadata for the brokers. */
  readonly metadata: Iterable<readonly [string, string]>;
  /** The newest settings; there are some when a link is opened. */
  readonly settings: SettingsCommand;
  /**
   * A broker has sent a command.
   * @param settingsNumber settings that the broker had been sent and not answered yet, undefined when there are none
   * @returns whether the settings count as answered by it; a promise while the client does not take more
   */
  received(bytes: Uint8Array, settingsNumber: number | undefined): Promise<boolean> | boolean;
  /** The client's stream must end with this. */
  fail(error: unknown): void;
}

type Stream = BidiCall<Uint8Array, Uint8Array>;

const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 2000;
/** Ends of a broker's stream that are the client's own doing: the broker would end the client's stream with them. */
const REFUSALS: ReadonlySet<RpcStatus> = new Set(['INVALID_ARGUMENT', 'UNAUTHENTICATED', 'PERMISSION_DENIED']);

/**
 * The telemetry of one client with one broker. It outlives the broker's streams: a new one is opened and given the
 * newest settings, and the client notices nothing.
 */
export class TelemetryLink {
  readonly broker: Broker;
  readonly #client: TelemetryClient;
  readonly #clock: Clock;
  readonly #unanswered: number[] = [];
  #stream: Stream | undefined;
  #isClosed = false;
  #isBlocked = false;
  #endPause = (): void => {};

  constructor(broker: Broker, client: TelemetryClient, clock: Clock) {
    this.broker = broker;
    this.#client = client;
    this.#clock = clock;
  }

  open(): void {
    this.#keepOpen().catch((error: unknown) => this.#client.fail(error));
  }

  /** Tells the newest settings. A broker that does not take them now gets them when it does. */
  tellSettings(): void {
    const { settings } = this.#client;
    if (this.#write(settings.bytes)) this.#unanswered.push(settings.number);
  }

  /** Passes a command on that is an answer of the client. Lost when the broker does not take it now, as its asker expects. */
  tell(bytes: Uint8Array): void {
    this.#write(bytes);
  }

  close(): void {
    this.#isClosed = true;
    this.#endPause();
    this.#stream?.end();
    this.#stream?.cancel();
  }

  async #keepOpen(): Promise<void> {
    let pauseMs = PAUSE_MIN_MS;
    while (!this.#isClosed) {
      const openedMs = this.#clock.monotonicMs();
      await this.#speak();
      if (this.#clock.monotonicMs() - openedMs > PAUSE_MAX_MS) pauseMs = PAUSE_MIN_MS;
      if (!this.#isClosed) await this.#pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    }
  }

  /** Opens one stream and speaks until it ends. */
  async #speak(): Promise<void> {
    const { connections } = this.broker;
    const connection = connections.acquire();
    const { path, metadata } = this.#client;
    const stream = connection.client.raw.bidi(path, { metadata });
    this.#stream = stream;
    this.#isBlocked = false;
    this.#unanswered.length = 0;
    this.tellSettings();
    try {
      for await (const bytes of stream.responses) {
        const isAnswer = await this.#client.received(bytes, this.#unanswered[0]);
        if (isAnswer) this.#unanswered.shift();
      }
    } catch (error) {
      if (error instanceof WireError) return; // what the broker says is no answer: it is asked again
      if (!(error instanceof RpcError)) throw error;
      if (REFUSALS.has(error.status)) this.#client.fail(error);
    } finally {
      this.#stream = undefined;
      stream.cancel();
      connections.release(connection);
    }
  }

  /** @returns whether the stream has taken it */
  #write(bytes: Uint8Array): boolean {
    const stream = this.#stream;
    if (!stream || this.#isBlocked) return false;
    const room = stream.write(bytes);
    if (!room) return true;
    this.#isBlocked = true;
    const { number } = this.#client.settings;
    void room.then(() => {
      if (this.#stream !== stream) return;
      this.#isBlocked = false;
      if (this.#client.settings.number > number) this.tellSettings();
    });
    return true;
  }

  #pause(pauseMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(pauseMs, resolve);
      this.#endPause = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
