import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSendMessageRequest } from '@orbitmq/protocol';
import { Code, SendMessageRequest, SendMessageResponse, type Status } from '@orbitmq/protocol/apache.rocketmq.v2';
import fc from 'fast-check';
import { OK_STATUS } from './answers.ts';
import { encodeSendAnswer, StoredAnswer } from './send-answer.ts';
import { message } from './test-broker.ts';

const refused: Status = { code: Code.TOO_MANY_REQUESTS, message: 'later' };

function checkStored(sent: readonly (readonly [messageId: string, queueOffset: number])[]): void {
  const entries = sent.map(([messageId, queueOffset]) => ({
    status: OK_STATUS,
    messageId,
    transactionId: '',
    offset: BigInt(queueOffset),
    recallHandle: '',
  }));
  const expected = SendMessageResponse.encode({ status: OK_STATUS, entries }).finish();
  const messages = [message('before'), ...sent.map(([messageId]) => message(messageId))];
  const request = decodeSendMessageRequest(SendMessageRequest.encode({ messages }).finish());
  const places = sent.map(([, queueOffset]) => ({ queueOffset }));
  const answer = encodeSendAnswer(new StoredAnswer(request.slice(1), places));
  assert.deepEqual(Buffer.from(answer), Buffer.from(expected));
}

test('answers are those of the generated code, to the byte', () => {
  const offset = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 2 ** 53 - 1 }));
  const one = fc.tuple(fc.string({ unit: 'binary', maxLength: 200 }), offset);
  fc.assert(
    fc.property(one, (each) => checkStored([each])),
    { numRuns: 500 },
  );
  const usual = fc.tuple(fc.string({ minLength: 1, maxLength: 127 }), offset);
  fc.assert(fc.property(fc.array(usual, { minLength: 1, maxLength: 40 }), checkStored), { numRuns: 200 });
  for (const offset of [0, 1, 127, 128, 16_383, 16_384, 2 ** 32, 2 ** 53 - 1])
    checkStored([
      ['id', offset],
      ['x'.repeat(127), offset],
    ]);
  const entry = { status: refused, messageId: 'id', transactionId: 't', offset: 3n, recallHandle: 'r' };
  const answer = { status: OK_STATUS, entries: [entry, { ...entry, status: OK_STATUS }] };
  assert.deepEqual(encodeSendAnswer(answer), SendMessageResponse.encode(answer).finish());
});
