import { IncomingMessage } from './incoming-message.ts';
import { KeptBytes } from './kept-bytes.ts';
import { mayBeReserved, RESERVED_PROPERTY_NAMES } from './reserved-properties.ts';
import { isServerOwned, MESSAGE, SYSTEM } from './system-properties.ts';
import { WireError } from './wire/wire-error.ts';
import { WireReader } from './wire/wire-reader.ts';
import { bufferOf, readText, scanText, TEXT_HAS_CONTROL, TEXT_IS_NOT_BLANK } from './wire/wire-text.ts';
import { readMilliseconds } from './wire/wire-time.ts';

const SEND_REQUEST_MESSAGES = 1;
/** Messages beyond this are not even looked at: two bytes on the wire would become an object each. */
const MESSAGE_COUNT_MAX = 4096;
const MAY_BE_NONE: ReadonlySet<number> = new Set([SYSTEM.tag, SYSTEM.keys, SYSTEM.messageGroup]);

/**
 * Walks a `SendMessageRequest` without decoding bodies or building the generated objects. As protobuf says: of a repeated
 * scalar the last one counts, sub-messages that come twice are merged, unknown fields are kept.
 * @param bytes never written; the result holds views of them
 * @throws WireError when the bytes are no such request, or hold more than 4096 messages
 */
export function decodeSendMessageRequest(bytes: Uint8Array): IncomingMessage[] {
  const decoder = new SendRequestDecoder(bufferOf(bytes));
  return decoder.messages();
}

class SendRequestDecoder {
  readonly #bytes: Buffer;
  readonly #reader: WireReader;
  readonly #rest: KeptBytes;
  readonly #system: KeptBytes;
  readonly #none: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#reader = new WireReader(bytes);
    this.#rest = new KeptBytes(bytes);
    this.#system = new KeptBytes(bytes);
    this.#none = bytes.subarray(0, 0);
  }

  messages(): IncomingMessage[] {
    const messages: IncomingMessage[] = [];
    while (this.#reader.next()) {
      if (!this.#reader.isBytes(SEND_REQUEST_MESSAGES)) continue;
      if (messages.length === MESSAGE_COUNT_MAX) {
        throw new WireError(`more than ${MESSAGE_COUNT_MAX} messages in one request`, this.#reader.fieldStart);
      }
      messages.push(this.#message());
    }
    return messages;
  }

  #message(): IncomingMessage {
    const reader = this.#reader;
    const message = new IncomingMessage(this.#none);
    const outerEnd = reader.enter();
    while (reader.next()) {
      const { fieldStart, valueEnd } = reader;
      if (reader.isBytes(MESSAGE.systemProperties)) {
        this.#systemProperties(message);
        continue;
      }
      if (reader.isBytes(MESSAGE.topic)) this.#topic(message);
      else if (reader.isBytes(MESSAGE.userProperties)) this.#userProperty(message);
      else if (reader.isBytes(MESSAGE.body)) message.body = reader.value();
      this.#rest.add(fieldStart, valueEnd);
    }
    reader.leave(outerEnd);
    message.rest = this.#rest.take();
    message.system = this.#system.take();
    return message;
  }

  #topic(message: IncomingMessage): void {
    const reader = this.#reader;
    const outerEnd = reader.enter();
    while (reader.next()) {
      if (reader.isBytes(1)) message.topicNamespace = this.#text();
      else if (reader.isBytes(2)) message.topicName = this.#text();
    }
    reader.leave(outerEnd);
  }

  #userProperty(message: IncomingMessage): void {
    const reader = this.#reader;
    const outerEnd = reader.enter();
    let keyStart = 0;
    let keyEnd = 0;
    let valueSize = 0;
    let found = 0;
    while (reader.next()) {
      if (reader.isBytes(1)) {
        keyStart = reader.valueStart;
        keyEnd = reader.valueEnd;
        found |= scanText(this.#bytes, keyStart, keyEnd);
      } else if (reader.isBytes(2)) {
        valueSize = reader.valueEnd - reader.valueStart;
        found |= scanText(this.#bytes, reader.valueStart, reader.valueEnd);
      }
    }
    reader.leave(outerEnd);
    message.userPropertyCount++;
    message.userPropertyBytes += keyEnd - keyStart + valueSize;
    if (message.offendingPropertyKey !== undefined) return;
    if ((found & TEXT_HAS_CONTROL) !== 0 || this.#isReserved(keyStart, keyEnd)) {
      message.offendingPropertyKey = readText(this.#bytes, keyStart, keyEnd);
    }
  }

  #isReserved(start: number, end: number): boolean {
    return (
      mayBeReserved(this.#bytes, start, end) && RESERVED_PROPERTY_NAMES.has(this.#bytes.toString('latin1', start, end))
    );
  }

  #systemProperties(message: IncomingMessage): void {
    const reader = this.#reader;
    const outerEnd = reader.enter();
    while (reader.next()) {
      const { fieldStart, valueEnd, fieldNumber } = reader;
      if (isServerOwned(fieldNumber) || this.#isNone()) continue;
      this.#systemField(message);
      this.#system.add(fieldStart, valueEnd);
    }
    reader.leave(outerEnd);
  }

  /** An empty tag, key or message group: to the original that is none, and some clients say so. */
  #isNone(): boolean {
    const { fieldNumber, valueStart, valueEnd } = this.#reader;
    return valueStart === valueEnd && this.#reader.wireType === 2 && MAY_BE_NONE.has(fieldNumber);
  }

  #systemField(message: IncomingMessage): void {
    const reader = this.#reader;
    if (reader.wireType === 2) this.#systemBytes(message);
    else if (reader.isVarint(SYSTEM.bodyEncoding)) message.bodyEncoding = reader.int32();
    else if (reader.isVarint(SYSTEM.messageType)) message.messageType = reader.int32();
    else if (reader.isVarint(SYSTEM.priority)) message.priority = reader.int32();
  }

  #systemBytes(message: IncomingMessage): void {
    const { fieldNumber, valueStart, valueEnd } = this.#reader;
    switch (fieldNumber) {
      case SYSTEM.tag:
        message.tag = this.#text();
        message.tagBytes = valueEnd - valueStart;
        break;
      case SYSTEM.keys:
        this.#key(message);
        break;
      case SYSTEM.messageId:
        message.messageId = this.#text();
        break;
      case SYSTEM.bornTimestamp:
        message.bornTimestampMs = readMilliseconds(this.#reader, message.bornTimestampMs);
        break;
      case SYSTEM.bornHost:
        message.bornHost = this.#text();
        break;
      case SYSTEM.deliveryTimestamp:
        message.deliveryTimestampMs = readMilliseconds(this.#reader, message.deliveryTimestampMs);
        break;
      case SYSTEM.messageGroup:
        message.messageGroup = this.#text();
        message.messageGroupBytes = valueEnd - valueStart;
        break;
      case SYSTEM.traceContext:
        scanText(this.#bytes, valueStart, valueEnd);
        break;
      case SYSTEM.recoveryDuration:
        message.recoveryDurationMs = readMilliseconds(this.#reader, message.recoveryDurationMs);
        break;
      case SYSTEM.liteTopic:
        message.liteTopic = this.#text();
        break;
    }
  }

  #key(message: IncomingMessage): void {
    const { valueStart, valueEnd } = this.#reader;
    message.keyCount++;
    message.keyBytes += valueEnd - valueStart;
    const found = scanText(this.#bytes, valueStart, valueEnd);
    if (found !== TEXT_IS_NOT_BLANK && message.offendingKey === undefined) message.offendingKey = this.#text();
  }

  #text(): string {
    return readText(this.#bytes, this.#reader.valueStart, this.#reader.valueEnd);
  }
}
