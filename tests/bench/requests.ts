import { WireReader } from '@orbitmq/protocol';
import {
  AckMessageRequest,
  ClientType,
  Code,
  EndTransactionRequest,
  FilterType,
  Language,
  MessageType,
  Permission,
  ReceiveMessageRequest,
  SendMessageResponse,
  TelemetryCommand,
  TransactionResolution,
  TransactionSource,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { CallHeaders } from './http2-connection.ts';

const SERVICE = '/apache.rocketmq.v2.MessagingService';

/** The methods the generator calls, with the header fields that the official clients send. */
export function callHeaders(
  clientId: string,
): Record<'send' | 'receive' | 'ack' | 'endTransaction' | 'telemetry', CallHeaders> {
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
    endTransaction: make('EndTransaction', '30S'),
    telemetry: make('Telemetry'),
  };
}

/** A filter expression as a consumer gives it. */
export interface FilterText {
  readonly type: 'TAG' | 'SQL';
  readonly expression: string;
}

/** What a simple consumer of `group` says first on its telemetry stream. */
export function encodeConsumerSettings(topic: string, group: string, filter: FilterText): Buffer {
  const resource = { resourceNamespace: '', name: topic };
  const settings = {
    clientType: ClientType.SIMPLE_CONSUMER,
    requestTimeout: { seconds: 3n, nanos: 0 },
    subscription: {
      group: { resourceNamespace: '', name: group },
      subscriptions: [{ topic: resource, expression: filterExpression(filter) }],
      longPollingTimeout: { seconds: 5n, nanos: 0 },
    },
    userAgent: { language: Language.JAVA, version: '5.1.0', platform: 'bench', hostname: 'bench' },
    metric: undefined,
    clientProperties: new Map<string, string>(),
  };
  return Buffer.from(TelemetryCommand.encode({ settings }).finish());
}

/** A request of a simple consumer for up to `batchSize` messages of one broker. */
export function encodeReceiveRequest(wanted: {
  readonly topic: string;
  readonly group: string;
  readonly brokerName: string;
  readonly filter: FilterText;
  readonly batchSize: number;
}): Buffer {
  const request = {
    group: { resourceNamespace: '', name: wanted.group },
    messageQueue: {
      topic: { resourceNamespace: '', name: wanted.topic },
      id: 0,
      permission: Permission.READ_WRITE,
      broker: { name: wanted.brokerName, id: 0, endpoints: undefined },
      acceptMessageTypes: [MessageType.NORMAL],
    },
    filterExpression: filterExpression(wanted.filter),
    batchSize: wanted.batchSize,
    invisibleDuration: { seconds: 60n, nanos: 0 },
    autoRenew: false,
    longPollingTimeout: { seconds: 5n, nanos: 0 },
  };
  return Buffer.from(ReceiveMessageRequest.encode(request).finish());
}

function filterExpression({ type, expression }: FilterText): { type: FilterType; expression: string } {
  return { type: type === 'SQL' ? FilterType.SQL : FilterType.TAG, expression };
}

/** An acknowledgement; the official clients name one message in each. */
export function encodeAckRequest(topic: string, group: string, handles: readonly ReceivedHandle[]): Buffer {
  const request = {
    group: { resourceNamespace: '', name: group },
    topic: { resourceNamespace: '', name: topic },
    entries: handles.map(({ messageId, receiptHandle }) => ({ messageId, receiptHandle })),
  };
  return Buffer.from(AckMessageRequest.encode(request).finish());
}

/** A half message that was stored. */
export interface SentHalf {
  readonly messageId: string;
  readonly transactionId: string;
}

/** Reads the first entry of an OK SendMessageResponse. */
export function readSentHalf(response: Buffer): SentHalf {
  const { messageId, transactionId } = SendMessageResponse.decode(response).entries[0]!;
  return { messageId, transactionId };
}

/** The commit of a half message. */
export function encodeEndTransactionRequest(topic: string, half: SentHalf): Buffer {
  const request = {
    topic: { resourceNamespace: '', name: topic },
    messageId: half.messageId,
    transactionId: half.transactionId,
    resolution: TransactionResolution.COMMIT,
    source: TransactionSource.SOURCE_CLIENT,
    traceContext: '',
  };
  return Buffer.from(EndTransactionRequest.encode(request).finish());
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

/** Code and bytes of a response, for failure texts. */
export function statusText(response: Buffer): string {
  return `${statusCode(response)}: ${response.toString('latin1')}`;
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
