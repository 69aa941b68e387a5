import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MqError } from '@orbitmq/base';
import { ClientType, FilterType, Settings } from '@orbitmq/protocol/apache.rocketmq.v2';
import { checkSettings } from './client-settings.ts';
import { MESSAGING_DEFAULTS } from './config.ts';

const empty = (): Settings => Settings.decode(new Uint8Array());
const consumer = (group: string, topic: string): Settings => ({
  ...empty(),
  subscription: {
    group: { resourceNamespace: '', name: group },
    subscriptions: [
      { topic: { resourceNamespace: '', name: topic }, expression: { type: FilterType.TAG, expression: '*' } },
    ],
  },
});
const producer = (topic: string): Settings => ({
  ...empty(),
  publishing: { topics: [{ resourceNamespace: '', name: topic }], maxBodySize: 0, validateMessageType: false },
});
const withProperties = (entries: readonly (readonly [string, string])[]): Settings => ({
  ...producer('t'),
  clientProperties: new Map(entries),
});

test('settings of real clients pass', () => {
  for (const settings of [
    producer('t'),
    { ...producer('t'), clientType: ClientType.PRODUCER },
    consumer('g', 't'),
    { ...consumer('g', '%DLQ%g'), clientType: ClientType.PUSH_CONSUMER },
    { ...consumer('g', 't'), clientType: ClientType.SIMPLE_CONSUMER },
    { ...consumer('g', 't'), clientType: ClientType.LITE_PUSH_CONSUMER },
    { ...consumer('g', 't'), clientType: ClientType.LITE_SIMPLE_CONSUMER },
    { ...producer('t'), publishing: { topics: [], maxBodySize: 0, validateMessageType: false } },
    withProperties([['zone.a-b_c', 'x'.repeat(256)]]),
  ]) {
    assert.ok(checkSettings(settings, MESSAGING_DEFAULTS.limits) > 0 || settings.publishing?.topics.length === 0);
  }
});

test('settings that make no sense are refused with their code', () => {
  const cases: readonly (readonly [string, Settings])[] = [
    ['BAD_REQUEST', empty()],
    ['ILLEGAL_TOPIC', producer('a b')],
    ['ILLEGAL_TOPIC', consumer('g', '')],
    ['ILLEGAL_CONSUMER_GROUP', consumer('', 't')],
    ['ILLEGAL_CONSUMER_GROUP', consumer('CID_RMQ_SYS_x', 't')],
    ['UNRECOGNIZED_CLIENT_TYPE', { ...consumer('g', 't'), clientType: ClientType.PRODUCER }],
    ['UNRECOGNIZED_CLIENT_TYPE', { ...consumer('g', 't'), clientType: 77 as ClientType }],
    [
      'BAD_REQUEST',
      { ...producer('t'), userAgent: { language: 1, version: 'x'.repeat(200_000), platform: '', hostname: '' } },
    ],
    ['INVALID_CLIENT_PROPERTIES', withProperties([['rocketmq.x', 'v']])],
    ['INVALID_CLIENT_PROPERTIES', withProperties([['1x', 'v']])],
    ['INVALID_CLIENT_PROPERTIES', withProperties([['__proto__', 'v']])],
    ['INVALID_CLIENT_PROPERTIES', withProperties([['x', 'v'.repeat(257)]])],
    ['INVALID_CLIENT_PROPERTIES', withProperties(Array.from({ length: 33 }, (_, index) => [`k${index}`, 'v']))],
    [
      'INVALID_CLIENT_PROPERTIES',
      withProperties(Array.from({ length: 20 }, (_, index) => [`k${index}`, 'v'.repeat(250)])),
    ],
  ];
  for (const [code, settings] of cases) {
    assert.throws(
      () => checkSettings(settings, MESSAGING_DEFAULTS.limits),
      (error) => error instanceof MqError && error.code === code && error.message.length < 600,
      code,
    );
  }
});
