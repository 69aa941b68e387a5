import assert from 'node:assert/strict';
import { get } from 'node:http';
import { test } from 'node:test';
import { MIB } from '@orbitmq/base';
import { ConfigError, createHealth, createMetrics, loadConfig, wholeNumber } from '@orbitmq/runtime';
import { silentLogger } from './contract/harness.ts';
import { RPC_ENGINES, startRpcServer } from './engine.ts';
import { limitMetrics } from './limit-metrics.ts';
import { configuredLimits, configuredPages, limitProblems, type RpcPortConfig, rpcPortKeys } from './port-keys.ts';
import { limitsWithDefaults } from './server-limits.ts';

const keys = {
  ...rpcPortKeys,
  maxMessageSize: wholeNumber({ default: 4 * MIB, min: 1, max: 64 * MIB, description: 'Largest message.' }),
} as const;

function load(flags: Readonly<Record<string, string>>): RpcPortConfig {
  const spec = { program: 'mqtest', keys, withoutEffect: new Map(), check: limitProblems };
  return loadConfig(spec, { file: undefined, environment: new Map(), flags: new Map(Object.entries(flags)) }).config;
}

function problemsOf(flags: Readonly<Record<string, string>>): string {
  try {
    load(flags);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
  return '';
}

test('where nothing is said, a port has the limits of a server about which nothing is said', () => {
  const limits = configuredLimits(load({}));
  const { receiveMessageBytesMax, concurrentStreamsMax, metadataBytesMax, handshakeTimeoutMs } = limits;
  const { connectionsMax, connectionsPerAddressMax } = limits;
  assert.deepEqual(
    limits,
    limitsWithDefaults({
      receiveMessageBytesMax,
      concurrentStreamsMax,
      metadataBytesMax,
      handshakeTimeoutMs,
      connectionsMax,
      connectionsPerAddressMax,
    }),
  );
  assert.equal(receiveMessageBytesMax, 17 * MIB);
});

test('every key but that of the pages changes one limit', () => {
  const before = configuredLimits(load({}));
  const changed = new Set<string>();
  for (const [name, { shape }] of Object.entries(rpcPortKeys)) {
    if (shape.type !== 'integer') continue;
    const config = { ...load({}), [name]: shape.max };
    const after = configuredLimits(config);
    const differing = Object.keys(after).filter(
      (key) => after[key as keyof typeof after] !== before[key as keyof typeof before],
    );
    if (name !== 'grpcMaxInboundMessageSize') assert.equal(differing.length, 1, name);
    for (const key of differing) changed.add(key);
  }
  assert.deepEqual([...changed].sort(), Object.keys(before).sort());
});

test('limits that do not fit together are refused, with the value that is missing', () => {
  assert.match(
    problemsOf({ grpcMaxInboundMessageSize: '4194304' }),
    /must be 0 or hold the largest message: at least 4259840/,
  );
  assert.match(
    problemsOf({ grpcMaxUnfinishedRequestSize: '1000' }),
    /must be 0 or hold the largest request: at least 17825792/,
  );
  assert.match(
    problemsOf({ grpcConnectionWindowSize: '131072' }),
    /\(131072\) must not be below grpcStreamWindowSize \(524288\)/,
  );
  assert.match(problemsOf({ grpcMaxQueuedSize: '1048576' }), /must not be below grpcMaxQueuedSizePerConnection/);
  assert.match(problemsOf({ grpcClientIdleTimeMills: '1000' }), /must be whole number, 120000…2147483647/);
  assert.match(problemsOf({ grpcHttp1Pages: 'all' }), /must be off or health or metrics; found "all"/);
  assert.equal(problemsOf({ maxMessageSize: '67108864' }), '');
});

function statusOf(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = get({ port, path, host: '127.0.0.1', agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
  });
}

for (const engine of RPC_ENGINES) {
  test(`${engine}: the port shows the pages that it is to show`, async () => {
    const wanted = {
      off: [426, 426, 426],
      health: [200, 200, 404],
      metrics: [200, 200, 200],
    } as const;
    for (const [pages, statuses] of Object.entries(wanted)) {
      const config = load({ grpcHttp1Pages: pages });
      const metrics = createMetrics({ commonLabels: {}, seriesMax: 100, processMetrics: false });
      const server = await startRpcServer({
        engine,
        host: '127.0.0.1',
        port: 0,
        methods: [],
        tls: undefined,
        limits: configuredLimits(config),
        http1: configuredPages(config, { health: createHealth(), metrics, logger: silentLogger }),
        logger: silentLogger,
        onUnexpectedError: (error) => assert.fail(String(error)),
      });
      try {
        for (const [index, path] of ['/healthz', '/readyz', '/metrics'].entries()) {
          assert.equal(await statusOf(server.port, path), statuses[index], `${pages} ${path}`);
        }
      } finally {
        await server.stop(0);
      }
    }
  });
}

test('what is beyond a limit is counted by port and limit', async () => {
  const metrics = createMetrics({ commonLabels: {}, seriesMax: 100, processMetrics: false });
  const onLimit = limitMetrics(metrics);
  onLimit('client')('streams');
  onLimit('client')('streams');
  onLimit('admin')('headers');
  const text = await metrics.render();
  assert.match(text, /orbitmq_rpc_limits_exceeded_total\{port="client",limit="streams"\} 2/);
  assert.match(text, /orbitmq_rpc_limits_exceeded_total\{port="admin",limit="headers"\} 1/);
});
