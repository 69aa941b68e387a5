import {
  type AckMessageResponse,
  ClientType,
  Encoding,
  type Endpoints,
  FilterType,
  type Message,
  MessageType,
  MessagingServiceDefinition,
  Permission,
  type QueryRouteResponse,
  type ReceiveMessageResponse,
  type SendMessageResponse,
  type Settings,
  type TelemetryCommand,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { type BidiCall, type ClientTls, createRpcClient, type RpcClient } from '@orbitmq/rpc';

/** Deadline of a call that does not wait. */
const TIMEOUT_MS = 10_000;
const POLLING_MS = 5_000;

/** What a test may say about a message; the rest is as an ordinary client fills it in. */
export interface MessageFields {
  readonly topic: string;
  readonly body?: Uint8Array;
  readonly tag?: string;
  readonly keys?: readonly string[];
  readonly messageId?: string;
  readonly group?: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly type?: MessageType;
}

/** What a test may say about a receive. */
export interface ReceiveFields {
  readonly topic: string;
  readonly group: string;
  readonly brokerName: string;
  readonly filter?: { readonly type: FilterType; readonly expression: string };
  readonly batchSize?: number;
  /** Milliseconds, whole seconds. Default 10,000. */
  readonly invisibleMs?: number;
  /** Milliseconds, whole seconds. Default 5,000. */
  readonly pollingMs?: number;
  readonly attemptId?: string;
}

let nextMessage = 0;

/** A message as a client would send it. */
export function newMessage(fields: MessageFields): Message {
  return {
    topic: resource(fields.topic),
    userProperties: new Map(Object.entries(fields.properties ?? {})),
    systemProperties: {
      ...(fields.tag === undefined ? {} : { tag: fields.tag }),
      keys: [...(fields.keys ?? [])],
      messageId: fields.messageId ?? `01${(nextMessage++).toString(16).toUpperCase().padStart(32, '0')}`,
      bodyDigest: undefined,
      bodyEncoding: Encoding.IDENTITY,
      messageType: fields.type ?? (fields.group === undefined ? MessageType.NORMAL : MessageType.FIFO),
      bornTimestamp: { seconds: BigInt(Math.floor(Date.now() / 1000)), nanos: 0 },
      bornHost: 'test',
      storeHost: '',
      queueId: 0,
      ...(fields.group === undefined ? {} : { messageGroup: fields.group }),
    },
    body: fields.body ?? Buffer.from('hello'),
  };
}

/** A name without a namespace. */
export function resource(name: string): { resourceNamespace: string; name: string } {
  return { resourceNamespace: '', name };
}

function duration(milliseconds: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(milliseconds / 1000)), nanos: (milliseconds % 1000) * 1_000_000 };
}

/** Calls apache.rocketmq.v2 of one server without any cleverness, so that a test sees the very answers. */
export class MessagingClient implements Disposable {
  readonly rpc: RpcClient;
  readonly metadata: readonly (readonly [string, string])[];
  readonly #timeoutMs: number;

  /**
   * @param endpoint `host:port` of a broker or name server
   * @param clientId null sends none
   * @param timeoutMs deadline of calls that do not wait
   * @param tls plain text without it
   */
  constructor(
    endpoint: string,
    clientId: string | null = `test@${process.pid}`,
    timeoutMs = TIMEOUT_MS,
    tls?: ClientTls,
  ) {
    this.#timeoutMs = timeoutMs;
    this.rpc = createRpcClient({ addresses: [endpoint], tls });
    this.metadata = clientId === null ? [] : [['x-mq-client-id', clientId]];
  }

  /** @param dialled what the client says that it dialled */
  queryRoute(topic: string, dialled?: Endpoints): Promise<QueryRouteResponse> {
    const request = { topic: resource(topic), endpoints: dialled };
    return this.rpc.unary(MessagingServiceDefinition, 'queryRoute', request, this.#options());
  }

  send(...messages: MessageFields[]): Promise<SendMessageResponse> {
    return this.sendRaw(messages.map(newMessage));
  }

  sendRaw(messages: Message[]): Promise<SendMessageResponse> {
    return this.rpc.unary(MessagingServiceDefinition, 'sendMessage', { messages }, this.#options());
  }

  /** All parts of one answer. */
  async receive(fields: ReceiveFields): Promise<ReceiveMessageResponse[]> {
    const pollingMs = fields.pollingMs ?? POLLING_MS;
    const request = {
      group: resource(fields.group),
      messageQueue: {
        topic: resource(fields.topic),
        id: 0,
        permission: Permission.READ_WRITE,
        broker: { name: fields.brokerName, id: 0, endpoints: undefined },
        acceptMessageTypes: [],
      },
      filterExpression: fields.filter ?? { type: FilterType.TAG, expression: '*' },
      batchSize: fields.batchSize ?? 32,
      invisibleDuration: duration(fields.invisibleMs ?? 10_000),
      autoRenew: false,
      longPollingTimeout: duration(pollingMs),
      ...(fields.attemptId === undefined ? {} : { attemptId: fields.attemptId }),
    };
    const options = { metadata: this.metadata, timeoutMs: pollingMs + this.#timeoutMs };
    const parts: ReceiveMessageResponse[] = [];
    for await (const part of this.rpc.serverStream(MessagingServiceDefinition, 'receiveMessage', request, options)) {
      parts.push(part);
    }
    return parts;
  }

  /** Only the messages of an answer. */
  async receiveMessages(fields: ReceiveFields): Promise<Message[]> {
    return (await this.receive(fields)).flatMap((part) => (part.message === undefined ? [] : [part.message]));
  }

  ack(topic: string, group: string, ...handles: string[]): Promise<AckMessageResponse> {
    const entries = handles.map((receiptHandle) => ({ messageId: 'any', receiptHandle }));
    const request = { topic: resource(topic), group: resource(group), entries };
    return this.rpc.unary(MessagingServiceDefinition, 'ackMessage', request, this.#options());
  }

  changeInvisible(topic: string, group: string, receiptHandle: string, invisibleMs: number) {
    const request = {
      topic: resource(topic),
      group: resource(group),
      receiptHandle,
      invisibleDuration: duration(invisibleMs),
      messageId: 'any',
    };
    return this.rpc.unary(MessagingServiceDefinition, 'changeInvisibleDuration', request, this.#options());
  }

  forwardToDeadLetters(topic: string, group: string, receiptHandle: string) {
    const request = {
      topic: resource(topic),
      group: resource(group),
      receiptHandle,
      messageId: 'any',
      deliveryAttempt: 1,
      maxDeliveryAttempts: 17,
    };
    return this.rpc.unary(MessagingServiceDefinition, 'forwardMessageToDeadLetterQueue', request, this.#options());
  }

  telemetry(): BidiCall<TelemetryCommand, TelemetryCommand> {
    return this.rpc.bidi(MessagingServiceDefinition, 'telemetry', { metadata: this.metadata });
  }

  close(): void {
    this.rpc.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #options() {
    return { metadata: this.metadata, timeoutMs: this.#timeoutMs };
  }
}

/** What a simple consumer says about itself first. */
export function simpleConsumerSettings(topic: string, group: string): Settings {
  return {
    clientType: ClientType.SIMPLE_CONSUMER,
    requestTimeout: duration(3_000),
    subscription: {
      group: resource(group),
      subscriptions: [{ topic: resource(topic), expression: { type: FilterType.TAG, expression: '*' } }],
      longPollingTimeout: duration(POLLING_MS),
    },
    userAgent: undefined,
    metric: undefined,
    clientProperties: new Map(),
  };
}
