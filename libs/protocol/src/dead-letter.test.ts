import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeDeadLetterOrigin, encodeTopicField, readDeadLetterOrigin, readKeys } from './dead-letter.ts';
import { Message, SystemProperties } from './gen/apache/rocketmq/v2/definition.ts';

const system = Buffer.from(
  SystemProperties.encode({
    ...SystemProperties.decode(new Uint8Array()),
    messageId: 'id-1',
    keys: ['k1', 'k 2'],
  }).finish(),
);

test('a dead letter names its origin, also to decoders that know nothing of it', () => {
  const origin = { topicName: 'Bestellungen-ä', messageId: '01' };
  const stored = Buffer.concat([system, encodeDeadLetterOrigin(origin)]);
  assert.deepEqual(readDeadLetterOrigin(stored), origin);
  assert.deepEqual(SystemProperties.decode(stored).deadLetterQueue, { topic: 'Bestellungen-ä', messageId: '01' });
  const again = Buffer.concat([stored, encodeDeadLetterOrigin({ topicName: '%DLQ%g', messageId: '02' })]);
  assert.deepEqual(readDeadLetterOrigin(again), { topicName: '%DLQ%g', messageId: '02' });
  assert.equal(readDeadLetterOrigin(system), undefined);
});

test('another topic takes the place of the first', () => {
  const sent = Message.encode({
    topic: { resourceNamespace: '', name: 'orders' },
    userProperties: new Map(),
    systemProperties: undefined,
    body: Buffer.from('body'),
  }).finish();
  const { topic, body } = Message.decode(Buffer.concat([sent, encodeTopicField('%DLQ%group')]));
  assert.equal(topic?.name, '%DLQ%group');
  assert.equal(Buffer.from(body).toString(), 'body');
});

test('keys are read apart', () => {
  assert.deepEqual(readKeys(system), ['k1', 'k 2']);
});
