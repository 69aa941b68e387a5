import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MINUTE_MS } from '@orbitmq/base';
import { passedMetadata } from '../passed-metadata.ts';
import type { Call } from '../service.ts';
import { HeaderField } from './hpack/header-field.ts';
import { FieldMetadata } from './metadata.ts';
import { OwnHeaders } from './own-headers.ts';

it('OwnHeaders keeps parts that hold no other memory', () => {
  const metadata = new FieldMetadata([new HeaderField('x-mq-client-id', 'a client')]);
  const own = new OwnHeaders();
  own.fill(passedMetadata({ metadata, peer: '10.0.0.1:1234' } as unknown as Call), MINUTE_MS);
  assert.equal(own.partCount, 3);
  for (const part of own.parts) assert.equal(part.buffer.byteLength, part.length);
});
