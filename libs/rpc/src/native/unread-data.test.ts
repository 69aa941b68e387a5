import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UnreadData } from './unread-data.ts';

function drain(unread: UnreadData, stepBytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let part = unread.first; part !== undefined; part = unread.first) {
    const taken = Math.min(stepBytes, part.length);
    parts.push(part.subarray(0, taken));
    unread.take(taken);
  }
  return Buffer.concat(parts);
}

describe('UnreadData', () => {
  it('gives back what it was given, in whatever steps', () => {
    const unread = new UnreadData();
    const parts = Array.from({ length: 50 }, (_, n) => Buffer.alloc(n, n));
    for (const part of parts) unread.add(part);
    assert.equal(unread.bytes, 1225);
    assert.deepEqual(drain(unread, 7), Buffer.concat(parts));
    assert.equal(unread.bytes, 0);
  });

  it('holds no other memory beside what is small', () => {
    const unread = new UnreadData();
    unread.add(Buffer.alloc(65_536).subarray(0, 100));
    assert.equal(unread.first?.buffer.byteLength, 100);
  });

  it('puts many tiny parts together', () => {
    const unread = new UnreadData();
    for (let n = 0; n < 10_000; n++) unread.add(Buffer.of(n));
    let partCount = 0;
    while (unread.first !== undefined) {
      unread.take(unread.first.length);
      partCount++;
    }
    assert.ok(partCount < 150, `${partCount} parts`);
  });

  it('forgets all', () => {
    const unread = new UnreadData();
    unread.add(Buffer.from('a'));
    unread.clear();
    assert.equal(unread.first, undefined);
    assert.equal(unread.bytes, 0);
  });
});
