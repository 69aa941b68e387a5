import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AckRequest, decodeAckRequest, encodeAckAnswer } from './ack-request.ts';
import { Code, Status } from './gen/apache/rocketmq/v2/definition.ts';
import { AckMessageRequest, AckMessageResponse } from './gen/apache/rocketmq/v2/service.ts';
import { WireError } from './wire/wire-error.ts';

const text = fc.oneof(fc.constant(''), fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ maxLength: 80 }));
const resource = fc.option(fc.record({ resourceNamespace: text, name: text }), { nil: undefined });
const entry = fc.record({
  messageId: text,
  receiptHandle: text,
  liteTopic: fc.option(text, { nil: undefined }),
});
const requests = fc.record({ group: resource, topic: resource, entries: fc.array(entry, { maxLength: 6 }) });
const statuses = fc.record({ code: fc.constantFrom(Code.OK, Code.INVALID_RECEIPT_HANDLE), message: text });

const encode = (request: AckMessageRequest): Uint8Array => AckMessageRequest.encode(request).finish();

function entriesOf({ bytes, entries }: AckRequest): { messageId: string; receiptHandle: string }[] {
  return entries.map(({ idStart, idEnd, handleStart, handleEnd }) => ({
    messageId: bytes.toString('utf8', idStart, idEnd),
    receiptHandle: bytes.toString('utf8', handleStart, handleEnd),
  }));
}

test('a request is read as the generated code reads it', () => {
  fc.assert(
    fc.property(requests, (request) => {
      const bytes = encode(request);
      const same = AckMessageRequest.decode(bytes);
      const read = decodeAckRequest(bytes);
      assert.equal(read.groupName, same.group?.name ?? '');
      assert.equal(read.topicName, same.topic?.name ?? '');
      assert.deepEqual(
        entriesOf(read),
        same.entries.map(({ messageId, receiptHandle }) => ({ messageId, receiptHandle })),
      );
    }),
  );
});

test('an answer is written as the generated code writes it', () => {
  fc.assert(
    fc.property(requests, statuses, fc.array(statuses, { minLength: 6, maxLength: 6 }), (request, status, results) => {
      const answer = encodeAckAnswer(
        Status.encode(status).finish(),
        decodeAckRequest(encode(request)),
        results.map((result) => Status.encode(result).finish()),
      );
      const { entries } = AckMessageRequest.decode(encode(request));
      const same = entries.map(({ messageId, receiptHandle }, index) => ({
        messageId,
        receiptHandle,
        status: results[index],
      }));
      assert.deepEqual(Buffer.from(answer), Buffer.from(AckMessageResponse.encode({ status, entries: same }).finish()));
    }),
  );
});

test('of what comes twice the last counts, and what is not known is passed over', () => {
  const bytes = Buffer.concat([
    encode({ group: { resourceNamespace: '', name: 'first' }, topic: undefined, entries: [] }),
    Buffer.from([0x78, 1]),
    encode({ group: { resourceNamespace: '', name: 'second' }, topic: undefined, entries: [] }),
    // an entry with two ids, and a field 9 between them
    Buffer.from([0x1a, 9, 0x0a, 1, 0x61, 0x48, 1, 0x0a, 2, 0x62, 0x63]),
  ]);
  const read = decodeAckRequest(bytes);
  assert.equal(read.groupName, 'second');
  assert.deepEqual(entriesOf(read), [{ messageId: 'bc', receiptHandle: '' }]);
});

test('a sub-message that comes twice is one: what the second lacks stays', () => {
  const bytes = Buffer.concat([
    encode({
      group: { resourceNamespace: '', name: 'group' },
      topic: { resourceNamespace: '', name: 'a' },
      entries: [],
    }),
    // a group and a topic with nothing but a namespace
    Buffer.from([0x0a, 3, 0x0a, 1, 0x6e, 0x12, 3, 0x0a, 1, 0x6e]),
  ]);
  const read = decodeAckRequest(bytes);
  assert.deepEqual([read.groupName, read.topicName], ['group', 'a']);
  assert.equal(decodeAckRequest(Buffer.concat([bytes, Buffer.from([0x12, 2, 0x12, 0])])).topicName, '');
});

test('entries without number are refused before they fill the memory', () => {
  const entries = (count: number): Buffer => Buffer.alloc(2 * count, Buffer.from([0x1a, 0]));
  assert.equal(decodeAckRequest(entries(65_535)).entries.length, 65_535);
  assert.throws(() => decodeAckRequest(entries(65_536)), WireError);
});

test('other bytes are refused, and do no harm', () => {
  const isRefused = (bytes: readonly number[]): void =>
    assert.throws(() => decodeAckRequest(Uint8Array.from(bytes)), WireError);
  isRefused([0x1a, 3, 0x0a, 1, 0xff]);
  isRefused([0x1a, 4, 0x12, 2, 0xc3, 0x28]);
  isRefused([0x0a, 3, 0x12, 1, 0xff]);
  isRefused([0x1a, 5, 0x0a]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decodeAckRequest(bytes);
      } catch (error) {
        assert.ok(error instanceof WireError);
      }
    }),
    { numRuns: 2_000 },
  );
});
