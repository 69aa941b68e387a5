import { randomBytes } from 'node:crypto';
import { WireReader } from '@orbitmq/protocol';
import {
  ClientType,
  Encoding,
  Language,
  MessageType,
  SendMessageRequest,
  TelemetryCommand,
} from '@orbitmq/protocol/apache.rocketmq.v2';

const MESSAGE_ID_BYTES = 34;
/** Bytes of a text of five digits and more that numbers of the right size take as varints. */
const VARINT_BYTES = 5;
/** Stands for the delivery time in a template: no other time is near it, and both parts take 5 bytes. */
const DELIVERY_MARK = { seconds: 0x7_0f0f_0f0fn, nanos: 999_999_999 };
/** Bytes at the beginning of a body that hold a time. */
const STAMP_BYTES = 8;

/** What a template's messages are like. */
export interface TemplateOptions {
  readonly topic: string;
  readonly bodyBytes: number;
  /** Messages in one request; default 1. */
  readonly messageCount?: number;
  readonly type?: MessageType;
  /**
   * Gives the delivery time of each message, milliseconds since 1970; undefined for messages that are not timed.
   * The body begins with it; without it the body begins with the time of sending, both as a double of 8 bytes.
   */
  readonly deliveryTimestampMs?: () => number;
  /** Of all messages. */
  readonly properties?: Readonly<Record<string, string>>;
  readonly tag?: string;
}

/** Where the parts of one message are that change from request to request. */
interface Places {
  readonly id: number;
  readonly body: number;
  /** Of the seconds and nanoseconds; −1 when it is not timed. */
  readonly seconds: number;
  readonly nanos: number;
}

/**
 * Makes SendMessage requests by writing other ids and times into one that was encoded once: what a request costs the
 * generator does not depend on its size.
 */
export class SendRequestTemplate {
  readonly topic: string;
  readonly messageCount: number;
  readonly #template: Buffer;
  readonly #places: readonly Places[];
  readonly #deliveryTimestampMs: (() => number) | undefined;
  #next = 0;

  constructor(options: TemplateOptions) {
    this.topic = options.topic;
    this.messageCount = options.messageCount ?? 1;
    this.#deliveryTimestampMs = options.deliveryTimestampMs;
    const bodies = Array.from({ length: this.messageCount }, () => randomBytes(options.bodyBytes));
    const messages = bodies.map((body) => templateMessage(options, body));
    this.#template = Buffer.from(SendMessageRequest.encode({ messages }).finish());
    const isTimed = options.deliveryTimestampMs !== undefined;
    const places: Places[] = [];
    let from = 0;
    for (const body of bodies) {
      const place = placesAfter(this.#template, from, body, isTimed);
      // A client's ids have version, machine and process in front of the counter.
      this.#template.write(`01${randomBytes(8).toString('hex').toUpperCase()}`, place.id, 'latin1');
      places.push(place);
      from = place.body;
    }
    this.#places = places;
  }

  /** The next request. Valid until the next call. */
  next(): Buffer {
    for (const places of this.#places) {
      this.#writeId(places.id);
      const timeMs = this.#deliveryTimestampMs?.() ?? Date.now();
      if (places.seconds >= 0) {
        writeVarint(this.#template, places.seconds, Math.floor(timeMs / 1000));
        writeVarint(this.#template, places.nanos, Math.floor(timeMs % 1000) * 1_000_000);
      }
      this.#template.writeDoubleLE(timeMs, places.body);
    }
    return this.#template;
  }

  #writeId(start: number): void {
    let rest = this.#next++;
    // The counter only grows: digits that it does not have yet are those of the first request.
    for (let at = start + MESSAGE_ID_BYTES - 1; rest > 0; at--) {
      this.#template[at] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
  }
}

/** The time at the beginning of a body in a ReceiveMessageResponse; undefined when there is none. */
export function readStamp(response: Buffer): number | undefined {
  const reader = new WireReader(response);
  if (!reader.next() || reader.fieldNumber !== 2) return undefined;
  const message = new WireReader(response, reader.valueStart, reader.valueEnd);
  while (message.next()) {
    if (message.fieldNumber === 4 && message.valueEnd - message.valueStart >= STAMP_BYTES) {
      return response.readDoubleLE(message.valueStart);
    }
  }
  return undefined;
}

/** What a producer says first on its telemetry stream. */
export function encodeProducerSettings(topic: string): Buffer {
  const settings = {
    clientType: ClientType.PRODUCER,
    requestTimeout: { seconds: 3n, nanos: 0 },
    publishing: { topics: [{ resourceNamespace: '', name: topic }], maxBodySize: 0, validateMessageType: true },
    userAgent: { language: Language.JAVA, version: '5.1.0', platform: 'bench', hostname: 'bench' },
    metric: undefined,
    clientProperties: new Map<string, string>(),
  };
  return Buffer.from(TelemetryCommand.encode({ settings }).finish());
}

function templateMessage(options: TemplateOptions, body: Buffer) {
  const isTimed = options.deliveryTimestampMs !== undefined;
  return {
    topic: { resourceNamespace: '', name: options.topic },
    userProperties: new Map(Object.entries(options.properties ?? {})),
    systemProperties: {
      ...(options.tag === undefined ? {} : { tag: options.tag }),
      keys: [],
      messageId: 'F'.repeat(MESSAGE_ID_BYTES),
      bodyDigest: undefined,
      bodyEncoding: Encoding.IDENTITY,
      messageType: options.type ?? (isTimed ? MessageType.DELAY : MessageType.NORMAL),
      bornTimestamp: { seconds: BigInt(Math.floor(Date.now() / 1000)), nanos: 0 },
      bornHost: 'bench',
      storeHost: '',
      queueId: 0,
      ...(isTimed ? { deliveryTimestamp: DELIVERY_MARK } : {}),
    },
    body,
  };
}

function placesAfter(template: Buffer, from: number, body: Buffer, isTimed: boolean): Places {
  const id = template.indexOf('F'.repeat(MESSAGE_ID_BYTES), from);
  const bodyAt = template.indexOf(body, id);
  if (id < 0 || bodyAt < 0) throw new Error('the template has no place for an id or a body');
  if (!isTimed) return { id, body: bodyAt, seconds: -1, nanos: -1 };
  const seconds = template.indexOf(varintOf(Number(DELIVERY_MARK.seconds)), id);
  const nanos = template.indexOf(varintOf(DELIVERY_MARK.nanos), id);
  if (seconds < 0 || nanos < 0) throw new Error('the template has no place for a delivery time');
  return { id, body: bodyAt, seconds, nanos };
}

function varintOf(value: number): Buffer {
  const bytes = Buffer.alloc(VARINT_BYTES);
  writeVarint(bytes, 0, value);
  return bytes;
}

/** Always 5 bytes, the last of which may be a needless 0: readers of protobuf take it. */
function writeVarint(bytes: Buffer, start: number, value: number): void {
  let rest = value;
  for (let at = start; at < start + VARINT_BYTES - 1; at++) {
    bytes[at] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[start + VARINT_BYTES - 1] = rest;
}
