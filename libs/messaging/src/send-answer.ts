import { type IncomingMessage, varintSize, writeVarint } from '@orbitmq/protocol';
import { SendMessageResponse as Responses, type SendMessageResponse } from '@orbitmq/protocol/apache.rocketmq.v2';
import { OK_STATUS } from './answers.ts';

const ENTRY_TAG = 0x12;
const MESSAGE_ID_TAG = 0x12;
const OFFSET_TAG = 0x20;
const SMALL_MAX = 0x7f;

/** Field 1, the status OK: the same in a response and in an entry. */
const OK_FIELD: Uint8Array = Buffer.from(Responses.encode({ status: OK_STATUS, entries: [] }).finish());

/** Where a message is that was stored. */
export interface StoredPlace {
  readonly queueOffset: number;
}

/** The answer to a send whose messages are all stored and in their queues: by far the most frequent one. */
export class StoredAnswer {
  readonly messages: readonly IncomingMessage[];
  /** Of each message, in order. */
  readonly places: readonly StoredPlace[];

  constructor(messages: readonly IncomingMessage[], places: readonly StoredPlace[]) {
    this.messages = messages;
    this.places = places;
  }

  /** The same as the message of the protocol. */
  asResponse(): SendMessageResponse {
    const entries = this.messages.map(({ messageId }, index) => ({
      status: OK_STATUS,
      messageId,
      transactionId: '',
      offset: BigInt(this.places[index]!.queueOffset),
      recallHandle: '',
    }));
    return { status: OK_STATUS, entries };
  }
}

/** What a send is answered. */
export type SendAnswer = StoredAnswer | SendMessageResponse;

/**
 * Encodes the answer to a send. The most frequent one is put together by hand, all others are left to the generated code.
 *
 * ```
 *   1: Status OK, for each message 2: SendResultEntry { 1: Status OK, 2: message_id, 4: offset }
 * ```
 */
export function encodeSendAnswer(answer: SendAnswer): Uint8Array {
  if (!(answer instanceof StoredAnswer)) return Responses.encode(answer).finish();
  const { messages, places } = answer;
  let size = OK_FIELD.length;
  for (let index = 0; index < messages.length; index++) {
    const { messageIdBytes } = messages[index]!;
    if (messageIdBytes === 0 || messageIdBytes > SMALL_MAX) return Responses.encode(answer.asResponse()).finish();
    const entrySize = entrySizeOf(messageIdBytes, places[index]!.queueOffset);
    size += 1 + varintSize(entrySize) + entrySize;
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = writeOk(bytes, 0);
  for (let index = 0; index < messages.length; index++) {
    at = writeEntry(bytes, at, messages[index]!, places[index]!.queueOffset);
  }
  return bytes;
}

function entrySizeOf(messageIdBytes: number, queueOffset: number): number {
  return OK_FIELD.length + 2 + messageIdBytes + (queueOffset === 0 ? 0 : 1 + varintSize(queueOffset));
}

function writeEntry(bytes: Uint8Array, position: number, message: IncomingMessage, queueOffset: number): number {
  const idSize = message.messageIdBytes;
  let at = position;
  bytes[at++] = ENTRY_TAG;
  at = writeOk(bytes, writeVarint(bytes, at, entrySizeOf(idSize, queueOffset)));
  bytes[at++] = MESSAGE_ID_TAG;
  bytes[at++] = idSize;
  message.copyMessageId(bytes, at);
  at += idSize;
  if (queueOffset === 0) return at;
  bytes[at++] = OFFSET_TAG;
  return writeVarint(bytes, at, queueOffset);
}

/** Byte by byte: so few are copied by a call in twice the time. */
function writeOk(bytes: Uint8Array, position: number): number {
  for (let index = 0; index < OK_FIELD.length; index++) bytes[position + index] = OK_FIELD[index]!;
  return position + OK_FIELD.length;
}
