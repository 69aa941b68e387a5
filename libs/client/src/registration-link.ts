import type { Clock, Timer } from '@orbitmq/base';
import { type RegisterReply, type RegisterRequest, RouteServiceDefinition } from '@orbitmq/protocol/orbitmq.route.v1';
import { type BidiCall, RpcError, type RpcStatus } from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';
import type { NameServer } from './name-servers.ts';
import type { RegistrationSource } from './registration-source.ts';
import type { TopicCatalog } from './topic-catalog.ts';

export interface RegistrationLinkOptions {
  readonly nameServer: NameServer;
  readonly catalog: TopicCatalog;
  readonly source: RegistrationSource;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly heartbeatIntervalMs: number;
  readonly silenceMs: number;
}

const PAUSE_MIN_MS = 50;
const PAUSE_MAX_MS = 500;
/** A name server that does not answer a farewell within this must not hold up the stop of the broker. */
const FAREWELL_MAX_MS = 1000;
/** Pause after a refusal: nothing changes until an operator does something. */
const PAUSE_REFUSED_MS = 5000;

const REFUSALS: ReadonlySet<RpcStatus> = new Set(['FAILED_PRECONDITION', 'INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED']);

const NOTHING: RegisterRequest = {
  begin: undefined,
  topics: undefined,
  status: undefined,
  heartbeat: undefined,
  unregister: undefined,
};

type RegisterCall = BidiCall<RegisterRequest, RegisterReply>;

/** The registration with one name server, over as many streams as it takes. */
export class RegistrationLink {
  readonly #options: RegistrationLinkOptions;
  #closing = false;
  #call: RegisterCall | undefined;
  #ended: Promise<void> = Promise.resolve();
  /** Ends the pause between two streams. */
  #endPause = (): void => {};

  // What is to be told on the present stream.
  #isFullDue = false;
  #isStatusDue = false;
  #isHeartbeatDue = false;
  #isFarewellDue = false;
  readonly #changedTopics = new Set<string>();
  #isWriting = false;

  // What has been told on it, and answered. Answers come in the order of what they answer.
  #versionTold = 0n;
  #versionShown: bigint | undefined;
  #answersDue = 0;
  #answersCome = 0;
  /** Number of the answer to the newest full registration. */
  #fullAnswer = 0;
  #heardMs = 0;

  constructor(options: RegistrationLinkOptions) {
    this.#options = options;
  }

  /** The name server shows the newest topics. */
  get isCurrent(): boolean {
    return this.#versionShown === this.#options.catalog.version;
  }

  open(): void {
    this.#ended = this.#keepOpen();
  }

  tellTopics(names: readonly string[]): void {
    for (const name of names) this.#changedTopics.add(name);
    this.#write();
  }

  tellStatus(): void {
    this.#isStatusDue = true;
    this.#write();
  }

  /** Registers from the beginning, on the stream that is open. */
  tellAll(): void {
    this.#isFullDue = true;
    this.#write();
  }

  /** Takes the broker out of the name server's routes and ends. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    this.#isFarewellDue = true;
    this.#write();
    const waitMs = Math.min(deadlineMs, FAREWELL_MAX_MS);
    const deadline = this.#options.clock.setTimer(waitMs, () => this.#call?.cancel());
    if (this.#versionShown === undefined) this.#call?.cancel();
    this.#endPause();
    await this.#ended;
    deadline.cancel();
  }

  async #keepOpen(): Promise<void> {
    let pauseMs = PAUSE_MIN_MS;
    let problem = '';
    while (!this.#closing) {
      const failure = await this.#speak();
      if (this.#closing) return;
      const wasRegistered = this.#versionShown !== undefined;
      this.#versionShown = undefined;
      if (wasRegistered) pauseMs = PAUSE_MIN_MS;
      const isRefusal = REFUSALS.has(failure.status);
      if (isRefusal) this.#options.logger.error({ reason: failure.message }, 'name server refuses this broker');
      else if (wasRegistered || problem !== failure.message) {
        this.#options.logger.warn({ status: failure.status, reason: failure.message }, 'name server out of reach');
      }
      problem = failure.message;
      await this.#pause(isRefusal ? PAUSE_REFUSED_MS : pauseMs);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    }
  }

  #pause(pauseMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(pauseMs, resolve);
      this.#endPause = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Opens one stream and speaks until it ends. @returns why it ended */
  async #speak(): Promise<RpcError> {
    const { client } = this.#options.nameServer;
    const call: RegisterCall = client.bidi(RouteServiceDefinition, 'register');
    this.#begin(call);
    const pulse = this.#startPulse(call);
    try {
      for await (const reply of call.responses) this.#answered(reply);
      return new RpcError('UNAVAILABLE', 'the name server has ended the stream');
    } catch (error) {
      if (error instanceof RpcError) return error;
      throw error;
    } finally {
      pulse.cancel();
      this.#call = undefined;
      call.cancel();
    }
  }

  #begin(call: RegisterCall): void {
    this.#call = call;
    this.#answersDue = 0;
    this.#answersCome = 0;
    this.#isHeartbeatDue = false;
    this.#isWriting = false;
    this.#isFullDue = true;
    this.#heardMs = this.#options.clock.monotonicMs();
    this.#write();
  }

  #answered(reply: RegisterReply): void {
    this.#heardMs = this.#options.clock.monotonicMs();
    this.#answersCome++;
    if (reply.registerAgain) {
      // What was told before the newest full registration needs no other one.
      if (this.#answersCome > this.#fullAnswer) this.#isFullDue = true;
      this.#write();
      return;
    }
    if (this.#versionShown === undefined) {
      this.#options.logger.info({ id: reply.nameServerId }, 'registered with name server');
    }
    this.#versionShown = reply.version;
  }

  /** Beats, and cuts the stream when nothing is heard any more. */
  #startPulse(call: RegisterCall): Timer {
    const { clock, heartbeatIntervalMs, silenceMs } = this.#options;
    const beat = (): void => {
      if (clock.monotonicMs() - this.#heardMs >= silenceMs) {
        call.cancel();
        return;
      }
      this.#isHeartbeatDue = true;
      this.#write();
      timer = clock.setTimer(heartbeatIntervalMs, beat);
    };
    let timer = clock.setTimer(heartbeatIntervalMs, beat);
    return { cancel: () => timer.cancel() };
  }

  /** Sends all that is due, in order, as quickly as the stream takes it. */
  #write(): void {
    const call = this.#call;
    if (!call || this.#isWriting) return;
    this.#isWriting = true;
    void this.#writeAll(call).finally(() => {
      if (this.#call === call) this.#isWriting = false;
    });
  }

  async #writeAll(call: RegisterCall): Promise<void> {
    while (this.#call === call) {
      const messages = this.#nextMessages();
      if (messages.length === 0) return;
      this.#answersDue++;
      for (const message of messages) {
        const room = call.write(message);
        if (room) await room;
        if (this.#call !== call) return;
      }
      if (messages[0]?.unregister) return call.end();
    }
  }

  /** Messages of what is due most; they get one answer. */
  #nextMessages(): RegisterRequest[] {
    const { catalog, source } = this.#options;
    if (this.#isFarewellDue) {
      this.#isFarewellDue = false;
      return [{ ...NOTHING, unregister: {} }];
    }
    if (this.#isFullDue) {
      this.#isFullDue = false;
      this.#isStatusDue = false;
      this.#changedTopics.clear();
      this.#versionTold = catalog.version;
      this.#fullAnswer = this.#answersDue + 1;
      const begin = { identity: source.identity(), status: source.status(), dialled: this.#options.nameServer.address };
      return [{ ...NOTHING, begin }, ...catalog.all()];
    }
    if (this.#changedTopics.size > 0) {
      const messages = catalog.changes(this.#changedTopics, this.#versionTold);
      this.#changedTopics.clear();
      this.#versionTold = catalog.version;
      return messages;
    }
    if (this.#isStatusDue) {
      this.#isStatusDue = false;
      return [{ ...NOTHING, status: source.status() }];
    }
    if (this.#isHeartbeatDue) {
      this.#isHeartbeatDue = false;
      return [{ ...NOTHING, heartbeat: { version: this.#versionTold } }];
    }
    return [];
  }
}
