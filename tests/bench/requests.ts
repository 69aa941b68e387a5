import { randomBytes } from 'node:crypto';
import { WireReader } from '@orbitmq/protocol';
import {
  AckMessageRequest,
  ClientType,
  Code,
  Encoding,
  FilterType,
  Language,
  MessageType,
  Permission,
  ReceiveMessageRequest,
  SendMessageRequest,
  TelemetryCommand,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { CallHeaders } from './http2-connection.ts';

const SERVICE = '/apache.rocketmq.v2.MessagingService';
const MESSAGE_ID_BYTES = 34;

/** The methods the generator calls, with the header fields that the official clients send. */
export function callHeaders(clientId: string): Record<'send' | 'receive' | 'ack' | 'telemetry', CallHeaders> {
  const make = (method: string, timeout?: string) =>
    new CallHeaders([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', `${SERVICE}/${method}`],
      [':authority', '127.0.0.1'],
      ['te', 'trailers'],
      ['content-type', 'application/grpc'],
      ...(timeout === undefined ? [] : [['grpc-timeout', timeout] as const]),
      ['x-mq-language', 'JAVA'],
      ['x-mq-protocol', 'v2'],
      ['x-mq-client-version', '5.1.0'],
      ['x-mq-date-time', '20260101T000000Z'],
      ['x-mq-client-id', clientId],
    ]);
  return {
    send: make('SendMessage', '30S'),
    receive: make('ReceiveMessage', '30S'),
    ack: make('AckMessage', '30S'),
    telemetry: make('Telemetry'),
  };
}

/** Makes SendMessage requests of one message by copying a template and writing another message id into it. */
export class SendRequestTemplate {
  readonly #template: Buffer;
  readonly #idAt: number;
  #next = 0;

  constructor(topic: string, bodyBytes: number) {
    const marker = 'F'.repeat(MESSAGE_ID_BYTES);
    const request = SendMessageRequest.encode({
      messages: [
        {
          topic: { resourceNamespace: '', name: topic },
          userProperties: new Map(),
          systemProperties: {
            keys: [],
            messageId: marker,
            bodyDigest: undefined,
            bodyEncoding: Encoding.IDENTITY,
            messageType: MessageType.NORMAL,
            bornTimestamp: { seconds: BigInt(Math.floor(Date.now() / 1000)), nanos: 0 },
            bornHost: 'bench',
            storeHost: '',
            queueId: 0,
          },
          body: randomBytes(bodyBytes),
        },
      ],
    }).finish();
    this.#template = Buffer.from(request);
    this.#idAt = this.#template.indexOf(marker);
    // A client's ids have version, machine and process in front of the counter.
    this.#template.write(`01${randomBytes(8).toString('hex').toUpperCase()}`, this.#idAt, 'latin1');
  }

  /** The next request. Valid until the next call. */
  next(): Buffer {
    let rest = this.#next++;
    for (let at = this.#idAt + MESSAGE_ID_BYTES - 1; rest > 0; at--) {
      this.#template[at] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    return this.#template;
  }
}

/** What a producer, or a simple consumer of `group`, says first on its telemetry stream. */
export function encodeSettings(topic: string, group: string | undefined): Buffer {
  const resource = { resourceNamespace: '', name: topic };
  const settings = {
    clientType: group === undefined ? ClientType.PRODUCER : ClientType.SIMPLE_CONSUMER,
    requestTimeout: { seconds: 3n, nanos: 0 },
    publishing: group === undefined ? { topics: [resource], maxBodySize: 0, validateMessageType: true } : undefined,
    subscription:
      group === undefined
        ? undefined
        : {
            group: { resourceNamespace: '', name: group },
            subscriptions: [{ topic: resource, expression: { type: FilterType.TAG, expression: '*' } }],
            longPollingTimeout: { seconds: 5n, nanos: 0 },
          },
    userAgent: { language: Language.JAVA, version: '5.1.0', platform: 'bench', hostname: 'bench' },
    metric: undefined,
    clientProperties: new Map<string, string>(),
  };
  return Buffer.from(TelemetryCommand.encode({ settings }).finish());
}

/** A request of a simple consumer for up to `batchSize` messages of one broker. */
export function encodeReceiveRequest(topic: string, group: string, brokerName: string, batchSize: number): Buffer {
  const request = {
    group: { resourceNamespace: '', name: group },
    messageQueue: {
      topic: { resourceNamespace: '', name: topic },
      id: 0,
      permission: Permission.READ_WRITE,
      broker: { name: brokerName, id: 0, endpoints: undefined },
      acceptMessageTypes: [MessageType.NORMAL],
    },
    filterExpression: { type: FilterType.TAG, expression: '*' },
    batchSize,
    invisibleDuration: { seconds: 60n, nanos: 0 },
    autoRenew: false,
    longPollingTimeout: { seconds: 5n, nanos: 0 },
  };
  return Buffer.from(ReceiveMessageRequest.encode(request).finish());
}

/** An acknowledgement of one message, as the official clients send it. */
export function encodeAckRequest(topic: string, group: string, messageId: string, receiptHandle: string): Buffer {
  const request = {
    group: { resourceNamespace: '', name: group },
    topic: { resourceNamespace: '', name: topic },
    entries: [{ messageId, receiptHandle }],
  };
  return Buffer.from(AckMessageRequest.encode(request).finish());
}

/** Whether a response whose status is field 1 says OK. */
export function isOk(response: Buffer): boolean {
  return statusCode(response) === Code.OK;
}

/** The code of a response whose status is field 1; undefined when it has none. */
export function statusCode(response: Buffer): number | undefined {
  const reader = new WireReader(response);
  if (!reader.next() || reader.fieldNumber !== 1) return undefined;
  const status = new WireReader(response, reader.valueStart, reader.valueEnd);
  while (status.next()) if (status.fieldNumber === 1) return status.low;
  return undefined;
}

/** What an acknowledgement needs of a received message. */
export interface ReceivedHandle {
  readonly messageId: string;
  readonly receiptHandle: string;
}

/** Reads id and handle of the message in a ReceiveMessageResponse; undefined when it holds something else. */
export function readReceived(response: Buffer): ReceivedHandle | undefined {
  const reader = new WireReader(response);
  if (!reader.next() || reader.fieldNumber !== 2) return undefined;
  const message = new WireReader(response, reader.valueStart, reader.valueEnd);
  while (message.next()) {
    if (message.fieldNumber === 3) return readHandle(response, message.valueStart, message.valueEnd);
  }
  return undefined;
}

function readHandle(response: Buffer, start: number, end: number): ReceivedHandle {
  let messageId = '';
  let receiptHandle = '';
  const system = new WireReader(response, start, end);
  while (system.next()) {
    if (system.fieldNumber === 3) messageId = response.toString('latin1', system.valueStart, system.valueEnd);
    else if (system.fieldNumber === 12) receiptHandle = response.toString('latin1', system.valueStart, system.valueEnd);
  }
  return { messageId, receiptHandle };
}
