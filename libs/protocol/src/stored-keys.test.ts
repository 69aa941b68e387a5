import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readKeys } from './dead-letter.ts';
import { SystemProperties } from './gen/apache/rocketmq/v2/definition.ts';
import { StoredKeyReader } from './stored-keys.ts';
import { readMessageId } from './system-properties.ts';
import { WireError } from './wire/wire-error.ts';

test('finds where they lie the id and the keys that a decoder finds', () => {
  const properties = fc.record({
    messageId: fc.string({ unit: 'binary', maxLength: 20 }),
    keys: fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { maxLength: 4 }),
    tag: fc.option(fc.string(), { nil: undefined }),
  });
  fc.assert(
    fc.property(properties, fc.nat(9), ({ messageId, keys, tag }, at) => {
      const message = { ...SystemProperties.decode(new Uint8Array()), messageId, keys, tag };
      const system = Buffer.from(SystemProperties.encode(message).finish());
      const bytes = Buffer.concat([Buffer.alloc(at, 0xff), system, Buffer.from([0xff])]);
      const found = { messageId: '', keys: [] as string[] };
      const reader = new StoredKeyReader();
      reader.open(bytes, at, at + system.length);
      while (reader.next()) {
        const text = bytes.toString('utf8', reader.start, reader.end);
        if (reader.isMessageId) found.messageId = text;
        else found.keys.push(text);
      }
      assert.deepEqual(found, { messageId: readMessageId(system), keys: readKeys(system) });
    }),
  );
});

test('goes no further than the bytes are a message', () => {
  const reader = new StoredKeyReader();
  reader.open(Buffer.from([0x12, 0x05, 0x61]), 0, 3);
  assert.throws(() => reader.next(), WireError);
});
