import type { IncomingMessage } from '@orbitmq/protocol';
import { SendMessageResponse as Responses, type SendMessageResponse } from '@orbitmq/protocol/apache.rocketmq.v2';
import { OK_STATUS } from './answers.ts';

const ENTRY_TAG = 0x12;
const MESSAGE_ID_TAG = 0x12;
const OFFSET_TAG = 0x20;
const SMALL_MAX = 0x7f;

/** Field 1, the status OK: the same in a response and in an entry. */
const OK_FIELD = Buffer.from(Responses.encode({ status: OK_STATUS, entries: [] }).finish());

/** The answer to the send of a single message that was stored and is in its queue: by far the most frequent one. */
export class StoredAnswer {
  readonly message: IncomingMessage;
  readonly queueOffset: number;

  constructor(message: IncomingMessage, queueOffset: number) {
    this.message = message;
    this.queueOffset = queueOffset;
  }

  /** The same as the message of the protocol. */
  asResponse(): SendMessageResponse {
    const { queueOffset } = this;
    const { messageId } = this.message;
    const entry = { status: OK_STATUS, messageId, transactionId: '', offset: BigInt(queueOffset), recallHandle: '' };
    return { status: OK_STATUS, entries: [entry] };
  }
}

/** What a send is answered. */
export type SendAnswer = StoredAnswer | SendMessageResponse;

/**
 * Encodes the answer to a send. The most frequent one is put together by hand, all others are left to the generated code.
 *
 * ```
 *   1: Status OK, 2: SendResultEntry { 1: Status OK, 2: message_id, 4: offset }
 * ```
 */
export function encodeSendAnswer(answer: SendAnswer): Uint8Array {
  if (!(answer instanceof StoredAnswer)) return Responses.encode(answer).finish();
  const { message, queueOffset } = answer;
  const idSize = message.messageIdBytes;
  const entrySize = OK_FIELD.length + 2 + idSize + (queueOffset === 0 ? 0 : 1 + varintSize(queueOffset));
  if (idSize === 0 || entrySize > SMALL_MAX) return Responses.encode(answer.asResponse()).finish();
  const bytes = Buffer.allocUnsafe(OK_FIELD.length + 2 + entrySize);
  bytes.set(OK_FIELD);
  let at = OK_FIELD.length;
  bytes[at++] = ENTRY_TAG;
  bytes[at++] = entrySize;
  bytes.set(OK_FIELD, at);
  at += OK_FIELD.length;
  bytes[at++] = MESSAGE_ID_TAG;
  bytes[at++] = idSize;
  message.copyMessageId(bytes, at);
  at += idSize;
  if (queueOffset === 0) return bytes;
  bytes[at++] = OFFSET_TAG;
  let rest = queueOffset;
  for (; rest > SMALL_MAX; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
  bytes[at] = rest;
  return bytes;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > SMALL_MAX; rest = Math.floor(rest / 128)) size++;
  return size;
}
