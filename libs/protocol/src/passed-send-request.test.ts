import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, SystemProperties } from './gen/apache/rocketmq/v2/definition.ts';
import { SendMessageRequest } from './gen/apache/rocketmq/v2/service.ts';
import { encodePassedSendRequest } from './passed-send-request.ts';
import { decodeSendMessageRequest } from './send-request.ts';

test('a request that is passed on says the same to the next server', () => {
  const system = {
    ...SystemProperties.decode(new Uint8Array()),
    messageId: 'id-1',
    messageGroup: 'g',
    keys: ['a', 'b'],
  };
  const topic = { resourceNamespace: '', name: 'orders' };
  const message: Message = {
    topic,
    userProperties: new Map([['key', 'value']]),
    systemProperties: system,
    body: Buffer.alloc(300, 7),
  };
  const sent: SendMessageRequest = { messages: [message, { ...message, body: Buffer.alloc(0) }] };
  const passed = encodePassedSendRequest(decodeSendMessageRequest(SendMessageRequest.encode(sent).finish()));
  assert.deepEqual(
    SendMessageRequest.decode(new Uint8Array(passed)),
    SendMessageRequest.decode(SendMessageRequest.encode(sent).finish()),
  );
});
