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
import { MAC_SIZE, Mac } from './mac.ts';

const VERSION = 1;
const NAME_LENGTH_MAX = 127;
const NUMBERS_SIZE = 29;
const TWO_POW_48 = 2 ** 48;
const TEXT_LENGTH_MAX = Math.ceil(((2 + NAME_LENGTH_MAX + NUMBERS_SIZE + MAC_SIZE) * 4) / 3);
const BASE64URL = /^[A-Za-z0-9_-]+$/;
const BROKER_NAME = /^[\x21-\x7e]{1,127}$/;

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
  const bytes = decodeText(text);
  return bytes.toString('latin1', 2, 2 + bytes[1]!);
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

  encode(handle: ReceiptHandle): string {
    const bytes = this.#handle;
    const at = this.#prefix.length;
    bytes.writeUInt32BE(handle.groupUid, at);
    bytes.writeUInt32BE(handle.topicUid, at + 4);
    bytes.writeUInt32BE(handle.queueId, at + 8);
    bytes.writeUIntBE(handle.queueOffset, at + 12, 6);
    bytes[at + 18] = Math.floor(handle.leaseId / TWO_POW_48);
    bytes.writeUIntBE(handle.leaseId % TWO_POW_48, at + 19, 6);
    bytes.writeUInt32BE(handle.epoch, at + 25);
    this.#mac.write(bytes, bytes, this.#macStart);
    return bytes.toString('base64url');
  }

  /** @throws MqError INVALID_RECEIPT_HANDLE when this shard has not made the handle, or one character of it was altered */
  decode(text: string): ReceiptHandle {
    const bytes = decodeText(text);
    const at = this.#prefix.length;
    if (bytes.length !== this.#handle.length || this.#prefix.compare(bytes, 0, at) !== 0) throw notOurs(text);
    this.#mac.write(bytes, this.#expected, 0);
    if (!timingSafeEqual(this.#expected, bytes.subarray(this.#macStart))) throw notOurs(text);
    return {
      groupUid: bytes.readUInt32BE(at),
      topicUid: bytes.readUInt32BE(at + 4),
      queueId: bytes.readUInt32BE(at + 8),
      queueOffset: bytes.readUIntBE(at + 12, 6),
      leaseId: bytes[at + 18]! * TWO_POW_48 + bytes.readUIntBE(at + 19, 6),
      epoch: bytes.readUInt32BE(at + 25),
    };
  }
}

/** Bytes of a handle, its lengths checked; refuses every text that `encode` would not write, to the last bit. */
function decodeText(text: string): Buffer {
  if (text.length > TEXT_LENGTH_MAX || !BASE64URL.test(text)) throw noHandle(text);
  const bytes = Buffer.from(text, 'base64url');
  const nameLength = bytes.length > 2 && bytes[0] === VERSION ? bytes[1]! : 0;
  if (nameLength === 0 || bytes.length !== 2 + nameLength + NUMBERS_SIZE + MAC_SIZE) throw noHandle(text);
  if (bytes.toString('base64url') !== text) throw noHandle(text);
  return bytes;
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
