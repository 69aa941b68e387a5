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
 * same layout and a quicker codec of their own; their kind is 1.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { assert } from '@orbitmq/base';

const NAME_LENGTH_MAX = 127;
const MAC_SIZE = 16;
const SECRET_SIZE = 32;
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
  readonly #secret: Uint8Array;

  /**
   * @param brokerName 1…127 visible ASCII characters
   * @param secret 32 bytes, the same as long as the shard lives
   */
  constructor(kind: SignedTextKind, brokerName: string, secret: Uint8Array) {
    assert(BROKER_NAME.test(brokerName), 'a broker name has 1 to 127 visible ASCII characters');
    assert(secret.length === SECRET_SIZE, 'the secret has 32 bytes');
    this.#kind = kind;
    this.#prefix = Buffer.from(`\0\0${brokerName}`, 'latin1');
    this.#prefix[0] = kind.kind;
    this.#prefix[1] = brokerName.length;
    this.#secret = secret;
  }

  encode(payload: Uint8Array): string {
    assert(payload.length === this.#kind.payloadSize, 'the payload has not the size of its kind');
    const signed = Buffer.concat([this.#prefix, payload]);
    return Buffer.concat([signed, this.#mac(signed)]).toString('base64url');
  }

  /** The payload; undefined when this shard has not made the text, or one character of it was altered. */
  decode(text: string): Buffer | undefined {
    const bytes = bytesOf(text, this.#kind);
    const macStart = this.#prefix.length + this.#kind.payloadSize;
    if (bytes === undefined || bytes.length !== macStart + MAC_SIZE) return undefined;
    if (this.#prefix.compare(bytes, 0, this.#prefix.length) !== 0) return undefined;
    const isOurs = timingSafeEqual(this.#mac(bytes.subarray(0, macStart)), bytes.subarray(macStart));
    return isOurs ? bytes.subarray(this.#prefix.length, macStart) : undefined;
  }

  #mac(bytes: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update(bytes).digest().subarray(0, MAC_SIZE);
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
