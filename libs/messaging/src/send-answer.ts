import {
  Code,
  SendMessageResponse as Responses,
  type SendMessageResponse,
  type SendResultEntry,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { OK_STATUS } from './answers.ts';

const ENTRY_TAG = 0x12;
const MESSAGE_ID_TAG = 0x12;
const OFFSET_TAG = 0x20;
const SMALL_MAX = 0x7f;

/** Field 1, the status OK: the same in a response and in an entry. */
const OK_FIELD = Buffer.from(Responses.encode({ status: OK_STATUS, entries: [] }).finish());

/**
 * Encodes the answer to a send. That to a single ordinary message that was stored is by far the most frequent, and put
 * together by hand; all others are left to the generated code.
 *
 * ```
 *   1: Status OK, 2: SendResultEntry { 1: Status OK, 2: message_id, 4: offset }
 * ```
 */
export function encodeSendAnswer(answer: SendMessageResponse): Uint8Array {
  const entry = answer.entries[0];
  if (
    answer.status !== OK_STATUS ||
    answer.entries.length !== 1 ||
    entry?.status?.code !== Code.OK ||
    hasHandle(entry)
  ) {
    return Responses.encode(answer).finish();
  }
  const idSize = Buffer.byteLength(entry.messageId);
  const offset = Number(entry.offset);
  const entrySize = OK_FIELD.length + 2 + idSize + (offset === 0 ? 0 : 1 + varintSize(offset));
  if (idSize === 0 || entrySize > SMALL_MAX) return Responses.encode(answer).finish();
  const bytes = Buffer.allocUnsafe(OK_FIELD.length + 2 + entrySize);
  bytes.set(OK_FIELD);
  let at = OK_FIELD.length;
  bytes[at++] = ENTRY_TAG;
  bytes[at++] = entrySize;
  bytes.set(OK_FIELD, at);
  at += OK_FIELD.length;
  bytes[at++] = MESSAGE_ID_TAG;
  bytes[at++] = idSize;
  at += bytes.write(entry.messageId, at);
  if (offset === 0) return bytes;
  bytes[at++] = OFFSET_TAG;
  let rest = offset;
  for (; rest > SMALL_MAX; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
  bytes[at] = rest;
  return bytes;
}

function hasHandle({ transactionId, recallHandle }: SendResultEntry): boolean {
  return transactionId !== '' || recallHandle !== '';
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > SMALL_MAX; rest = Math.floor(rest / 128)) size++;
  return size;
}
