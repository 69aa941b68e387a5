import {
  AddressScheme,
  ClientType,
  Encoding,
  type Endpoints,
  FilterType,
  Language,
  Message,
  type MessageQueue,
  MessageType,
  Permission,
  type Resource,
  Settings,
  SystemProperties,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Duration, Timestamp } from '@orbitmq/protocol/google.protobuf';

const NOTHING = new Uint8Array();
/** Seconds from 1970 to 2021, where the seconds of message ids begin. */
const ID_EPOCH_S = Date.UTC(2021, 0, 1) / 1000;

let nextMessage = 0;

/** A name, without a namespace unless one is given. */
export function resource(name: string, resourceNamespace = ''): Resource {
  return { resourceNamespace, name };
}

/** Milliseconds as the wire has them. */
export function duration(milliseconds: number): Duration {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((milliseconds - seconds * 1000) * 1_000_000) };
}

/** Milliseconds since 1970 as the wire has them. */
export function timestamp(milliseconds: number): Timestamp {
  return duration(milliseconds);
}

/** `host:port` as clients name their access point. */
export function endpointsOf(address: string): Endpoints {
  const end = address.lastIndexOf(':');
  return {
    scheme: AddressScheme.IPv4,
    addresses: [{ host: address.slice(0, end), port: Number(address.slice(end + 1)) }],
  };
}

/** An id as clients make them. */
export function newMessageId(): string {
  const seconds = Math.floor(Date.now() / 1000) - ID_EPOCH_S;
  const parts = [1, 0, process.pid & 0xffff, seconds, nextMessage++];
  const digits = [2, 12, 4, 8, 8];
  return parts
    .map((part, index) => part.toString(16).padStart(digits[index]!, '0'))
    .join('')
    .toUpperCase();
}

/** What a probe says about a message; the rest is as an ordinary client fills it in. */
export interface MessageWish {
  readonly body?: Uint8Array;
  readonly userProperties?: Readonly<Record<string, string>>;
  readonly system?: Partial<SystemProperties>;
}

/** A message as the Java client sends it. */
export function newMessage(topic: string, wish: MessageWish = {}): Message {
  const systemProperties = {
    ...SystemProperties.decode(NOTHING),
    messageId: newMessageId(),
    bodyEncoding: Encoding.IDENTITY,
    messageType: MessageType.NORMAL,
    bornTimestamp: timestamp(Date.now()),
    bornHost: 'client-host',
    ...wish.system,
  };
  return {
    ...Message.decode(NOTHING),
    topic: resource(topic),
    userProperties: new Map(Object.entries(wish.userProperties ?? {})),
    body: wish.body ?? Buffer.from('hello'),
    systemProperties,
  };
}

/** A queue as it is named by who receives from it. */
export function queueOf(topic: string, brokerName: string, id = 0): MessageQueue {
  return {
    topic: resource(topic),
    id,
    permission: Permission.READ_WRITE,
    broker: { name: brokerName, id: 0, endpoints: undefined },
    acceptMessageTypes: [],
  };
}

/** Settings of a producer of `topics`. */
export function producerSettings(topics: readonly string[]): Settings {
  return {
    ...commonSettings(ClientType.PRODUCER),
    publishing: { topics: topics.map((name) => resource(name)), maxBodySize: 0, validateMessageType: false },
  };
}

/** Settings of a consumer; push unless said otherwise. */
export function consumerSettings(
  group: string,
  topics: readonly string[],
  clientType: ClientType = ClientType.PUSH_CONSUMER,
): Settings {
  const expression = { type: FilterType.TAG, expression: '*' };
  return {
    ...commonSettings(clientType),
    subscription: {
      group: resource(group),
      subscriptions: topics.map((topic) => ({ topic: resource(topic), expression })),
      longPollingTimeout: duration(10_000),
    },
  };
}

function commonSettings(clientType: ClientType): Settings {
  return {
    ...Settings.decode(NOTHING),
    clientType,
    requestTimeout: duration(3_000),
    accessPoint: endpointsOf('127.0.0.1:8081'),
    userAgent: { language: Language.JAVA, version: '5.2.0', platform: 'Linux', hostname: 'client-host' },
  };
}
