import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { Output } from './output.ts';

function collecting(): { readonly stream: Writable; readonly writes: Buffer[] } {
  const writes: Buffer[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      writes.push(chunk);
      done();
    },
    writev(chunks, done) {
      writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)));
      done();
    },
  });
  return { stream, writes };
}

describe('Output', () => {
  it('sends all that has gathered in one write, in order', () => {
    const output = new Output();
    const { stream, writes } = collecting();
    const large = Buffer.alloc(100_000, 'L');
    const at = output.reserve(2);
    output.slab.set(Buffer.from('ab'), at);
    output.append(Buffer.from('cd'));
    output.append(large);
    output.append(Buffer.from('ef'));
    assert.equal(output.bytes, 100_006);
    output.flush(stream);
    assert.equal(output.bytes, 0);
    assert.deepEqual(writes, [Buffer.concat([Buffer.from('abcd'), large, Buffer.from('ef')])]);
    output.flush(stream);
    assert.equal(writes.length, 1);
  });

  it('does not write again into what has been sent', () => {
    const [one, two] = [new Output(), new Output()];
    const { stream, writes } = collecting();
    for (let n = 0; n < 50; n++) {
      for (const output of [one, two]) output.append(Buffer.alloc(5_000, n));
      one.flush(stream);
      if (n % 7 === 0) two.clear();
      else two.flush(stream);
    }
    const texts = writes.map((bytes) => new Set(bytes));
    assert.ok(texts.every((values) => values.size === 1));
    assert.equal(writes.length, 50 + 42);
  });
});
