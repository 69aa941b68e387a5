import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { decodeSendMessageRequest, MD5_BYTES } from '@orbitmq/protocol';
import { Code, SendMessageRequest } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call, Reply } from '@orbitmq/rpc';
import { ArrivedSends } from './arrived-sends.ts';
import type { SendAnswer } from './send-answer.ts';
import type { Incoming } from './send-under-way.ts';
import { message, TestBroker } from './test-broker.ts';

const md5 = (body: Uint8Array): string => createHash('md5').update(body).digest('hex');
const requestOf = (...ids: string[]) =>
  decodeSendMessageRequest(SendMessageRequest.encode({ messages: ids.map((id) => message(id)) }).finish());

test('what came together is admitted, digested and stored in its order', async () => {
  await using broker = await disposable();
  const { clock, shard } = broker.it;
  const seen: string[] = [];
  const stored: Incoming[] = [];
  const nameOf = ({ messages }: Incoming): string => messages.map(({ messageId }) => messageId).join(' ');
  const arrived = new ArrivedSends(
    { clock, shard },
    {
      admit(incoming) {
        seen.push(`admit ${nameOf(incoming)}`);
        return nameOf(incoming) !== 'refused';
      },
      store(incoming) {
        seen.push(`store ${nameOf(incoming)}`);
        stored.push(incoming);
      },
    },
  );
  const add = (...ids: string[]): void => arrived.add(requestOf(...ids), {} as Call, {} as Reply<SendAnswer>);
  const startedMs = clock.monotonicMs();
  add('a');
  add('b', 'c', 'd');
  add('refused');
  add('e');
  assert.deepEqual(seen, [], 'more may come');
  await Promise.resolve();
  const admitted = ['admit a', 'admit b c d', 'admit refused', 'admit e'];
  assert.deepEqual(seen, [...admitted, 'store a', 'store b c d', 'store e']);
  for (const incoming of stored) {
    assert.equal(incoming.startedMs, startedMs);
    for (const [index, { body }] of incoming.messages.entries()) {
      const digest = incoming.digests!.subarray(incoming.digestAt + index * MD5_BYTES).subarray(0, MD5_BYTES);
      assert.equal(Buffer.from(digest).toString('hex'), md5(body));
    }
  }
  await clock.advance(5);
  seen.length = 0;
  add('alone');
  await Promise.resolve();
  assert.deepEqual(seen, ['admit alone', 'store alone']);
  assert.deepEqual([stored.at(-1)!.startedMs, stored.at(-1)!.digests], [startedMs + 5, undefined]);
});

test('requests that are sent at once are each answered as if they had come alone', async () => {
  await using broker = await disposable();
  const { it } = broker;
  for (const topic of ['orders', 'bills']) await it.makeTopic(topic, 'NORMAL', 1);
  await it.makeGroup('group');
  const sends = Array.from({ length: 40 }, (_, index) => [
    message(`m${index}`, { body: Buffer.alloc(index * 40, index) }),
  ]);
  sends[7] = [message(' ')];
  sends[11] = [message('m3', { body: Buffer.alloc(120, 3) })];
  sends[20] = ['x', 'y', 'x'].map((id) => message(id));
  sends[30] = [message('bill', { topic: 'bills' })];
  sends[35] = [message('m35', { body: Buffer.alloc(0) })];
  const answers = await Promise.all(sends.map((messages) => it.send(...messages)));
  const codes = answers.map(({ status }) => status?.code);
  const expected = sends.map(() => Code.OK as Code);
  expected[0] = Code.MESSAGE_BODY_EMPTY;
  expected[7] = Code.ILLEGAL_MESSAGE_ID;
  expected[35] = Code.MESSAGE_BODY_EMPTY;
  assert.deepEqual(codes, expected);
  const offsetOf = (at: number, entry = 0) => answers[at]!.entries[entry]!.offset;
  assert.equal(offsetOf(11), offsetOf(3), 'sent before, in the same moment');
  assert.equal(offsetOf(20, 2), offsetOf(20));
  assert.equal(offsetOf(30), 0n);
  const received = [];
  for (let batch = 0; batch < 2; batch++) received.push(...(await it.receive({ batchSize: 32 })).messages);
  const known = new Map(sends.flat().map(({ systemProperties, body }) => [systemProperties!.messageId, body]));
  for (const { systemProperties, body } of received) {
    assert.deepEqual(Buffer.from(body), Buffer.from(known.get(systemProperties!.messageId)!));
    assert.equal(systemProperties!.bodyDigest?.checksum, md5(body).toUpperCase());
  }
  assert.equal(received.length, 36, 'two batches, and nothing twice');
});

/** A broker that is stopped at the end. */
async function disposable(): Promise<AsyncDisposable & { readonly it: TestBroker }> {
  const it = await TestBroker.start();
  return { it, [Symbol.asyncDispose]: () => it.stop() };
}
