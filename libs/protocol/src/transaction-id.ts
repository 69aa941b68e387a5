/**
 * Transaction ids: what a producer gets for a half message, and hands back to commit it or to roll it back. A signed
 * text (see `signed-text.ts`) of kind 2, whose payload is, all numbers big-endian:
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | topic uid |
 * | 4 | 4 | slot of the half message |
 * | 8 | 6 | id of the half message |
 * | 14 | 4 | epoch of the log's writer |
 * | 18 | 8 | first 8 bytes of SHA-256 of the message id |
 */
import { hash } from 'node:crypto';
import { MqError, quoted } from '@orbitmq/base';
import { brokerNameOfSigned, SignedTextCodec, type SignedTextKind } from './signed-text.ts';

const KIND: SignedTextKind = { kind: 2, payloadSize: 26 };
const DIGEST_SIZE = 8;
const DIGEST_START = KIND.payloadSize - DIGEST_SIZE;

/** What a transaction id is bound to. */
export interface TransactionId {
  /** 0…2^32 − 1 */
  readonly topicUid: number;
  /** 0…2^32 − 1 */
  readonly slot: number;
  /** 0…2^48 − 1 */
  readonly id: number;
  /** Of the log's writer when the id was made: tells whether what it names is still there. 0…2^32 − 1 */
  readonly epoch: number;
}

/** What a transaction id says, and whether it is that of a certain message. */
export interface ReadTransactionId extends TransactionId {
  isOf(messageId: string): boolean;
}

/**
 * Name of the broker that holds a transaction; needs no key, so it says nothing about the id being genuine.
 * @throws MqError INVALID_TRANSACTION_ID when the text is no transaction id
 */
export function brokerNameOfTransaction(text: string): string {
  const name = brokerNameOfSigned(text, KIND);
  if (name === undefined) throw notOurs(text);
  return name;
}

/** Makes and reads the transaction ids of one shard. */
export class TransactionIdCodec {
  readonly #codec: SignedTextCodec;

  /** See `SignedTextCodec`. */
  constructor(brokerName: string, secret: Uint8Array) {
    this.#codec = new SignedTextCodec(KIND, brokerName, secret);
  }

  encode({ topicUid, slot, id, epoch }: TransactionId, messageId: string): string {
    const payload = Buffer.alloc(KIND.payloadSize);
    payload.writeUInt32BE(topicUid, 0);
    payload.writeUInt32BE(slot, 4);
    payload.writeUIntBE(id, 8, 6);
    payload.writeUInt32BE(epoch, 14);
    payload.set(digestOf(messageId), DIGEST_START);
    return this.#codec.encode(payload);
  }

  /** @throws MqError INVALID_TRANSACTION_ID when this shard has not made the id, or one character of it was altered */
  decode(text: string): ReadTransactionId {
    const payload = this.#codec.decode(text);
    if (payload === undefined) throw notOurs(text);
    return {
      topicUid: payload.readUInt32BE(0),
      slot: payload.readUInt32BE(4),
      id: payload.readUIntBE(8, 6),
      epoch: payload.readUInt32BE(14),
      isOf: (messageId) => digestOf(messageId).equals(payload.subarray(DIGEST_START)),
    };
  }
}

function digestOf(messageId: string): Buffer {
  return hash('sha256', messageId, 'buffer').subarray(0, DIGEST_SIZE);
}

function notOurs(text: string): MqError {
  const found = text.trim() === '' ? 'none' : quoted(text);
  return new MqError(
    'INVALID_TRANSACTION_ID',
    `a transaction id is the one that the broker gave for the half message; found ${found}; ` +
      'hand it back as it came, to the broker that it came from',
  );
}
