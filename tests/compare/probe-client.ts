import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  MessagingServiceDefinition,
  type ReceiveMessageResponse,
  type Status,
  TelemetryCommand,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { BidiCall, RpcClient } from '@orbitmq/rpc';
import { type Answer, codeName, failureName } from './answer.ts';

type Methods = typeof MessagingServiceDefinition.methods;
type RequestOf<Name extends keyof Methods> = ReturnType<Methods[Name]['requestType']['decode']>;
type ResponseOf<Name extends keyof Methods> = ReturnType<Methods[Name]['responseType']['decode']>;
/** Calls with one request and one answer. */
export type UnaryName = Exclude<keyof Methods, 'receiveMessage' | 'pullMessage' | 'telemetry'>;
type StreamName = 'receiveMessage' | 'pullMessage';

const NOTHING = new Uint8Array();
/** Deadline of a call that does not wait. */
const TIMEOUT_MS = 60_000;
/** A server that is busy for a moment is asked again, as clients do. */
const BUSY_PAUSE_MS = 500;
const BUSY_ATTEMPTS_MAX = 20;

/** Who a client says it is. */
export interface ProbeClientOptions {
  readonly clientId: string;
  readonly language?: string;
  readonly version?: string;
  /** Sent after the usual headers; undefined leaves a header out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/**
 * Speaks apache.rocketmq.v2 as an official client does, but sends whatever a probe wants and judges nothing.
 * What a request does not say has the default of its type.
 */
export class ProbeClient {
  readonly options: ProbeClientOptions;
  readonly #rpc: RpcClient;
  readonly #sessions: TelemetrySession[] = [];

  /** @param rpc a connection to the server, which others may use, too */
  constructor(rpc: RpcClient, options: ProbeClientOptions) {
    this.#rpc = rpc;
    this.options = options;
  }

  get clientId(): string {
    return this.options.clientId;
  }

  async call<Name extends UnaryName>(name: Name, request: Partial<RequestOf<Name>>): Promise<Answer<ResponseOf<Name>>> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#callOnce(name, request);
      if (answer.code !== 'TOO_MANY_REQUESTS' || attempt === BUSY_ATTEMPTS_MAX) return answer;
      await sleep(BUSY_PAUSE_MS);
    }
  }

  async #callOnce<Name extends UnaryName>(
    name: Name,
    request: Partial<RequestOf<Name>>,
  ): Promise<Answer<ResponseOf<Name>>> {
    const { requestType } = MessagingServiceDefinition.methods[name];
    const whole = { ...requestType.decode(NOTHING), ...request } as RequestOf<Name>;
    const options = { metadata: this.#metadata(), timeoutMs: TIMEOUT_MS };
    try {
      const response = await this.#rpc.unary(MessagingServiceDefinition, name, whole as never, options);
      const { status } = response as { readonly status: Status | undefined };
      return { code: codeName(status), response: response as ResponseOf<Name> };
    } catch (error) {
      return { code: failureName(error), response: undefined };
    }
  }

  /** All parts of a streamed answer; the code is that of the first status among them. */
  async stream<Name extends StreamName>(
    name: Name,
    request: Partial<RequestOf<Name>>,
    timeoutMs = 30_000,
  ): Promise<Answer<ResponseOf<Name>[]>> {
    const { requestType } = MessagingServiceDefinition.methods[name];
    const whole = { ...requestType.decode(NOTHING), ...request } as never;
    const options = { metadata: this.#metadata(), timeoutMs };
    const parts: ResponseOf<Name>[] = [];
    try {
      for await (const part of this.#rpc.serverStream(MessagingServiceDefinition, name, whole, options)) {
        parts.push(part as ResponseOf<Name>);
      }
    } catch (error) {
      return { code: failureName(error), response: undefined };
    }
    const first = (parts as ReceiveMessageResponse[]).find(({ status }) => status !== undefined);
    return { code: codeName(first?.status), response: parts };
  }

  /** Opens a telemetry stream. */
  telemetry(): TelemetrySession {
    const session = new TelemetrySession(
      this.#rpc.bidi(MessagingServiceDefinition, 'telemetry', { metadata: this.#metadata() }),
    );
    this.#sessions.push(session);
    return session;
  }

  /** Cuts its telemetry streams. */
  close(): void {
    for (const session of this.#sessions) session.close();
  }

  #metadata(): [string, string][] {
    const { clientId, language, version, headers } = this.options;
    const all: Record<string, string | undefined> = {
      'x-mq-client-id': clientId,
      'x-mq-language': language ?? 'JAVA',
      'x-mq-client-version': version ?? '5.2.0',
      'x-mq-protocol': 'v2',
      'x-mq-request-id': randomUUID(),
      'x-mq-date-time': '20260101T000000Z',
      ...headers,
    };
    return Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined);
  }
}

/** One telemetry stream: what the server says on it, in order. */
export class TelemetrySession {
  readonly #call: BidiCall<TelemetryCommand, TelemetryCommand>;
  readonly #commands: TelemetryCommand[] = [];
  #ending: string | undefined;
  #wake: () => void = () => {};
  #taken = 0;

  constructor(call: BidiCall<TelemetryCommand, TelemetryCommand>) {
    this.#call = call;
    void this.#read();
  }

  send(command: Partial<TelemetryCommand>): void {
    void this.#call.write({ ...TelemetryCommand.decode(NOTHING), ...command });
  }

  /**
   * The next command that `wanted` takes; others are passed over.
   * @returns how the stream ended when it did so first; `nothing` when neither came within `timeoutMs`
   */
  async next(
    timeoutMs = 10_000,
    wanted: (command: TelemetryCommand) => boolean = () => true,
  ): Promise<TelemetryCommand | string> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      while (this.#taken < this.#commands.length) {
        const command = this.#commands[this.#taken++]!;
        if (wanted(command)) return command;
      }
      if (this.#ending !== undefined) return this.#ending;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return 'nothing';
      await this.#news(leftMs);
    }
  }

  end(): void {
    this.#call.end();
  }

  close(): void {
    this.#call.cancel();
  }

  async #news(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
  }

  async #read(): Promise<void> {
    try {
      for await (const command of this.#call.responses) {
        this.#commands.push(command);
        this.#wake();
      }
      this.#ending = 'gRPC OK';
    } catch (error) {
      this.#ending = failureName(error);
    }
    this.#wake();
  }
}
