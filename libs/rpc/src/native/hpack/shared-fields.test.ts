import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HpackDecoder } from './decoder.ts';
import { HpackEncoder } from './encoder.ts';
import { SharedFields } from './shared-fields.ts';

test('the same field is one object, as long as there is room', () => {
  const fields = new SharedFields();
  const first = fields.get('x-mq-language', 'JAVA');
  assert.equal(fields.get('x-mq-language', 'JAVA'), first);
  assert.equal(first.sizeBytes, 13 + 4 + 32);
  for (let n = 0; n < 1_000; n++) fields.get('x-mq-client-id', `client ${n}`);
  assert.notEqual(fields.get('x-mq-client-id', 'client 999'), fields.get('x-mq-client-id', 'client 999'));
  for (let n = 0; n < 1_000; n++) fields.get(`x-${n}`, 'a');
  assert.notEqual(fields.get('x-999', 'a'), fields.get('x-999', 'a'));
  const large = 'a'.repeat(200);
  assert.notEqual(fields.get('x-mq-language', large), fields.get('x-mq-language', large));
  assert.equal(fields.get('x-mq-language', 'JAVA'), first);
});

test('tables of connections share what their clients say first, and are apart otherwise', () => {
  const limits = { bytesMax: 16_384, countMax: 256 };
  const [one, two] = [new HpackDecoder(4096, limits), new HpackDecoder(4096, limits)];
  const decode = (decoder: HpackDecoder, encoder: HpackEncoder, value: string) => {
    const block = encoder.encode([
      { name: 'x-shared-by-a-test', value: 'a', isRepeated: true },
      { name: 'x-own-in-a-test', value, isRepeated: true },
    ]);
    return decoder.decode(block, 0, block.length);
  };
  const [ones, twos] = [new HpackEncoder(), new HpackEncoder()];
  const first = decode(one, ones, '1');
  const second = decode(two, twos, '2');
  assert.equal(first[0], second[0]);
  assert.deepEqual([first[1]!.value, second[1]!.value], ['1', '2']);
  assert.equal(decode(one, ones, '1')[1], first[1]);
  assert.equal(decode(two, twos, '2')[1], second[1]);
});
