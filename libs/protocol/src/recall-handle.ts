/**
 * Recall handles: what a producer gets for a timed message, and hands back to cancel it. A signed text (see
 * `signed-text.ts`) of kind 3, whose payload is, all numbers big-endian:
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | topic uid |
 * | 4 | 4 | slot of the timer |
 * | 8 | 6 | id of the timer |
 * | 14 | 4 | epoch of the log's writer |
 */
import { MqError, quoted } from '@orbitmq/base';
import { brokerNameOfSigned, SignedTextCodec, type SignedTextKind } from './signed-text.ts';

const KIND: SignedTextKind = { kind: 3, payloadSize: 18 };

/** What a recall handle is bound to. */
export interface RecallHandle {
  /** 0…2^32 − 1 */
  readonly topicUid: number;
  /** 0…2^32 − 1 */
  readonly slot: number;
  /** 0…2^48 − 1 */
  readonly id: number;
  /** Of the log's writer when the handle was made: tells whether what it names is still there. 0…2^32 − 1 */
  readonly epoch: number;
}

/**
 * Name of the broker that holds a timed message; needs no key, so it says nothing about the handle being genuine.
 * @throws MqError BAD_REQUEST when the text is no recall handle
 */
export function brokerNameOfRecallHandle(text: string): string {
  const name = brokerNameOfSigned(text, KIND);
  if (name === undefined) throw notOurs(text);
  return name;
}

/** Makes and reads the recall handles of one shard. */
export class RecallHandleCodec {
  readonly #codec: SignedTextCodec;

  /** See `SignedTextCodec`. */
  constructor(brokerName: string, secret: Uint8Array) {
    this.#codec = new SignedTextCodec(KIND, brokerName, secret);
  }

  encode({ topicUid, slot, id, epoch }: RecallHandle): string {
    const payload = Buffer.alloc(KIND.payloadSize);
    payload.writeUInt32BE(topicUid, 0);
    payload.writeUInt32BE(slot, 4);
    payload.writeUIntBE(id, 8, 6);
    payload.writeUInt32BE(epoch, 14);
    return this.#codec.encode(payload);
  }

  /** @throws MqError BAD_REQUEST when this shard has not made the handle, or one character of it was altered */
  decode(text: string): RecallHandle {
    const payload = this.#codec.decode(text);
    if (payload === undefined) throw notOurs(text);
    return {
      topicUid: payload.readUInt32BE(0),
      slot: payload.readUInt32BE(4),
      id: payload.readUIntBE(8, 6),
      epoch: payload.readUInt32BE(14),
    };
  }
}

function notOurs(text: string): MqError {
  const found = text.trim() === '' ? 'none' : quoted(text);
  return new MqError(
    'BAD_REQUEST',
    `a recall handle is the one that the broker gave for the timed message; found ${found}; ` +
      'hand it back as it came, to the broker that it came from',
  );
}
