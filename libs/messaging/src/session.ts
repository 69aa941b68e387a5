import { ClientType, type Settings, type TelemetryCommand } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Group } from '@orbitmq/views';
import type { Caller, ClientLanguage } from './caller.ts';

/** A telemetry stream of a client, as sessions see it. */
export interface CommandStream {
  /** Sends a command to the client; left out when the client has not taken what it was sent before. */
  push(command: TelemetryCommand): void;
  /** Sends a command unless the client has not taken what it was sent before. @returns whether it was sent */
  offer(command: TelemetryCommand): boolean;
}

/**
 * What this broker knows of one client: kept in memory only, made when the client first appears, gone when it says so
 * or is no longer heard of. A client without a session is served all the same.
 */
export class Session {
  readonly clientId: string;
  language: ClientLanguage;
  version: string;
  clientType: ClientType = ClientType.CLIENT_TYPE_UNSPECIFIED;
  /** Consumer group; undefined for producers and for clients that have not told it yet. */
  group: string | undefined;
  /** The newest settings of the client, as it sent them. */
  settings: Settings | undefined;
  /** What the client was last told about its group; undefined when it had none. */
  groupTold: Group | undefined;
  /** Encoded size of `settings`. */
  settingsBytes = 0;
  readonly streams = new Set<CommandStream>();
  /** Receives that are being answered. */
  openReceives = 0;
  /** Receives that wait for messages. */
  waitingPolls = 0;
  /** Monotonic milliseconds of the last sign of life. */
  lastSeenMs: number;
  /** The client is gone: whoever does something on its behalf stops. */
  ended = false;
  private hadStream = false;
  private readonly endListeners = new Set<() => void>();

  constructor(caller: Caller, nowMs: number) {
    this.clientId = caller.clientId;
    this.language = caller.language;
    this.version = caller.version;
    this.lastSeenMs = nowMs;
  }

  attach(stream: CommandStream): void {
    this.streams.add(stream);
    this.hadStream = true;
  }

  detach(stream: CommandStream): void {
    this.streams.delete(stream);
  }

  /** Whether the client has given no sign of life for too long. */
  isSilent(nowMs: number, silenceMs: number, disconnectedMs: number): boolean {
    const disconnected = this.hadStream && this.streams.size === 0 && this.openReceives === 0;
    return nowMs - this.lastSeenMs >= (disconnected ? disconnectedMs : silenceMs);
  }

  /** Calls `listener` when the session ends. Returns the way to stop that. */
  onEnd(listener: () => void): () => void {
    this.endListeners.add(listener);
    return () => this.endListeners.delete(listener);
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const listener of this.endListeners) listener();
    this.endListeners.clear();
  }
}
