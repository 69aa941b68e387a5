import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeaderField } from './hpack/header-field.ts';
import { FieldMetadata } from './metadata.ts';
import { areTrailers, requestHeadOf, timeoutMsOf } from './request-head.ts';

type Pair = readonly [name: string, value: string];
const REQUIRED: readonly Pair[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/a.B/C'],
];
const fieldsOf = (pairs: readonly Pair[]): HeaderField[] => pairs.map(([name, value]) => new HeaderField(name, value));
const headOf = (...more: Pair[]) => requestHeadOf(fieldsOf([...REQUIRED, ...more]));

describe('requestHeadOf', () => {
  it('finds what the transport looks at', () => {
    const head = headOf(
      [':authority', 'host'],
      ['content-type', 'application/grpc+proto'],
      ['te', 'trailers'],
      ['grpc-timeout', '3S'],
      ['grpc-encoding', 'gzip'],
      ['content-length', '12'],
    )!;
    assert.deepEqual(
      [head.method, head.path, head.contentType, head.timeout, head.encoding, head.contentLength],
      ['POST', '/a.B/C', 'application/grpc+proto', '3S', 'gzip', 12],
    );
    assert.deepEqual([headOf()!.contentLength, headOf()!.encoding], [-1, 'identity']);
    assert.ok(headOf(['x-a', ' ']), 'a blank value is for the handler to judge');
  });

  it('refuses malformed lists', () => {
    const wrong: Record<string, readonly Pair[]> = {
      'no path': REQUIRED.slice(0, 2),
      'no method': REQUIRED.slice(1),
      'an empty path': [...REQUIRED.slice(0, 2), [':path', '']],
      'a pseudo field twice': [...REQUIRED, [':path', '/']],
      'a pseudo field behind others': [...REQUIRED, ['a', 'b'], [':authority', 'host']],
      'an unknown pseudo field': [[':unknown', '1'], ...REQUIRED],
      'a field of responses': [[':status', '200'], ...REQUIRED],
      'an upper-case name': [...REQUIRED, ['X-A', '1']],
      'an empty name': [...REQUIRED, ['', '1']],
      'a line break': [...REQUIRED, ['x-a', 'b\r\nc: d']],
      'a zero': [...REQUIRED, ['x-a', 'b\0']],
      'a field of connections': [...REQUIRED, ['connection', 'close']],
      'another te': [...REQUIRED, ['te', 'gzip']],
      'a length that is no number': [...REQUIRED, ['content-length', '-1']],
    };
    for (const [what, pairs] of Object.entries(wrong)) assert.equal(requestHeadOf(fieldsOf(pairs)), undefined, what);
  });

  it('knows trailers', () => {
    assert.ok(areTrailers(fieldsOf([['x-a', '1']])));
    assert.ok(areTrailers([]));
    assert.equal(areTrailers(fieldsOf([[':path', '/']])), false);
    assert.equal(areTrailers(fieldsOf([['X', '/']])), false);
  });
});

describe('timeoutMsOf', () => {
  it('reads all units and nothing else', () => {
    const texts = { '1H': 3_600_000, '2M': 120_000, '3S': 3_000, '4m': 4, '500u': 0.5, '99999999n': 99.999999 };
    for (const [text, ms] of Object.entries(texts)) assert.ok(Math.abs(timeoutMsOf(text)! - ms) < 1e-9, text);
    for (const text of ['', 'soon', '1', 'S', '-1S', '123456789S', '1s', '1 S']) {
      assert.equal(timeoutMsOf(text), undefined, text);
    }
  });
});

describe('FieldMetadata', () => {
  it('shows what the client said, and not what belongs to the transport', () => {
    const head = headOf(
      ['te', 'trailers'],
      ['content-type', 'application/grpc'],
      ['grpc-timeout', '1S'],
      ['grpc-accept-encoding', 'gzip'],
      ['x-a', '1'],
      ['x-a', '2'],
      ['x-b-bin', 'AAEC,AQ'],
    )!;
    const metadata = new FieldMetadata(head.fields);
    assert.deepEqual(Array.from(metadata.entries()), [
      ['x-a', '1'],
      ['x-a', '2'],
      ['x-b-bin', 'AAEC'],
      ['x-b-bin', 'AQ=='],
    ]);
    assert.equal(metadata.get('x-a'), '1');
    assert.equal(metadata.get('x-b-bin'), 'AAEC');
    assert.equal(metadata.get('te'), undefined);
    assert.equal(metadata.get('__proto__'), undefined);
  });
});
