import { MqError } from '@orbitmq/base';
import { ClientType, type Settings, type TelemetryCommand } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { BidiHandler, Call } from '@orbitmq/rpc';
import type { Group } from '@orbitmq/views';
import { type Caller, callerOf, languageOfEnum } from './caller.ts';
import { checkSettings } from './client-settings.ts';
import type { MessagingContext } from './context.ts';
import { checkLiteMode, isLiteClient } from './lite-mode.ts';
import { settingsAnswer } from './settings.ts';
import { TelemetryStream } from './telemetry-stream.ts';

/**
 * Telemetry: each client keeps a stream to each broker, tells its settings on it and gets them back with the server's
 * policy filled in. A stream ends when its client ends it, when the server stops, or by an error of the client; never
 * otherwise, as some clients open no second one for minutes.
 */
export class Telemetry {
  private readonly context: MessagingContext;
  private readonly streams = new Set<TelemetryStream>();

  constructor(context: MessagingContext) {
    this.context = context;
  }

  /** Open streams. */
  get streamCount(): number {
    return this.streams.size;
  }

  readonly handle: BidiHandler<TelemetryCommand, TelemetryCommand> = async (requests, call, sink) => {
    const caller = callerOf(call);
    this.checkRoom(caller);
    const stream = new TelemetryStream(sink);
    this.streams.add(stream);
    try {
      await this.serve(stream, requests, call, caller);
    } finally {
      this.streams.delete(stream);
      // a stream that was cut and one that its client ended look alike here
      if (stream.session) this.context.renewals.doubt(stream.session);
      stream.detach();
    }
  };

  /** Tells clients of a group what has changed in it. */
  announceGroups(): void {
    const { sessions, shard } = this.context;
    for (const session of sessions.all()) {
      if (session.group === undefined || session.settings === undefined || session.streams.size === 0) continue;
      const group = shard.metadata.group(session.group);
      if (group === session.groupTold) continue;
      session.groupTold = group;
      const command = settingsAnswer(session.settings, group, session.language, this.context.config);
      for (const stream of session.streams) stream.push(command);
    }
  }

  private checkRoom(caller: Caller): void {
    const { telemetryStreamsMax, telemetryStreamsPerClientMax } = this.context.config.limits;
    const own = this.context.sessions.seen(caller.clientId)?.streams.size ?? 0;
    if (own < telemetryStreamsPerClientMax && this.streams.size < telemetryStreamsMax) return;
    throw new MqError(
      'TOO_MANY_REQUESTS',
      `a client has at most ${telemetryStreamsPerClientMax} telemetry streams, all clients together ${telemetryStreamsMax}; found ${own} and ${this.streams.size}; use one stream for each client and broker`,
    );
  }

  /** Settles when the stream is to end. */
  private serve(
    stream: TelemetryStream,
    requests: AsyncIterable<TelemetryCommand>,
    call: Call,
    caller: Caller,
  ): Promise<void> {
    const { clock, config } = this.context;
    return new Promise((resolve, reject) => {
      const deadline = clock.setTimer(config.times.settingsDeadlineMs, () => {
        if (!stream.session) reject(noSettings(`none within ${config.times.settingsDeadlineMs} ms`));
      });
      const stopDrain = call.onDrain(() => {
        stream.push(RECONNECT);
        resolve();
      });
      this.takeAll(stream, requests, caller)
        .finally(() => {
          deadline.cancel();
          stopDrain();
        })
        .then(resolve, reject);
    });
  }

  private async takeAll(
    stream: TelemetryStream,
    requests: AsyncIterable<TelemetryCommand>,
    caller: Caller,
  ): Promise<void> {
    for await (const command of requests) {
      if (command.settings) await this.takeSettings(stream, command.settings, caller);
      // answers to commands of the server are of use only to who waits for them, and nobody does
      else if (!stream.session) throw noSettings('another command');
      else this.context.sessions.seen(caller.clientId);
    }
  }

  private async takeSettings(stream: TelemetryStream, settings: Settings, caller: Caller): Promise<void> {
    const { agreements, config, filters, sessions } = this.context;
    const sizeBytes = checkSettings(settings, config.limits);
    const group = await this.groupOf(settings);
    const groupName = settings.subscription?.group?.name;
    if (groupName !== undefined) checkLiteMode(groupName, group, settings);
    const named = languageOfEnum(settings.userAgent?.language);
    const session = sessions.obtain(caller);
    sessions.keepSettings(session, settings, sizeBytes);
    session.language = named === 'OTHER' ? caller.language : named;
    session.version = caller.version;
    session.clientType = settings.clientType ?? clientTypeOf(settings);
    session.group = groupName;
    session.groupTold = group;
    // who reads lite topics has no expression
    if (settings.subscription && !isLiteClient(settings.clientType)) {
      agreements.told(session, session.group ?? '', settings.subscription.subscriptions, filters);
    }
    stream.attachTo(session);
    await stream.send(settingsAnswer(settings, group, caller.language, config));
    if (session.language === 'NODE_JS') this.repeatSettings(stream);
  }

  /**
   * The Node client begins to wait for its settings when it has the routes of all its topics. Those that came before it has not
   * heard, and would stand still until it sends its own again, after minutes.
   */
  private repeatSettings(stream: TelemetryStream): void {
    const { clock, config } = this.context;
    for (const delayMs of config.times.settingsRepeatMs) {
      clock.setTimer(delayMs, () => {
        const { session } = stream;
        if (session?.settings === undefined || !this.streams.has(stream)) return;
        stream.push(settingsAnswer(session.settings, session.groupTold, session.language, config));
      });
    }
  }

  /** The consumer's group; a client is told its settings also when its group can't be made just now. */
  private async groupOf(settings: Settings): Promise<Group | undefined> {
    const name = settings.subscription?.group?.name;
    if (name === undefined) return undefined;
    // a group that is made by its first client reads no lite topics
    if (isLiteClient(settings.clientType)) return this.context.shard.metadata.group(name);
    try {
      return await this.context.provision.group(name);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      this.context.logger.debug({ code: error.code, group: name }, 'group of a new client is not there');
      return undefined;
    }
  }
}

/** Asks the client to connect again, elsewhere or here after the restart. */
const RECONNECT: TelemetryCommand = { reconnectEndpointsCommand: { nonce: '' } };

function clientTypeOf(settings: Settings): ClientType {
  return settings.subscription ? ClientType.CLIENT_TYPE_UNSPECIFIED : ClientType.PRODUCER;
}

function noSettings(found: string): MqError {
  return new MqError(
    'BAD_REQUEST',
    `the first command of a telemetry stream is settings; found ${found}; send settings when the stream is open`,
  );
}
