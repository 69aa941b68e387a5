import assert from 'node:assert/strict';
import { it } from 'node:test';
import { percentEncoded, trailersOf } from './trailers.ts';

it('trailers carry a status and its message in percent-encoding', () => {
  assert.deepEqual(trailersOf('OK', ''), [{ name: 'grpc-status', value: '0', isRepeated: true }]);
  assert.deepEqual(trailersOf('NOT_FOUND', 'no ä'), [
    { name: 'grpc-status', value: '5' },
    { name: 'grpc-message', value: 'no %C3%A4' },
  ]);
  assert.equal(percentEncoded('100 %\n~'), '100 %25%0A~');
});
