import { Code, SendMessageResponse } from '@orbitmq/protocol/apache.rocketmq.v2';

/** What servers that do nothing answer: a SendMessageResponse as a broker gives it. */
export const NOOP_ANSWER = SendMessageResponse.encode({
  status: { code: Code.OK, message: '' },
  entries: [
    {
      status: { code: Code.OK, message: '' },
      messageId: '01'.repeat(17),
      transactionId: '',
      offset: 1n,
      recallHandle: '',
    },
  ],
}).finish();
