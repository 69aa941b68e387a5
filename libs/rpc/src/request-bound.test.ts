import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundRequests } from './request-bound.ts';
import { type BoundMethod, RpcError } from './service.ts';

function methodOf(name: string): BoundMethod {
  return {
    kind: 'unary',
    path: `/contract.Texts/${name}`,
    decode: (bytes) => bytes.length,
    encode: () => new Uint8Array(),
    handler: () => {},
  };
}

test('a request beyond the bound is refused before it is decoded; exceptions keep their own', () => {
  const [bounded, free] = boundRequests([methodOf('Ack'), methodOf('Send')], 4, ['Send']) as [BoundMethod, BoundMethod];
  assert.equal(bounded.path, '/contract.Texts/Ack');
  assert.equal(bounded.decode(new Uint8Array(4)), 4);
  assert.throws(
    () => bounded.decode(new Uint8Array(5)),
    (error) =>
      error instanceof RpcError &&
      error.status === 'RESOURCE_EXHAUSTED' &&
      /Ack .* 4 bytes; found 5/.test(error.message),
  );
  assert.equal(free.decode(new Uint8Array(5)), 5);
});
