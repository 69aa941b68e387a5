import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Code, SendMessageResponse, type Status } from '@orbitmq/protocol/apache.rocketmq.v2';
import fc from 'fast-check';
import { OK_STATUS } from './answers.ts';
import { encodeSendAnswer } from './send-answer.ts';

const refused: Status = { code: Code.TOO_MANY_REQUESTS, message: 'later' };

test('answers are those of the generated code, to the byte', () => {
  const entry = fc.record({
    status: fc.constantFrom(OK_STATUS, refused),
    messageId: fc.string({ unit: 'binary', maxLength: 200 }),
    transactionId: fc.constant(''),
    offset: fc.bigInt(0n, 2n ** 53n - 1n),
    recallHandle: fc.constant(''),
  });
  const answers = fc.record({
    status: fc.constantFrom(OK_STATUS, refused),
    entries: fc.oneof(
      fc.array(entry, { maxLength: 3 }),
      entry.map((single) => [single]),
    ),
  });
  fc.assert(
    fc.property(answers, (answer) => {
      assert.deepEqual(Buffer.from(encodeSendAnswer(answer)), Buffer.from(SendMessageResponse.encode(answer).finish()));
    }),
    { numRuns: 500 },
  );
  for (const offset of [0n, 1n, 127n, 128n, 16_383n, 16_384n, 2n ** 32n, 2n ** 53n - 1n]) {
    const answer = {
      status: OK_STATUS,
      entries: [{ status: OK_STATUS, messageId: 'id', transactionId: '', offset, recallHandle: '' }],
    };
    assert.deepEqual(Buffer.from(encodeSendAnswer(answer)), Buffer.from(SendMessageResponse.encode(answer).finish()));
  }
});
