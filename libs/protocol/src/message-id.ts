/**
 * Message ids of RocketMQ. All numbers are big-endian, written as upper-case hexadecimal digits.
 *
 * 5.x client id, 17 bytes, 34 digits:
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 1 | version, 1 |
 * | 1 | 6 | MAC address |
 * | 7 | 2 | lower 16 bits of the process id |
 * | 9 | 4 | seconds since 2021-01-01T00:00:00Z |
 * | 13 | 4 | sequence number in the process |
 *
 * 4.x unique key, 16 bytes (IPv4) or 28 bytes (IPv6): address 4 or 16, process id 2, class loader's hash 4,
 * milliseconds since the first day of the month 4, counter 2.
 *
 * Offset message id, 16 bytes (IPv4) or 28 bytes (IPv6): store address 4 or 16, port 4, physical offset 8.
 *
 * A unique key and an offset message id look alike: the caller has to know which one it holds. Any other text is a
 * legal message id, too; the server never rewrites what a client has chosen.
 */

const CLIENT_ID_VERSION = 1;
const CLIENT_ID_EPOCH_MS = Date.UTC(2021, 0, 1);
const CLIENT_ID_PATTERN = /^01[0-9A-Fa-f]{32}$/;
const ADDRESSED_ID_PATTERN = /^(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{56})$/;
const TWO_POW_32 = 2 ** 32;

/** Parts of a 5.x client id. */
export interface ClientMessageId {
  /** 12 upper-case hexadecimal digits. */
  readonly macAddress: string;
  /** 0…65535 */
  readonly processId: number;
  /** When the message was made, milliseconds since 1970, whole seconds. */
  readonly bornTimestampMs: number;
  /** 0…2^32 − 1 */
  readonly sequence: number;
}

/** Parts of a 4.x unique key. */
export interface UniqueKey {
  /** Address of the producer: 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** Lower 16 bits of the process id. */
  readonly processId: number;
  /** Milliseconds since the first day of the month in which the message was made, in the producer's time zone. */
  readonly monthMs: number;
  /** 0…65535 */
  readonly counter: number;
}

/** Parts of an offset message id. */
export interface OffsetMessageId {
  /** Address of the broker: 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
  /** Byte of the commit log at which the message lies. */
  readonly physicalOffset: number;
}

/** Text of a 5.x client id. */
export function encodeClientMessageId(id: ClientMessageId): string {
  const bytes = Buffer.alloc(17);
  bytes[0] = CLIENT_ID_VERSION;
  bytes.write(id.macAddress, 1, 'hex');
  bytes.writeUInt16BE(id.processId, 7);
  bytes.writeUInt32BE(Math.floor((id.bornTimestampMs - CLIENT_ID_EPOCH_MS) / 1000), 9);
  bytes.writeUInt32BE(id.sequence, 13);
  return upperHex(bytes);
}

/** Reads a 5.x client id; undefined when the text is none. */
export function parseClientMessageId(text: string): ClientMessageId | undefined {
  if (!CLIENT_ID_PATTERN.test(text)) return undefined;
  const bytes = Buffer.from(text, 'hex');
  return {
    macAddress: upperHex(bytes.subarray(1, 7)),
    processId: bytes.readUInt16BE(7),
    bornTimestampMs: bytes.readUInt32BE(9) * 1000 + CLIENT_ID_EPOCH_MS,
    sequence: bytes.readUInt32BE(13),
  };
}

/** Reads a 4.x unique key; undefined when the text is none. */
export function parseUniqueKey(text: string): UniqueKey | undefined {
  if (!ADDRESSED_ID_PATTERN.test(text)) return undefined;
  const bytes = Buffer.from(text, 'hex');
  const behindAddress = bytes.length - 12;
  return {
    address: bytes.subarray(0, behindAddress),
    processId: bytes.readUInt16BE(behindAddress),
    monthMs: bytes.readUInt32BE(behindAddress + 6),
    counter: bytes.readUInt16BE(behindAddress + 10),
  };
}

/** Text of an offset message id. */
export function encodeOffsetMessageId(id: OffsetMessageId): string {
  const { address, port, physicalOffset } = id;
  const bytes = Buffer.alloc(address.length + 12);
  bytes.set(address);
  bytes.writeUInt32BE(port, address.length);
  bytes.writeUInt32BE(Math.floor(physicalOffset / TWO_POW_32), address.length + 4);
  bytes.writeUInt32BE(physicalOffset % TWO_POW_32, address.length + 8);
  return upperHex(bytes);
}

/** Reads an offset message id; undefined when the text is none, or names no possible place. */
export function parseOffsetMessageId(text: string): OffsetMessageId | undefined {
  if (!ADDRESSED_ID_PATTERN.test(text)) return undefined;
  const bytes = Buffer.from(text, 'hex');
  const behindAddress = bytes.length - 12;
  const port = bytes.readUInt32BE(behindAddress);
  const physicalOffset = bytes.readUInt32BE(behindAddress + 4) * TWO_POW_32 + bytes.readUInt32BE(behindAddress + 8);
  if (port > 0xffff || !Number.isSafeInteger(physicalOffset)) return undefined;
  return { address: bytes.subarray(0, behindAddress), port, physicalOffset };
}

function upperHex(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase();
}
