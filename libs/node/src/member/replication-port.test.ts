import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIB } from '@orbitmq/base';
import { rpcPortKeys } from '@orbitmq/rpc';
import { loadConfig } from '@orbitmq/runtime';
import { type BrokerConfig, brokerConfigSpec } from '../config/spec.ts';
import { replicationLimits } from './replication-port.ts';

function load(flags: Readonly<Record<string, string>>): BrokerConfig {
  const given = { file: undefined, environment: new Map<string, string>(), flags: new Map(Object.entries(flags)) };
  return loadConfig(brokerConfigSpec, given).config;
}

test('what clients are allowed does not hold between members', () => {
  const config = load({});
  const limits = replicationLimits(config);
  for (const [name, { shape }] of Object.entries(rpcPortKeys)) {
    if (shape.type !== 'integer') continue;
    assert.deepEqual(replicationLimits({ ...config, [name]: shape.min }), limits, name);
  }
});

test('a record of the largest size can be given back', () => {
  const limits = replicationLimits(load({ maxMessageSize: `${64 * MIB}` }));
  assert.ok(limits.receiveMessageBytesMax > 64 * MIB);
});
