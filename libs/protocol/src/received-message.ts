import { MESSAGE, SYSTEM } from './system-properties.ts';
import {
  bytesFieldSize,
  millisecondsSize,
  textSize,
  varintFieldSize,
  writeBytesHeader,
  writeMillisecondsField,
  writeTextField,
  writeVarintField,
} from './wire/wire-writer.ts';

const RESPONSE = { status: 1, message: 2, deliveryTimestamp: 3 } as const;

/** A message as the log keeps it. */
export interface StoredMessage {
  /** Content of `Message.system_properties`, from `encodeStoredSystem`. */
  readonly system: Uint8Array;
  /** All other fields of `Message`, tags and lengths included. */
  readonly rest: Uint8Array;
}

/** What belongs to one delivery of a message. */
export interface DeliveryFacts {
  /** undefined where nothing is handed out, only shown. */
  readonly receiptHandle: string | undefined;
  /** ≥ 0 */
  readonly queueId: number;
  /** ≥ 0 */
  readonly queueOffset: number;
  /** 1 for the first delivery. */
  readonly deliveryAttempt: number;
  /** When the log stored the message, milliseconds since 1970. */
  readonly storeTimestampMs: number;
  /** How long the message stays hidden, milliseconds; undefined = not told, as the original does. */
  readonly invisibleMs: number | undefined;
}

/**
 * A `ReceiveMessageResponse` with one message, ready for the wire, in one allocation.
 *
 * ```
 *   ReceiveMessageResponse { 2: Message { rest…, 3: SystemProperties { system…, fields of the delivery } } }
 * ```
 */
export function encodeReceivedMessage(stored: StoredMessage, delivery: DeliveryFacts): Buffer {
  const { system, rest } = stored;
  const { queueId, queueOffset, deliveryAttempt, storeTimestampMs, invisibleMs, receiptHandle } = delivery;
  const handleSize = receiptHandle === undefined ? 0 : textSize(receiptHandle);
  let systemSize =
    system.length +
    bytesFieldSize(SYSTEM.storeTimestamp, millisecondsSize(storeTimestampMs)) +
    varintFieldSize(SYSTEM.queueId, queueId) +
    varintFieldSize(SYSTEM.queueOffset, queueOffset) +
    varintFieldSize(SYSTEM.deliveryAttempt, deliveryAttempt);
  if (receiptHandle !== undefined) systemSize += bytesFieldSize(SYSTEM.receiptHandle, handleSize);
  if (invisibleMs !== undefined) systemSize += bytesFieldSize(SYSTEM.invisibleDuration, millisecondsSize(invisibleMs));
  const messageSize = rest.length + bytesFieldSize(MESSAGE.systemProperties, systemSize);

  const response = Buffer.allocUnsafe(bytesFieldSize(RESPONSE.message, messageSize));
  let at = writeBytesHeader(response, 0, RESPONSE.message, messageSize);
  response.set(rest, at);
  at = writeBytesHeader(response, at + rest.length, MESSAGE.systemProperties, systemSize);
  response.set(system, at);
  at = writeMillisecondsField(response, at + system.length, SYSTEM.storeTimestamp, storeTimestampMs);
  if (receiptHandle !== undefined) at = writeTextField(response, at, SYSTEM.receiptHandle, receiptHandle, handleSize);
  at = writeVarintField(response, at, SYSTEM.queueId, queueId);
  at = writeVarintField(response, at, SYSTEM.queueOffset, queueOffset);
  at = writeVarintField(response, at, SYSTEM.deliveryAttempt, deliveryAttempt);
  if (invisibleMs !== undefined) writeMillisecondsField(response, at, SYSTEM.invisibleDuration, invisibleMs);
  return response;
}

/** A `ReceiveMessageResponse` with a status: the first element of every answer. `code` is a number of the enum Code. */
export function encodeReceiveStatus(code: number, message: string): Buffer {
  const messageSize = textSize(message);
  const statusSize = varintFieldSize(1, code) + bytesFieldSize(2, messageSize);
  const response = Buffer.allocUnsafe(bytesFieldSize(RESPONSE.status, statusSize));
  let at = writeBytesHeader(response, 0, RESPONSE.status, statusSize);
  at = writeVarintField(response, at, 1, code);
  writeTextField(response, at, 2, message, messageSize);
  return response;
}

/** A `ReceiveMessageResponse` with the time of delivery: the last element of every answer. Milliseconds since 1970. */
export function encodeReceiveDeliveryTimestamp(timestampMs: number): Buffer {
  const contentSize = millisecondsSize(timestampMs);
  const response = Buffer.allocUnsafe(bytesFieldSize(RESPONSE.deliveryTimestamp, contentSize));
  writeMillisecondsField(response, 0, RESPONSE.deliveryTimestamp, timestampMs);
  return response;
}
