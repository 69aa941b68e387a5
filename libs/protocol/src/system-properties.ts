import { WireReader } from './wire/wire-reader.ts';
import { bufferOf, readText } from './wire/wire-text.ts';

/** Field numbers of `SystemProperties`. */
export const SYSTEM = {
  tag: 1,
  keys: 2,
  messageId: 3,
  bodyDigest: 4,
  bodyEncoding: 5,
  messageType: 6,
  bornTimestamp: 7,
  bornHost: 8,
  storeTimestamp: 9,
  storeHost: 10,
  deliveryTimestamp: 11,
  receiptHandle: 12,
  queueId: 13,
  queueOffset: 14,
  invisibleDuration: 15,
  deliveryAttempt: 16,
  messageGroup: 17,
  traceContext: 18,
  recoveryDuration: 19,
  deadLetterQueue: 20,
  liteTopic: 21,
  priority: 22,
} as const;

/** Field numbers of `Message`. */
export const MESSAGE = { topic: 1, userProperties: 2, systemProperties: 3, body: 4 } as const;

const SERVER_OWNED: ReadonlySet<number> = new Set([
  SYSTEM.bodyDigest,
  SYSTEM.storeTimestamp,
  SYSTEM.storeHost,
  SYSTEM.receiptHandle,
  SYSTEM.queueId,
  SYSTEM.queueOffset,
  SYSTEM.invisibleDuration,
  SYSTEM.deliveryAttempt,
  SYSTEM.deadLetterQueue,
]);
const SERVER_OWNED_MASK = [...SERVER_OWNED].reduce((mask, fieldNumber) => mask | (1 << fieldNumber), 0);

/** Whether only the server may say what this field of `SystemProperties` holds. */
export function isServerOwned(fieldNumber: number): boolean {
  return fieldNumber < 32 && ((SERVER_OWNED_MASK >>> fieldNumber) & 1) === 1;
}

/** The last text in field `fieldNumber` of the message in `bytes`; undefined when there is none. */
export function readTextField(bytes: Uint8Array, fieldNumber: number): string | undefined {
  const reader = new WireReader(bytes);
  let start = -1;
  let end = -1;
  while (reader.next()) {
    if (!reader.isBytes(fieldNumber)) continue;
    start = reader.valueStart;
    end = reader.valueEnd;
  }
  return start < 0 ? undefined : readText(bufferOf(bytes), start, end);
}

/**
 * Tag of a stored message.
 * @param system content of `Message.system_properties`
 * @throws WireError
 */
export function readTag(system: Uint8Array): string | undefined {
  return readTextField(system, SYSTEM.tag);
}

/**
 * Message group of a stored message.
 * @param system content of `Message.system_properties`
 * @throws WireError
 */
export function readMessageGroup(system: Uint8Array): string | undefined {
  return readTextField(system, SYSTEM.messageGroup);
}

/**
 * Lite topic of a stored message.
 * @param system content of `Message.system_properties`
 * @throws WireError
 */
export function readLiteTopic(system: Uint8Array): string | undefined {
  return readTextField(system, SYSTEM.liteTopic);
}

/**
 * Id that the producer gave to a stored message; empty when it gave none.
 * @param system content of `Message.system_properties`
 * @throws WireError
 */
export function readMessageId(system: Uint8Array): string {
  return readTextField(system, SYSTEM.messageId) ?? '';
}
