/**
 * Texts that clients keep and hand back, which only one shard can make: base64url of these bytes, n being the length
 * of the broker name and p that of the payload, which is fixed for each kind:
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 1 | kind, which is also its version |
 * | 1 | 1 | n, 1…127 |
 * | 2 | n | name of the broker, ASCII |
 * | 2 + n | p | payload |
 * | 2 + n + p | 16 | first 16 bytes of HMAC-SHA-256 of all before, keyed with the shard's secret |
 *
 * Everybody can read the broker's name, so that a relay needs no key. Receipt handles, made for each delivery, have the
 * same layout and a codec of their own; their kind is 1.
 */
import { timingSafeEqual } from 'node:crypto';
import { assert } from '@orbitmq/base';
import { MAC_SIZE, Mac } from './mac.ts';

const NAME_LENGTH_MAX = 127;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
const BROKER_NAME = /^[\x21-\x7e]{1,127}$/;

/** One kind of such texts. */
export interface SignedTextKind {
  /** 2…255, different for each kind and version. */
  readonly kind: number;
  readonly payloadSize: number;
}

/** Makes and reads the texts of one kind of one shard. */
export class SignedTextCodec {
  readonly #kind: SignedTextKind;
  readonly #prefix: Buffer;
  readonly #macStart: number;
  readonly #mac: Mac;
  // the text being made
  readonly #text: Buffer;
  // the code that the text being read should have
  readonly #expected = Buffer.alloc(MAC_SIZE);

  /**
   * @param brokerName 1…127 visible ASCII characters
   * @param secret 32 bytes, the same as long as the shard lives
   */
  constructor(kind: SignedTextKind, brokerName: string, secret: Uint8Array) {
    assert(BROKER_NAME.test(brokerName), 'a broker name has 1 to 127 visible ASCII characters');
    this.#kind = kind;
    this.#prefix = Buffer.from(`\0\0${brokerName}`, 'latin1');
    this.#prefix[0] = kind.kind;
    this.#prefix[1] = brokerName.length;
    this.#macStart = this.#prefix.length + kind.payloadSize;
    this.#mac = new Mac(secret, this.#macStart);
    this.#text = Buffer.alloc(this.#macStart + MAC_SIZE);
    this.#text.set(this.#prefix);
  }

  encode(payload: Uint8Array): string {
    assert(payload.length === this.#kind.payloadSize, 'the payload has not the size of its kind');
    this.#text.set(payload, this.#prefix.length);
    this.#mac.write(this.#text, this.#text, this.#macStart);
    return this.#text.toString('base64url');
  }

  /** The payload; undefined when this shard has not made the text, or one character of it was altered. */
  decode(text: string): Buffer | undefined {
    const bytes = bytesOf(text, this.#kind);
    if (bytes === undefined || bytes.length !== this.#text.length) return undefined;
    if (this.#prefix.compare(bytes, 0, this.#prefix.length) !== 0) return undefined;
    this.#mac.write(bytes, this.#expected, 0);
    const isOurs = timingSafeEqual(this.#expected, bytes.subarray(this.#macStart));
    return isOurs ? bytes.subarray(this.#prefix.length, this.#macStart) : undefined;
  }
}

/**
 * Name of the broker in a text of this kind; needs no key, so it says nothing about the text being genuine.
 * Undefined when the text is none of this kind.
 */
export function brokerNameOfSigned(text: string, kind: SignedTextKind): string | undefined {
  const bytes = bytesOf(text, kind);
  return bytes?.toString('latin1', 2, 2 + bytes[1]!);
}

/** Bytes of a text, its lengths checked; refuses every text that `encode` would not write, to the last bit. */
function bytesOf(text: string, { kind, payloadSize }: SignedTextKind): Buffer | undefined {
  const lengthMax = Math.ceil(((2 + NAME_LENGTH_MAX + payloadSize + MAC_SIZE) * 4) / 3);
  if (text.length > lengthMax || !BASE64URL.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  const nameLength = bytes.length > 2 && bytes[0] === kind ? bytes[1]! : 0;
  if (nameLength === 0 || bytes.length !== 2 + nameLength + payloadSize + MAC_SIZE) return undefined;
  return bytes.toString('base64url') === text ? bytes : undefined;
}
