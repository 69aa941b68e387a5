import { IncomingMessage } from './incoming-message.ts';
import { KeptBytes } from './kept-bytes.ts';
import { mayBeReserved, RESERVED_PROPERTY_NAMES } from './reserved-properties.ts';
import { isServerOwned, MESSAGE, SYSTEM } from './system-properties.ts';
import { LastText } from './wire/last-text.ts';
import { WireError } from './wire/wire-error.ts';
import { WireReader } from './wire/wire-reader.ts';
import { bufferOf, readText, scanText, TEXT_HAS_CONTROL, TEXT_IS_NOT_BLANK } from './wire/wire-text.ts';
import { readMilliseconds } from './wire/wire-time.ts';

const NOTHING = Buffer.alloc(0);
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
  return decoder.messages(bufferOf(bytes));
}

/** One is used again and again. */
class SendRequestDecoder {
  readonly #reader = new WireReader(NOTHING);
  readonly #rest = new KeptBytes();
  readonly #system = new KeptBytes();
  /** The topic and the host of one message are mostly those of the next, too. */
  readonly #topicNames = new LastText();
  readonly #bornHosts = new LastText();
  #bytes: Buffer = NOTHING;

  messages(bytes: Buffer): IncomingMessage[] {
    this.#bytes = bytes;
    this.#reader.open(bytes);
    this.#rest.open(bytes);
    this.#system.open(bytes);
    try {
      return this.#messages();
    } finally {
      this.#bytes = NOTHING;
      this.#reader.open(NOTHING);
      this.#rest.close();
      this.#system.close();
    }
  }

  #messages(): IncomingMessage[] {
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
    const message = new IncomingMessage(this.#bytes);
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
      else if (reader.isBytes(2))
        message.topicName = this.#topicNames.read(this.#bytes, reader.valueStart, reader.valueEnd);
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
        this.#messageId(message);
        break;
      case SYSTEM.bornTimestamp:
        message.bornTimestampMs = readMilliseconds(this.#reader, message.bornTimestampMs);
        break;
      case SYSTEM.bornHost:
        message.bornHost = this.#bornHosts.read(this.#bytes, valueStart, valueEnd);
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

  #messageId(message: IncomingMessage): void {
    const { valueStart, valueEnd } = this.#reader;
    const found = scanText(this.#bytes, valueStart, valueEnd);
    message.setMessageId(valueStart, valueEnd, (found & TEXT_IS_NOT_BLANK) !== 0 || this.#text().trim() !== '');
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

const decoder = new SendRequestDecoder();
