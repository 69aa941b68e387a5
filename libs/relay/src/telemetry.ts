import type { Timer } from '@orbitmq/base';
import { type Call, passedMetadata, RpcError, type Sink } from '@orbitmq/rpc';
import type { RelayContext } from './relay-context.ts';
import { COMMAND_RECONNECT_ENDPOINTS, COMMAND_SETTINGS, commandOf, isAccepted } from './telemetry-command.ts';
import { type SettingsCommand, type TelemetryClient, TelemetryLink } from './telemetry-link.ts';

/** A stream must bring its settings by then. Milliseconds. */
const SETTINGS_DEADLINE_MS = 60_000;

/**
 * One client's telemetry stream, relayed to all brokers: brokers that come are added, those that go are left, and the
 * client's stream stays. Each settings command of the client is answered once, by the first broker that accepts it.
 */
export class TelemetryRelay implements TelemetryClient {
  readonly path: string;
  readonly metadata: Iterable<readonly [string, string]>;
  readonly #context: RelayContext;
  readonly #sink: Sink<Uint8Array>;
  readonly #links = new Map<string, TelemetryLink>();
  #settings: SettingsCommand | undefined;
  #numberAnswered = 0;
  #end: (error?: unknown) => void = () => {};

  constructor(context: RelayContext, call: Call, sink: Sink<Uint8Array>) {
    this.path = call.path;
    this.metadata = passedMetadata(call);
    this.#context = context;
    this.#sink = sink;
  }

  get settings(): SettingsCommand {
    return this.#settings!;
  }

  /**
   * Serves the stream until the client ends it.
   * @throws RpcError INVALID_ARGUMENT when settings don't come first, or what a broker says of them
   */
  async run(requests: AsyncIterable<Uint8Array>): Promise<void> {
    const stopFollowing = this.#context.brokers.onChange((added, removed) => {
      for (const broker of removed) this.#leave(broker.name);
      for (const broker of added) if (this.#settings) this.#join(broker.name);
    });
    const deadline = this.#startDeadline();
    try {
      await new Promise<void>((resolve, reject) => {
        this.#end = (error) => (error === undefined ? resolve() : reject(error));
        this.#listen(requests).then(resolve, reject);
      });
    } finally {
      deadline.cancel();
      stopFollowing();
      for (const link of this.#links.values()) link.close();
      this.#links.clear();
    }
  }

  async received(bytes: Uint8Array, settingsNumber: number | undefined): Promise<boolean> {
    const command = commandOf(bytes);
    if (command !== COMMAND_SETTINGS) {
      // The client's connection is to this name server; a broker that goes must not make it reconnect.
      if (command !== COMMAND_RECONNECT_ENDPOINTS) await this.#sink.write(bytes);
      return false;
    }
    if (!isAccepted(bytes)) return settingsNumber !== undefined;
    // Unasked-for settings are news for the client; answers are, when they are the first ones.
    if (settingsNumber === undefined || settingsNumber > this.#numberAnswered) {
      this.#numberAnswered = settingsNumber ?? this.#numberAnswered;
      await this.#sink.write(bytes);
    }
    return settingsNumber !== undefined;
  }

  fail(error: unknown): void {
    this.#end(error);
  }

  async #listen(requests: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const bytes of requests) {
      if (commandOf(bytes) === COMMAND_SETTINGS) this.#takeSettings(bytes);
      else if (!this.#settings)
        throw new RpcError('INVALID_ARGUMENT', 'a telemetry stream begins with the settings of the client');
      else for (const link of this.#links.values()) link.tell(bytes);
    }
  }

  #takeSettings(bytes: Uint8Array): void {
    const isFirst = this.#settings === undefined;
    this.#settings = { bytes, number: (this.#settings?.number ?? 0) + 1 };
    if (isFirst) for (const broker of this.#context.brokers.all()) this.#join(broker.name);
    else for (const link of this.#links.values()) link.tellSettings();
  }

  #join(brokerName: string): void {
    const broker = this.#context.brokers.named(brokerName);
    if (!broker || this.#links.has(brokerName)) return;
    const link = new TelemetryLink(broker, this, this.#context.clock);
    this.#links.set(brokerName, link);
    link.open();
  }

  #leave(brokerName: string): void {
    this.#links.get(brokerName)?.close();
    this.#links.delete(brokerName);
  }

  #startDeadline(): Timer {
    return this.#context.clock.setTimer(SETTINGS_DEADLINE_MS, () => {
      if (!this.#settings) this.fail(new RpcError('INVALID_ARGUMENT', 'no settings came on this telemetry stream'));
    });
  }
}
