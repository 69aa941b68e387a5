import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PutTopicRequest } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { Topic } from '@orbitmq/views';
import { topicConfigOf, wireTopicOf } from './topic-request.ts';

const EXISTING: Topic = {
  name: 'orders',
  readQueueCount: 4,
  writeQueueCount: 2,
  permission: 4,
  messageType: 'FIFO',
  retentionMs: 60_000,
  retentionBytes: undefined,
  autoCreated: true,
  attributes: new Map([['queue.type', 'SimpleCQ']]),
  uid: 7,
  queues: [],
  createdMs: 1,
};

function request(changes: Partial<PutTopicRequest> = {}): PutTopicRequest {
  return { name: 'orders', attributesPut: new Map(), attributesRemoved: [], ...changes };
}

function attribute(name: string, value: string): PutTopicRequest {
  return request({ attributesPut: new Map([[name, value]]) });
}

function liteTopic(expiration: string): PutTopicRequest {
  return request({
    attributesPut: new Map([
      ['message.type', 'LITE'],
      ['lite.topic.expiration', expiration],
    ]),
  });
}

describe('topicConfigOf', () => {
  it('fills in defaults for a new topic', () => {
    assert.deepEqual(topicConfigOf(request(), undefined), {
      name: 'orders',
      readQueueCount: 8,
      writeQueueCount: 8,
      permission: 6,
      messageType: 'NORMAL',
      retentionMs: undefined,
      retentionBytes: undefined,
      attributes: new Map(),
      autoCreated: false,
    });
  });

  it('keeps what the request leaves out, and counts the topic as made by name', () => {
    const altered = topicConfigOf(request({ permission: 6 }), EXISTING);
    assert.equal(altered.permission, 6);
    assert.equal(altered.readQueueCount, 4);
    assert.equal(altered.writeQueueCount, 2);
    assert.equal(altered.messageType, 'FIFO');
    assert.equal(altered.retentionMs, 60_000);
    assert.equal(altered.autoCreated, false);
    assert.deepEqual([...altered.attributes], [['queue.type', 'SimpleCQ']]);
  });

  it('puts and removes attributes', () => {
    assert.equal(topicConfigOf(attribute('message.type', 'fifo'), undefined).messageType, 'FIFO');
    assert.equal(topicConfigOf(attribute('message.type', 'PRIORITY'), undefined).messageType, 'PRIORITY');
    assert.equal(topicConfigOf(attribute('reserve.bytes', '1048576'), undefined).retentionBytes, 1_048_576);
    assert.equal(topicConfigOf(attribute('reserve.time', '-1'), EXISTING).retentionMs, undefined);
    assert.equal(topicConfigOf(request({ attributesRemoved: ['reserve.time'] }), EXISTING).retentionMs, undefined);
  });

  it('makes parents of lite topics', () => {
    const lite = topicConfigOf(liteTopic('60'), undefined);
    assert.equal(lite.messageType, 'LITE');
    assert.deepEqual([...lite.attributes], [['lite.topic.expiration', '60']]);
    assert.equal(topicConfigOf(liteTopic('-1'), undefined).attributes.get('lite.topic.expiration'), '-1');
  });

  it('gives dead letters a time of their own', () => {
    const wish = { ...attribute('reserve.time', '60000'), name: '%DLQ%group' };
    assert.equal(topicConfigOf(wish, { ...EXISTING, name: '%DLQ%group' }).retentionMs, 60_000);
  });

  it('keeps the check interval of transactions', () => {
    const { attributes } = topicConfigOf(attribute('transaction.check.interval', '5000'), EXISTING);
    assert.equal(attributes.get('transaction.check.interval'), '5000');
  });

  it('refuses what is out of range, naming value and remedy', () => {
    const cases: [PutTopicRequest, RegExp][] = [
      [request({ name: '' }), /topic name has 1 to 127/],
      [request({ name: '../x' }), /letters, digits/],
      [request({ name: '%RETRY%g' }), /not open to clients/],
      [request({ name: 'TBW102' }), /not open to clients/],
      [request({ readQueueCount: 0 }), /read_queue_count is "0"; must be 1…1024/],
      [request({ writeQueueCount: 1025 }), /write_queue_count is "1025"/],
      [request({ permission: 1 }), /permission is "1"; must be 2 \(write\)/],
      [attribute('message.type', 'X'), /message.type is "X"; must be NORMAL or FIFO/],
      [attribute('message.typ', 'FIFO'), /did you mean message.type/],
      [attribute('lite.topic.expiration', '60'), /only a topic of type LITE has it; this one is NORMAL/],
      [liteTopic('0'), /must be 1…43200 minutes, or -1/],
      [liteTopic('43201'), /must be 1…43200/],
      [liteTopic('1h'), /must be 1…43200/],
      [attribute('__proto__', 'x'), /no topic attribute "__proto__"/],
      [attribute('cleanup.policy', 'COMPACTION'), /only DELETE is possible/],
      [attribute('transaction.check.interval', '999'), /must be 1000…3600000 milliseconds/],
      [attribute('transaction.check.interval', '3600001'), /must be 1000…3600000/],
      [attribute('transaction.check.interval', '5s'), /must be 1000…3600000/],
      [attribute('reserve.time', '1h'), /whole number of milliseconds/],
    ];
    for (const [refused, message] of cases) assert.throws(() => topicConfigOf(refused, undefined), message);
  });

  it('shows a topic with all its attributes', () => {
    const shown = wireTopicOf(EXISTING);
    assert.deepEqual(Object.fromEntries(shown.attributes), {
      'message.type': 'FIFO',
      'queue.type': 'SimpleCQ',
      'reserve.time': '60000',
    });
    assert.equal(shown.createdMs, 1n);
  });
});
