import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@orbitmq/base';
import type { BoundMethod } from '@orbitmq/rpc';
import { DeliveryHold } from './delivery-hold.ts';
import { heldCalls } from './held-calls.ts';

test('what consumers ask waits for the hold, whatever way it is answered', async () => {
  const asked: string[] = [];
  const method = (name: string): BoundMethod => ({
    kind: 'unary',
    path: `/test.Service/${name}`,
    decode: (bytes) => bytes,
    encode: (answer) => answer as Uint8Array,
    handler: () => asked.push(name),
    replyHandler: () => asked.push(`${name}, at once`),
  });
  const hold = new DeliveryHold([1], systemClock);
  const [ack, send] = heldCalls([method('AckMessage'), method('SendMessage')], hold);
  send!.replyHandler!(undefined, undefined as never, undefined as never);
  assert.equal(ack!.replyHandler, undefined);
  const acknowledged = ack!.handler(undefined, undefined) as Promise<unknown>;
  assert.deepEqual(asked, ['SendMessage, at once']);
  hold.release();
  await acknowledged;
  assert.deepEqual(asked, ['SendMessage, at once', 'AckMessage']);
});
