import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import { KIB, MIB } from '@orbitmq/base';
import { RpcError } from '../service.ts';
import { Inflater } from './inflater.ts';

const BYTES_MAX = MIB;

function inflate(message: Buffer, encoding = 'gzip', inflater = new Inflater(BYTES_MAX)): Promise<string> {
  return new Promise((resolve) => {
    inflater.inflate({ isEnded: false }, message, encoding, (result) => {
      if (result === 'too large') resolve(result);
      else resolve(result instanceof RpcError ? result.status : result.toString());
    });
  });
}

describe('Inflater', () => {
  it('gives messages of all sizes up to the limit', async () => {
    for (const size of [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 300_000, BYTES_MAX]) {
      const text = 'text '.repeat(size / 5 + 1).slice(0, size);
      assert.ok((await inflate(gzipSync(text))) === text, `gzip of ${size}`);
      assert.ok((await inflate(deflateSync(text), 'deflate')) === text, `deflate of ${size}`);
    }
    assert.equal(await inflate(gzipSync(Buffer.alloc(BYTES_MAX + 1))), 'too large');
  });

  it('says what is no compressed message', async () => {
    for (const encoding of ['gzip', 'deflate']) {
      assert.equal(await inflate(Buffer.from('plain'), encoding), 'INTERNAL');
      assert.equal(await inflate(Buffer.alloc(0), encoding), 'INTERNAL');
    }
    assert.equal(await inflate(gzipSync('cut').subarray(0, -1)), 'INTERNAL');
    assert.equal(await inflate(Buffer.from('?'), 'snappy'), 'UNIMPLEMENTED');
    assert.equal(await inflate(Buffer.from('?'), 'identity'), 'INTERNAL');
  });

  it('does not wait for what is behind the end', async () => {
    assert.equal(await inflate(Buffer.concat([gzipSync('first'), Buffer.alloc(5)])), 'first');
    assert.equal(await inflate(Buffer.concat([gzipSync('first'), gzipSync(' second')])), 'first second');
    assert.equal(await inflate(Buffer.concat([deflateSync('first'), Buffer.from('behind')]), 'deflate'), 'first');
  });

  it('keeps nothing of bombs, though no garbage is collected', async () => {
    const bomb = gzipSync(Buffer.alloc(16 * MIB));
    const inflater = new Inflater(8 * MIB);
    for (let round = 0; round < 4; round++) {
      const before = process.memoryUsage().arrayBuffers;
      assert.equal(await inflate(bomb, 'gzip', inflater), 'too large');
      const keptBytes = process.memoryUsage().arrayBuffers - before;
      assert.ok(keptBytes < MIB, `${keptBytes} bytes are kept`);
    }
  });
});
