import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Clock, systemClock } from '@orbitmq/base';
import { clusterAddressesOf, hostAddresses } from './addresses.ts';
import { nameServerConfigSpec } from './config.ts';

const { schema } = nameServerConfigSpec.keys.clusterAddresses;

describe('clusterAddresses', () => {
  it('are hosts with and without ports', () => {
    const text = ' mq ; mq.queues.svc:8081;10.0.0.1:80;[fd00::1]:8081;[fd00::12];';
    assert.ok(schema.safeParse(text).success);
    assert.deepEqual(clusterAddressesOf(text), [
      { host: 'mq', port: undefined },
      { host: 'mq.queues.svc', port: 8081 },
      { host: '10.0.0.1', port: 80 },
      { host: '[fd00::1]', port: 8081 },
      { host: '[fd00::12]', port: undefined },
    ]);
    assert.ok(schema.safeParse('').success);
    assert.deepEqual(clusterAddressesOf(''), []);
  });

  it('are nothing else', () => {
    for (const text of ['http://mq', 'mq,other', 'a b', 'fd00::1', 'mq:port', 'mq:123456', ';;']) {
      assert.ok(!schema.safeParse(text).success, text);
    }
  });
});

it('addresses of the interfaces are not looked up for each question', () => {
  let nowMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  const addresses = hostAddresses(clock);
  const first = addresses();
  assert.ok(first.length > 0);
  nowMs = 5_000;
  assert.equal(addresses(), first);
});
