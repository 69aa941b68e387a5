import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  encodeClientMessageId,
  encodeOffsetMessageId,
  parseClientMessageId,
  parseOffsetMessageId,
  parseUniqueKey,
} from './message-id.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const copyOf = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);

test('a 5.x client id is read and written', () => {
  const text = '0156F7E71C361B21BC024CCDBE00000000';
  const id = parseClientMessageId(text);
  assert.deepEqual(id, {
    macAddress: '56F7E71C361B',
    processId: 0x21bc,
    bornTimestampMs: Date.UTC(2021, 0, 1) + 0x024ccdbe * 1000,
    sequence: 0,
  });
  assert.equal(encodeClientMessageId(id!), text);
  assert.deepEqual(parseClientMessageId(text.toLowerCase()), id);
  for (const other of ['', 'my-id', text.slice(1), `${text}0`, `02${text.slice(2)}`, `${text.slice(0, -1)}G`]) {
    assert.equal(parseClientMessageId(other), undefined, other);
  }
});

test('a 4.x unique key is read', () => {
  const key = parseUniqueKey('7F000001ABCD18B4AAC2000B4B2A00FE')!;
  assert.deepEqual(
    { ...key, address: copyOf(key.address) },
    { address: hex('7F000001'), processId: 0xabcd, monthMs: 0x000b4b2a, counter: 0x00fe },
  );
  const wide = parseUniqueKey(`20010DB8000000000000000000000001${'ABCD18B4AAC2000B4B2A00FE'}`)!;
  assert.deepEqual(copyOf(wide.address), hex('20010DB8000000000000000000000001'));
  assert.equal(wide.counter, 0x00fe);
  for (const other of ['', '7F', 'x'.repeat(32), '0'.repeat(34)]) assert.equal(parseUniqueKey(other), undefined);
});

test('an offset message id is read and written', () => {
  assert.deepEqual(
    encodeOffsetMessageId({ address: hex('C0000201'), port: 10911, physicalOffset: 2 ** 40 + 5 }),
    'C000020100002A9F0000010000000005',
  );
  fc.assert(
    fc.property(
      fc.constantFrom(4, 16).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
      fc.integer({ min: 0, max: 65535 }),
      fc.maxSafeNat(),
      (address, port, physicalOffset) => {
        const id = parseOffsetMessageId(encodeOffsetMessageId({ address, port, physicalOffset }))!;
        assert.deepEqual({ ...id, address: copyOf(id.address) }, { address, port, physicalOffset });
      },
    ),
  );
  const impossible = ['', 'x'.repeat(32), 'C000020100012A9F0000010000000005', `C000020100002A9F${'F'.repeat(16)}`];
  for (const text of impossible) assert.equal(parseOffsetMessageId(text), undefined, text);
});
