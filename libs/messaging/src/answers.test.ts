import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MqError } from '@orbitmq/base';
import { unknownIfStored } from './answers.ts';

test('who waits in vain for slaves is told so, and all others that the outcome is not known', () => {
  const late = new MqError('SLAVE_PERSISTENCE_TIMEOUT', 'the slaves did not confirm');
  assert.equal(unknownIfStored(late), late);
  for (const cause of [new Error('EIO'), new MqError('HA_NOT_AVAILABLE', 'another one leads, nothing was stored')]) {
    const told = unknownIfStored(cause);
    assert.deepEqual([told.code, told.cause], ['MASTER_PERSISTENCE_TIMEOUT', cause]);
  }
});
