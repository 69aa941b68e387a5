import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MqError } from '@orbitmq/base';
import type { Call } from '@orbitmq/rpc';
import { callerOf, clientIdOf, languageOf, languageOfEnum } from './caller.ts';

/** A call of which only the metadata matters. */
const call = (headers: Readonly<Record<string, string>>): Call => {
  const pairs = new Map(Object.entries(headers));
  return {
    path: '/apache.rocketmq.v2.MessagingService/Heartbeat',
    metadata: { get: (key) => pairs.get(key), entries: () => pairs.entries() },
    peer: '127.0.0.1:1',
    remainingMs: () => Number.POSITIVE_INFINITY,
    cancelled: false,
    draining: false,
    onCancel: () => () => undefined,
    onDrain: () => () => undefined,
  };
};

test('languages are known by the names that clients send', () => {
  for (const [header, language] of [
    ['JAVA', 'JAVA'],
    ['GO', 'GOLANG'],
    ['HTTP', 'NODE_JS'],
    ['PYTHON', 'PYTHON'],
    ['RUST', 'RUST'],
    ['CPP', 'CPP'],
    ['DOTNET', 'DOT_NET'],
    ['java', 'JAVA'],
    ['__proto__', 'OTHER'],
    ['', 'OTHER'],
  ] as const) {
    assert.equal(languageOf(call({ 'x-mq-language': header })), language, header);
  }
  assert.equal(languageOf(call({})), 'OTHER');
  assert.deepEqual([8, 0, 99, undefined].map(languageOfEnum), ['NODE_JS', 'OTHER', 'OTHER', 'OTHER']);
});

test('a caller needs nothing but a client id', () => {
  assert.deepEqual(callerOf(call({ 'x-mq-client-id': 'host@1@2#größe' })), {
    clientId: 'host@1@2#größe',
    language: 'OTHER',
    version: 'unknown',
  });
  for (const clientId of ['', '  ', undefined]) {
    assert.throws(
      () => clientIdOf(call(clientId === undefined ? {} : { 'x-mq-client-id': clientId })),
      (error) => error instanceof MqError && error.code === 'CLIENT_ID_REQUIRED',
    );
  }
});

test('a version is a label only when it looks like one', () => {
  for (const [header, version] of [
    ['5.0.7', '5.0.7'],
    ['5.1.0-SNAPSHOT+b1', '5.1.0-SNAPSHOT+b1'],
    ['5 {evil="1"}', 'unknown'],
    ['x'.repeat(33), 'unknown'],
  ] as const) {
    assert.equal(callerOf(call({ 'x-mq-client-id': 'c', 'x-mq-client-version': header })).version, version);
  }
});
