/**
 * Receipt handles: what a consumer gets with each delivery, and hands back to settle it.
 *
 * A handle is base64url text of these bytes, all numbers big-endian; n is the length of the broker name:
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 1 | version, 1 |
 * | 1 | 1 | n, 1…127 |
 * | 2 | n | name of the broker, ASCII |
 * | 2 + n | 4 | group uid |
 * | 6 + n | 4 | topic uid |
 * | 10 + n | 4 | queue id |
 * | 14 + n | 6 | queue offset |
 * | 20 + n | 7 | lease id |
 * | 27 + n | 4 | epoch of the log's writer |
 * | 31 + n | 16 | first 16 bytes of HMAC-SHA-256 of all before, keyed with the shard's secret |
 *
 * Everybody can read the broker's name, so that a relay needs no key; nobody but the shard can make or alter a handle.
 */
import { timingSafeEqual } from 'node:crypto';
import { assert, MqError, quoted } from '@orbitmq/base';
import { decodeBase64url } from './base64url.ts';
import { MAC_SIZE, Mac } from './mac.ts';
import { KEPT_BYTES, RecentHandles } from './recent-handles.ts';

const VERSION = 1;
const NAME_LENGTH_MAX = 127;
const NUMBERS_SIZE = 29;
const TWO_POW_48 = 2 ** 48;
const HANDLE_SIZE_MAX = 2 + NAME_LENGTH_MAX + NUMBERS_SIZE + MAC_SIZE;
const TEXT_LENGTH_MAX = Math.ceil((HANDLE_SIZE_MAX * 4) / 3);
const BROKER_NAME = /^[\x21-\x7e]{1,127}$/;

assert(KEPT_BYTES === NUMBERS_SIZE + MAC_SIZE, 'of a handle all behind the name of the broker is kept');

/** The text of a handle that is being read, in UTF-8, and its bytes. */
const textBytes = Buffer.alloc(TEXT_LENGTH_MAX * 3);
const handleBytes = Buffer.alloc(HANDLE_SIZE_MAX);

/** What a receipt handle is bound to. */
export interface ReceiptHandle {
  /** 0…2^32 − 1 */
  readonly groupUid: number;
  /** 0…2^32 − 1 */
  readonly topicUid: number;
  /** 0…2^32 − 1 */
  readonly queueId: number;
  /** 0…2^48 − 1 */
  readonly queueOffset: number;
  /** 0…2^53 − 1 */
  readonly leaseId: number;
  /** Of the log's writer when the handle was made: tells whether what it names is still there. 0…2^32 − 1 */
  readonly epoch: number;
}

/**
 * Name of the broker that made a handle; needs no key, so it says nothing about the handle being genuine.
 * @throws MqError INVALID_RECEIPT_HANDLE when the text is no handle
 */
export function brokerNameOfHandle(text: string): string {
  readText(text);
  return handleBytes.toString('latin1', 2, 2 + handleBytes[1]!);
}

/** Knows the receipt handles of one broker where they lie, by what they begin with. */
export class ReceiptHandleOrigin {
  /** The characters that hold nothing but version and name. */
  readonly #prefix: Buffer;
  /** The character behind them may hold the name's last bits: those that do. */
  readonly #next: Buffer;

  /** @param brokerName 1…127 visible ASCII characters */
  constructor(brokerName: string) {
    const head = Buffer.from(`\0\0${brokerName}\0`, 'latin1');
    head[0] = VERSION;
    head[1] = brokerName.length;
    const length = Math.floor(((head.length - 1) * 8) / 6);
    const next = new Set<string>();
    for (let following = 0; following < 256; following++) {
      head[head.length - 1] = following;
      next.add(head.toString('base64url')[length]!);
    }
    this.#prefix = Buffer.from(head.toString('base64url').slice(0, length), 'latin1');
    this.#next = Buffer.from([...next].join(''), 'latin1');
  }

  /** Whether the text from `start` to `end` begins as a handle of this broker does. */
  isOf(bytes: Uint8Array, start: number, end: number): boolean {
    const prefix = this.#prefix;
    if (end - start <= prefix.length) return false;
    for (let at = 0; at < prefix.length; at++) if (bytes[start + at] !== prefix[at]) return false;
    return this.#next.includes(bytes[start + prefix.length]!);
  }
}

/** Makes and reads the receipt handles of one shard. */
export class ReceiptHandleCodec {
  readonly #prefix: Buffer;
  readonly #macStart: number;
  readonly #mac: Mac;
  // the handle being made
  readonly #handle: Buffer;
  // the code that the handle being read should have
  readonly #expected = Buffer.alloc(MAC_SIZE);
  readonly #recent = new RecentHandles();

  /**
   * @param brokerName 1…127 visible ASCII characters
   * @param secret 32 bytes, the same as long as the shard lives
   */
  constructor(brokerName: string, secret: Uint8Array) {
    assert(BROKER_NAME.test(brokerName), 'a broker name has 1 to 127 visible ASCII characters');
    this.#prefix = Buffer.from(`\0\0${brokerName}`, 'latin1');
    this.#prefix[0] = VERSION;
    this.#prefix[1] = brokerName.length;
    this.#macStart = this.#prefix.length + NUMBERS_SIZE;
    this.#mac = new Mac(secret, this.#macStart);
    this.#handle = Buffer.alloc(this.#macStart + MAC_SIZE);
    this.#handle.set(this.#prefix);
  }

  encode({ groupUid, topicUid, queueId, queueOffset, leaseId, epoch }: ReceiptHandle): string {
    const bytes = this.#handle;
    const at = this.#prefix.length;
    bytes.writeUInt32BE(groupUid, at);
    bytes.writeUInt32BE(topicUid, at + 4);
    bytes.writeUInt32BE(queueId, at + 8);
    bytes.writeUIntBE(queueOffset, at + 12, 6);
    bytes[at + 18] = Math.floor(leaseId / TWO_POW_48);
    bytes.writeUIntBE(leaseId % TWO_POW_48, at + 19, 6);
    bytes.writeUInt32BE(epoch, at + 25);
    this.#mac.write(bytes, bytes, this.#macStart);
    this.#recent.note(bytes, at, placeOf(groupUid, topicUid, queueId, queueOffset));
    return bytes.toString('base64url');
  }

  /** @throws MqError INVALID_RECEIPT_HANDLE when this shard has not made the handle, or one character of it was altered */
  decode(text: string): ReceiptHandle {
    const size = readText(text);
    return this.#genuine(size) ?? refuse(notOurs(text));
  }

  /**
   * The handle whose text lies at [start, end) of some bytes.
   * @throws MqError as `decode` does
   */
  decodeAt(bytes: Buffer, start: number, end: number): ReceiptHandle {
    const size = readBytes(bytes, start, end);
    if (size === 0) throw noHandle(bytes.toString('utf8', start, end));
    return this.#genuine(size) ?? refuse(notOurs(bytes.toString('utf8', start, end)));
  }

  /** The handle that has just been read, when it was made here. */
  #genuine(size: number): ReceiptHandle | undefined {
    const bytes = handleBytes;
    const at = this.#prefix.length;
    if (size !== this.#handle.length || this.#prefix.compare(bytes, 0, at) !== 0) return undefined;
    const handle = {
      groupUid: bytes.readUInt32BE(at),
      topicUid: bytes.readUInt32BE(at + 4),
      queueId: bytes.readUInt32BE(at + 8),
      queueOffset: bytes.readUIntBE(at + 12, 6),
      leaseId: bytes[at + 18]! * TWO_POW_48 + bytes.readUIntBE(at + 19, 6),
      epoch: bytes.readUInt32BE(at + 25),
    };
    const { groupUid, topicUid, queueId, queueOffset } = handle;
    if (this.#recent.has(bytes, at, placeOf(groupUid, topicUid, queueId, queueOffset))) return handle;
    return this.#hasCode(bytes) ? handle : undefined;
  }

  #hasCode(bytes: Buffer): boolean {
    const expected = this.#expected;
    this.#mac.write(bytes, expected, 0);
    return timingSafeEqual(expected, bytes.subarray(this.#macStart, this.#macStart + MAC_SIZE));
  }
}

/** Neighbours in a queue, and in neighbouring queues, have places side by side, so that they don't displace each other. */
function placeOf(groupUid: number, topicUid: number, queueId: number, queueOffset: number): number {
  const pair = Math.imul(Math.imul(groupUid, 31) + topicUid, 0x9e3779b1);
  return (pair + queueOffset * 8 + queueId) | 0;
}

/** Reads a text into `handleBytes`. @returns bytes of the handle @throws MqError INVALID_RECEIPT_HANDLE */
function readText(text: string): number {
  const size = text.length > TEXT_LENGTH_MAX ? 0 : readBytes(textBytes, 0, textBytes.write(text));
  if (size === 0) throw noHandle(text);
  return size;
}

/**
 * Reads the text at [start, end) into `handleBytes`; refuses every text that `encode` would not write, to the last bit.
 * @returns bytes of the handle, 0 when the text is none
 */
function readBytes(source: Uint8Array, start: number, end: number): number {
  if (end - start > TEXT_LENGTH_MAX) return 0;
  const size = decodeBase64url(source, start, end, handleBytes);
  const nameLength = size > 2 && handleBytes[0] === VERSION ? handleBytes[1]! : 0;
  return nameLength > 0 && size === 2 + nameLength + NUMBERS_SIZE + MAC_SIZE ? size : 0;
}

function refuse(error: MqError): never {
  throw error;
}

function noHandle(text: string): MqError {
  return new MqError(
    'INVALID_RECEIPT_HANDLE',
    `the receipt handle is not one of OrbitMQ's; found ${quoted(text)}; hand back the handle of the received message as it came`,
  );
}

function notOurs(text: string): MqError {
  return new MqError(
    'INVALID_RECEIPT_HANDLE',
    `this broker has not made the receipt handle, or it was altered; found ${quoted(text)}; ` +
      'hand back the handle of the received message as it came, to the broker that it came from',
  );
}
