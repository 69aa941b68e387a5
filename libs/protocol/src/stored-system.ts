import { DigestType, Encoding } from './gen/apache/rocketmq/v2/definition.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { writeMd5 } from './md5/body-digests.ts';
import { MD5_BYTES } from './md5/md5-lanes.ts';
import { SYSTEM } from './system-properties.ts';
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

// Digest {type = MD5, checksum = 32 digits}
const DIGEST_SIZE = varintFieldSize(1, DigestType.MD5) + bytesFieldSize(2, 2 * MD5_BYTES);
/** All of its field before the digits. */
const DIGEST_HEAD = digestHead();
const DIGITS: Uint8Array = Buffer.from('0123456789ABCDEF', 'latin1');
/** Of a message whose digest is not known yet. */
const ownDigest = Buffer.alloc(MD5_BYTES);
let lastStoreHost: string | undefined;
let lastStoreHostField: Uint8Array = DIGEST_HEAD;

/** What the server knows about a message when it stores it. */
export interface StoringFacts {
  /** Number of the enum MessageType, from `deriveMessageType`. */
  readonly messageType: number;
  /** Used when the client has not said when the message was made; milliseconds since 1970. */
  readonly bornTimestampMs: number;
  /** Used when the client has not said where: address of the client. */
  readonly bornHost: string;
  /** `address:port` of this broker. */
  readonly storeHost: string;
  /** The MD5 of the body and where it begins, when that is known already: see `digestBodies`. */
  readonly digests?: Uint8Array | undefined;
  readonly digestAt?: number;
}

/**
 * System properties as they are stored: those of the client, then the digest of the body (MD5, upper-case hexadecimal),
 * where it was stored, and what the client has left out. The store timestamp is not among them: the log knows it, and
 * `encodeReceivedMessage` adds it.
 */
export function encodeStoredSystem(message: IncomingMessage, facts: StoringFacts): Buffer {
  const addsEncoding = message.bodyEncoding === Encoding.ENCODING_UNSPECIFIED;
  const addsType = message.messageType !== facts.messageType;
  const addsBornTimestamp = message.bornTimestampMs === undefined;
  const addsBornHost = message.bornHost === '';
  const bornHostSize = addsBornHost ? textSize(facts.bornHost) : 0;
  const storeHost = storeHostField(facts.storeHost);

  let size = message.system.length;
  size += bytesFieldSize(SYSTEM.bodyDigest, DIGEST_SIZE) + storeHost.length;
  if (addsEncoding) size += varintFieldSize(SYSTEM.bodyEncoding, Encoding.IDENTITY);
  if (addsType) size += varintFieldSize(SYSTEM.messageType, facts.messageType);
  if (addsBornTimestamp) size += bytesFieldSize(SYSTEM.bornTimestamp, millisecondsSize(facts.bornTimestampMs));
  if (addsBornHost) size += bytesFieldSize(SYSTEM.bornHost, bornHostSize);

  const stored = Buffer.allocUnsafe(size);
  stored.set(message.system, 0);
  if (facts.digests === undefined) writeMd5(message.body, ownDigest, 0);
  let at = writeDigest(stored, message.system.length, facts.digests ?? ownDigest, facts.digestAt ?? 0);
  at = writeBytes(stored, at, storeHost);
  if (addsEncoding) at = writeVarintField(stored, at, SYSTEM.bodyEncoding, Encoding.IDENTITY);
  if (addsType) at = writeVarintField(stored, at, SYSTEM.messageType, facts.messageType);
  if (addsBornTimestamp) at = writeMillisecondsField(stored, at, SYSTEM.bornTimestamp, facts.bornTimestampMs);
  if (addsBornHost) writeTextField(stored, at, SYSTEM.bornHost, facts.bornHost, bornHostSize);
  return stored;
}

function writeDigest(target: Buffer, position: number, digests: Uint8Array, digestAt: number): number {
  let at = writeBytes(target, position, DIGEST_HEAD);
  for (let index = 0; index < MD5_BYTES; index++) {
    const byte = digests[digestAt + index]!;
    target[at++] = DIGITS[byte >>> 4]!;
    target[at++] = DIGITS[byte & 0x0f]!;
  }
  return at;
}

/** Byte by byte: so few are copied by a call in twice the time. */
function writeBytes(target: Uint8Array, position: number, bytes: Uint8Array): number {
  for (let index = 0; index < bytes.length; index++) target[position + index] = bytes[index]!;
  return position + bytes.length;
}

/** The whole field; a broker writes the same into all messages. */
function storeHostField(storeHost: string): Uint8Array {
  if (storeHost !== lastStoreHost) {
    const size = textSize(storeHost);
    const field = Buffer.alloc(bytesFieldSize(SYSTEM.storeHost, size));
    writeTextField(field, 0, SYSTEM.storeHost, storeHost, size);
    lastStoreHost = storeHost;
    lastStoreHostField = field;
  }
  return lastStoreHostField;
}

function digestHead(): Uint8Array {
  const head = Buffer.alloc(bytesFieldSize(SYSTEM.bodyDigest, DIGEST_SIZE) - 2 * MD5_BYTES);
  let at = writeBytesHeader(head, 0, SYSTEM.bodyDigest, DIGEST_SIZE);
  at = writeVarintField(head, at, 1, DigestType.MD5);
  writeBytesHeader(head, at, 2, 2 * MD5_BYTES);
  return head;
}
