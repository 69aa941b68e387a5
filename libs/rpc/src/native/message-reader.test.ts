import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MessageReader } from './message-reader.ts';

function framed(message: Uint8Array, flag = 0, announced = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(announced, 1);
  return Buffer.concat([prefix, message]);
}

function messagesOf(reader: MessageReader, chunk: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < chunk.length; ) {
    at = reader.read(chunk, at, chunk.length);
    if (reader.message !== undefined) messages.push(reader.message);
  }
  return messages;
}

describe('MessageReader', () => {
  it('finds the messages however the data is cut', () => {
    const MESSAGES = fc.array(fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)));
    fc.assert(
      fc.property(MESSAGES, fc.array(fc.nat(100)), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map((message) => framed(message)));
        const reader = new MessageReader();
        const found: Buffer[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          found.push(...messagesOf(reader, Buffer.from(bytes.subarray(at, at + cut))));
          at = Math.min(bytes.length, at + cut);
        }
        assert.deepEqual(found, sent);
        assert.equal(reader.isWithin, false);
      }),
    );
  });

  it('puts large messages together', () => {
    const message = Buffer.alloc(1_000_000, 'abcdefg');
    const bytes = framed(message, 1);
    const reader = new MessageReader();
    const found: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 16_384)
      found.push(...messagesOf(reader, bytes.subarray(at, at + 16_384)));
    assert.deepEqual(found, [message]);
    assert.equal(reader.flag, 1);
  });

  it('gives a message in one piece as a view', () => {
    const chunk = framed(Buffer.from('view'));
    assert.equal(messagesOf(new MessageReader(), chunk)[0]!.buffer, chunk.buffer);
  });

  it('tells what is announced and reserves no memory for it', () => {
    const reader = new MessageReader();
    const before = process.memoryUsage().arrayBuffers;
    assert.deepEqual(messagesOf(reader, framed(Buffer.from('abc'), 0, 0xffffffff)), []);
    assert.equal(reader.announcedBytes, 0xffffffff);
    assert.ok(reader.isWithin);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
  });
});
