import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODES } from '@orbitmq/base';
import { Code } from './gen/apache/rocketmq/v2/definition.ts';

test('the codes of base are those of the wire', () => {
  const wire = new Map<string, number>(Object.entries(Code));
  for (const [name, number] of Object.entries(CODES)) assert.equal(number, wire.get(name), name);
});
