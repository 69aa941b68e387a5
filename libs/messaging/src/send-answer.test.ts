import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSendMessageRequest } from '@orbitmq/protocol';
import { Code, SendMessageRequest, SendMessageResponse, type Status } from '@orbitmq/protocol/apache.rocketmq.v2';
import fc from 'fast-check';
import { OK_STATUS } from './answers.ts';
import { encodeSendAnswer, StoredAnswer } from './send-answer.ts';
import { message } from './test-broker.ts';

const refused: Status = { code: Code.TOO_MANY_REQUESTS, message: 'later' };

function checkStored(messageId: string, queueOffset: number): void {
  const offset = BigInt(queueOffset);
  const entry = { status: OK_STATUS, messageId, transactionId: '', offset, recallHandle: '' };
  const expected = SendMessageResponse.encode({ status: OK_STATUS, entries: [entry] }).finish();
  const request = SendMessageRequest.encode({ messages: [message('before'), message(messageId)] }).finish();
  const answer = new StoredAnswer(decodeSendMessageRequest(request)[1]!, queueOffset);
  assert.deepEqual(Buffer.from(encodeSendAnswer(answer)), Buffer.from(expected));
}

test('answers are those of the generated code, to the byte', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.nat({ max: 2 ** 53 - 1 }), checkStored), {
    numRuns: 500,
  });
  for (const offset of [0, 1, 127, 128, 16_383, 16_384, 2 ** 32, 2 ** 53 - 1]) checkStored('id', offset);
  const entry = { status: refused, messageId: 'id', transactionId: 't', offset: 3n, recallHandle: 'r' };
  const answer = { status: OK_STATUS, entries: [entry, { ...entry, status: OK_STATUS }] };
  assert.deepEqual(encodeSendAnswer(answer), SendMessageResponse.encode(answer).finish());
});
