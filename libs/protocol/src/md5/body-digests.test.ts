import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { SendMessageRequest } from '../gen/apache/rocketmq/v2/service.ts';
import { decodeSendMessageRequest } from '../send-request.ts';
import { messageOf } from '../test-messages.ts';
import { digestBodies } from './body-digests.ts';
import { LANE_COUNT, MD5_BYTES, Md5Lanes, TEXT_BYTES_MAX } from './md5-lanes.ts';

const md5 = (text: Uint8Array): string => createHash('md5').update(text).digest('hex');

/** Bytes that differ from place to place and from seed to seed. */
function bodyOf(length: number, seed: number): Buffer {
  const body = Buffer.alloc(length);
  for (let index = 0; index < length; index++) body[index] = Math.imul(index + 1, 2_654_435_761 ^ seed) >>> 13;
  return body;
}

function checkBodies(bodies: readonly Uint8Array[]): void {
  const request = SendMessageRequest.encode({ messages: bodies.map((body) => messageOf({ body })) }).finish();
  const messages = decodeSendMessageRequest(request);
  const found = Buffer.from(digestBodies(messages)).toString('hex');
  assert.equal(found, bodies.map(md5).join(''));
  assert.equal(Buffer.from(digestBodies(messages, 'none')).toString('hex'), found, 'without vectors');
}

test('this machine has the vectors that batches are digested with', () => {
  assert.ok(Md5Lanes.make() instanceof Md5Lanes);
});

test('lanes give the MD5 of every length, whatever the others have, and whatever was in them before', () => {
  const lanes = Md5Lanes.make()!;
  const digest = Buffer.alloc(MD5_BYTES);
  const check = (texts: readonly Uint8Array[]): void => {
    lanes.open();
    for (const [lane, text] of texts.entries()) lanes.set(lane, text);
    lanes.run();
    for (const [lane, text] of texts.entries()) {
      lanes.copy(lane, digest, 0);
      assert.equal(digest.toString('hex'), md5(text), `${text.length} bytes in lane ${lane} of ${texts.length}`);
    }
  };
  for (let length = 0; length <= 300; length++) {
    check(Array.from({ length: LANE_COUNT }, (_, lane) => bodyOf(length, lane)));
    check([bodyOf(length, 1), bodyOf(300 - length, 2), bodyOf(0, 3)]);
  }
  const longest = [TEXT_BYTES_MAX, TEXT_BYTES_MAX - 1, TEXT_BYTES_MAX - 8, TEXT_BYTES_MAX - 9, 1];
  check(longest.map((length) => bodyOf(length, length)));
  check([]);
  const text = fc.uint8Array({ maxLength: 2000 });
  fc.assert(fc.property(fc.array(text, { minLength: 1, maxLength: LANE_COUNT }), check), { numRuns: 300 });
});

test('the bodies of a batch have the digests that each has alone', () => {
  const length = fc.oneof(fc.nat(200), fc.nat(5000), fc.constantFrom(TEXT_BYTES_MAX, TEXT_BYTES_MAX + 1, 40_000));
  fc.assert(
    fc.property(fc.array(length, { maxLength: 40 }), fc.nat(), (lengths, seed) =>
      checkBodies(lengths.map((each, index) => bodyOf(each, seed + index))),
    ),
    { numRuns: 100 },
  );
  for (let count = 1; count <= 2 * LANE_COUNT + 1; count++) {
    checkBodies(Array.from({ length: count }, (_, index) => bodyOf(1024, index)));
  }
});
