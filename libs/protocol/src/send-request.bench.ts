/**
 * Time of the byte codecs on the way of a 1 KiB message, beside the generated ones.
 *
 *   node --conditions=@orbitmq/source libs/protocol/src/send-request.bench.ts
 */
import { Buffer } from 'node:buffer';
import { Message, MessageType } from './gen/apache/rocketmq/v2/definition.ts';
import { ReceiveMessageResponse, SendMessageRequest } from './gen/apache/rocketmq/v2/service.ts';
import { DEFAULT_MESSAGE_LIMITS } from './limits.ts';
import { checkMessage } from './message-check.ts';
import { PropertyReader } from './property-reader.ts';
import { RecallHandleCodec } from './recall-handle.ts';
import { ReceiptHandleCodec } from './receipt-handle.ts';
import { encodeReceivedMessage } from './received-message.ts';
import { decodeSendMessageRequest } from './send-request.ts';
import { encodeStoredSystem } from './stored-system.ts';
import { readMessageGroup, readTag } from './system-properties.ts';
import { messageOf, systemOf } from './test-messages.ts';
import { TransactionIdCodec } from './transaction-id.ts';

const ROUNDS = 5;
const RUNS = 50_000;
const NOW_MS = 1_800_000_000_123;

/** Runs `body` many times and prints the nanoseconds of one run as JSON: the best of some rounds. */
function bench(name: string, body: () => unknown): void {
  let nanoseconds = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let run = 0; run < RUNS; run++) body();
    nanoseconds = Math.min(nanoseconds, Number(process.hrtime.bigint() - start) / RUNS);
  }
  process.stdout.write(`${JSON.stringify({ name, nanoseconds: Math.round(nanoseconds) })}\n`);
}

const message = messageOf({
  topic: { resourceNamespace: '', name: 'bench-topic' },
  userProperties: new Map([
    ['color', 'red'],
    ['size', 'large'],
  ]),
  systemProperties: systemOf({
    tag: 'tag-a',
    keys: ['key-0123456789'],
    messageId: '0156F7E71C361B21BC024CCDBE00000000',
    bodyEncoding: 1,
    messageType: MessageType.NORMAL,
    bornTimestamp: { seconds: 1_800_000_000n, nanos: 123_000_000 },
    bornHost: 'producer-host',
  }),
  body: Buffer.alloc(1024, 'x'),
});
const request = Buffer.from(SendMessageRequest.encode({ messages: [message] }).finish());
const incoming = decodeSendMessageRequest(request)[0]!;
const facts = {
  messageType: MessageType.NORMAL,
  bornTimestampMs: NOW_MS,
  bornHost: '192.0.2.7',
  storeHost: '192.0.2.1:10911',
};
const stored = { rest: incoming.rest, system: encodeStoredSystem(incoming, facts) };
const codec = new ReceiptHandleCodec('broker-a', Buffer.alloc(32, 7));
const handle = { groupUid: 3, topicUid: 4, queueId: 5, queueOffset: 123_456, leaseId: 987_654_321, epoch: 3 };
const receiptHandle = codec.encode(handle);
const delivery = {
  receiptHandle,
  queueId: 5,
  queueOffset: 123_456,
  deliveryAttempt: 1,
  storeTimestampMs: NOW_MS,
  invisibleMs: undefined,
};
const response = encodeReceivedMessage(stored, delivery);

bench('decodeSendMessageRequest', () => decodeSendMessageRequest(request));
bench('  generated SendMessageRequest.decode', () => SendMessageRequest.decode(request));
bench('checkMessage', () => checkMessage(incoming, DEFAULT_MESSAGE_LIMITS, NOW_MS));
bench('encodeStoredSystem (with MD5 of the body)', () => encodeStoredSystem(incoming, facts));
bench('readTag', () => readTag(stored.system));
bench('readMessageGroup', () => readMessageGroup(stored.system));
const reader = new PropertyReader(['size', 'color', 'TAGS', 'weight']);
const read = (...names: string[]): void => {
  reader.open(stored);
  for (const name of names) reader.get(name);
};
bench('PropertyReader, one user property', () => read('size'));
bench('PropertyReader, two user properties and the tag', () => read('size', 'color', 'TAGS'));
bench('PropertyReader, one that is not there', () => read('weight'));
bench('ReceiptHandleCodec.encode', () => codec.encode(handle));
bench('ReceiptHandleCodec.decode', () => codec.decode(receiptHandle));
bench('encodeReceivedMessage', () => encodeReceivedMessage(stored, delivery));
const recallHandles = new RecallHandleCodec('broker-a', Buffer.alloc(32, 7));
const transactionIds = new TransactionIdCodec('broker-a', Buffer.alloc(32, 7));
const ref = { topicUid: 4, slot: 77, id: 987_654_321, epoch: 3 };
const transactionId = transactionIds.encode(ref, '01'.repeat(17));
bench('RecallHandleCodec.encode', () => recallHandles.encode(ref));
bench('TransactionIdCodec.encode', () => transactionIds.encode(ref, '01'.repeat(17)));
bench('TransactionIdCodec.decode', () => transactionIds.decode(transactionId).isOf('01'.repeat(17)));
const decoded = ReceiveMessageResponse.decode(response);
bench('  generated ReceiveMessageResponse.encode', () => ReceiveMessageResponse.encode(decoded).finish());
bench('  generated Message.decode of the stored bytes', () => Message.decode(stored.rest));
