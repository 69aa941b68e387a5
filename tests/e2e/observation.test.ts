import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { HealthCheckResponse_ServingStatus, HealthDefinition } from '@orbitmq/protocol/grpc.health.v1';
import { ServerReflectionDefinition } from '@orbitmq/protocol/grpc.reflection.v1';
import { ServerReflectionDefinition as OldReflectionDefinition } from '@orbitmq/protocol/grpc.reflection.v1alpha';
import { createRpcClient, type RpcClient } from '@orbitmq/rpc';
import { type Cluster, type Member, startCluster } from '../cluster.ts';
import { MessagingClient } from './messaging-client.ts';

const MESSAGING_SERVICE = 'apache.rocketmq.v2.MessagingService';

describe('what can be observed of a running cluster', () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster.stop());

  const members = (): Member[] => [...cluster.nameServers, ...cluster.brokers];

  it('answers /healthz and /readyz', async () => {
    for (const member of members()) {
      for (const path of ['healthz', 'readyz']) {
        const response = await fetch(`http://127.0.0.1:${member.httpPort}/${path}`);
        assert.equal(response.status, 200, `${path} of ${member.name}: ${await response.text()}`);
      }
    }
  });

  it('tells those who look by HTTP/1.1 at the port of clients whether it serves, and nothing of the inside', async () => {
    for (const member of members()) {
      const url = `http://127.0.0.1:${member.clientPort}`;
      assert.equal((await fetch(`${url}/healthz`)).status, 200, member.name);
      assert.deepEqual(await (await fetch(`${url}/readyz`)).json(), { ready: true }, member.name);
      assert.equal((await fetch(`${url}/metrics`)).status, 404, member.name);
    }
  });

  it('counts messages under the names of RocketMQ 5', async () => {
    const broker = cluster.brokers[0]!;
    using client = new MessagingClient(broker.endpoint);
    for (let index = 0; index < 5; index++) await client.send({ topic: 'observed' });
    const messages = await client.receiveMessages({ topic: 'observed', group: 'observers', brokerName: broker.name });
    assert(messages.length > 0);
    assert.equal(await broker.metric('rocketmq_messages_in_total', 'topic="observed"'), 5);
    assert((await broker.metric('rocketmq_messages_out_total', 'topic="observed"')) >= messages.length);
  });

  it('has only metrics that a scraper can read', async () => {
    for (const member of members()) {
      const text = await (await fetch(`http://127.0.0.1:${member.httpPort}/metrics`)).text();
      const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      assert(lines.length > 5, `${member.name} shows ${lines.length} series`);
      for (const line of lines) assert.match(line, /^[a-z_:][a-z0-9_:]*(\{.*\})? (NaN|[+-]?Inf|-?[0-9.e+-]+)$/i);
    }
  });

  it('answers the health service of gRPC', async () => {
    for (const member of members()) {
      using client = connect(member);
      for (const service of ['', MESSAGING_SERVICE]) {
        const { status } = await client.rpc.unary(HealthDefinition, 'check', { service }, { timeoutMs: 5_000 });
        assert.equal(status, HealthCheckResponse_ServingStatus.SERVING, `${member.name}: ${service}`);
      }
    }
  });

  it('lists its services by reflection, in both versions of it', async () => {
    for (const member of members()) {
      using client = connect(member);
      for (const definition of [ServerReflectionDefinition, OldReflectionDefinition]) {
        const call = client.rpc.bidi(definition as typeof ServerReflectionDefinition, 'serverReflectionInfo', {
          timeoutMs: 5_000,
        });
        call.write({ host: '', listServices: '' });
        call.end();
        const names: string[] = [];
        for await (const response of call.responses) {
          names.push(...(response.listServicesResponse?.service.map((service) => service.name) ?? []));
        }
        assert(names.includes(MESSAGING_SERVICE), `${member.name} lists ${names.join(', ')}`);
      }
    }
  });
});

function connect(member: Member): { rpc: RpcClient } & Disposable {
  const rpc = createRpcClient({ addresses: [member.endpoint], tls: undefined });
  return { rpc, [Symbol.dispose]: () => rpc.close() };
}
