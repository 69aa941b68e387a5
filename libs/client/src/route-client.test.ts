import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Clock, MqError } from '@orbitmq/base';
import { RouteServiceDefinition } from '@orbitmq/protocol/orbitmq.route.v1';
import { type RpcServer, startRpcServer, unary } from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';
import { NameServers } from './name-servers.ts';
import { RouteClient } from './route-client.ts';

const silentLogger: Logger = { child: () => silentLogger, debug() {}, info() {}, warn() {}, error() {} };
const LIMITS = {
  receiveMessageBytesMax: 65_536,
  concurrentStreamsMax: 100,
  metadataBytesMax: 16_384,
  connectionsMax: 100,
  connectionsPerAddressMax: 100,
  handshakeTimeoutMs: 5000,
};

/** A name server that counts questions. */
class CountingNameServer {
  asked = 0;
  exists = true;
  #server: RpcServer | undefined;

  async start(): Promise<number> {
    const getRoute = unary(RouteServiceDefinition, 'getRoute', () => {
      this.asked++;
      return { exists: this.exists, messageQueues: [] };
    });
    this.#server = await startRpcServer({
      host: '127.0.0.1',
      port: 0,
      methods: [getRoute],
      tls: undefined,
      limits: LIMITS,
      logger: silentLogger,
      onUnexpectedError: (error) => {
        throw error;
      },
    });
    return this.#server.port;
  }

  async stop(): Promise<void> {
    await this.#server?.stop(0);
  }
}

describe('RouteClient', () => {
  const server = new CountingNameServer();
  let nameServers: NameServers;
  let nowMs = 0;
  const clock: Clock = { wallMs: () => nowMs, monotonicMs: () => nowMs, setTimer: () => ({ cancel() {} }) };

  before(async () => {
    nameServers = new NameServers({ addresses: ['127.0.0.1:1', `127.0.0.1:${await server.start()}`] });
  });

  after(async () => {
    nameServers.close();
    await server.stop();
  });

  it('asks once for all who ask at the same time, and again when the answer has aged', async () => {
    const client = new RouteClient({ nameServers, clock, freshMs: 1000 });
    server.asked = 0;
    await Promise.all([client.routeOf('orders'), client.routeOf('orders'), client.routeOf('orders')]);
    await client.routeOf('orders');
    assert.equal(server.asked, 1);
    nowMs += 1000;
    await client.routeOf('orders');
    assert.equal(server.asked, 2);
    client.forget('orders');
    await client.routeOf('orders');
    assert.equal(server.asked, 3);
  });

  it('keeps no answer that a topic does not exist', async () => {
    const client = new RouteClient({ nameServers, clock });
    server.exists = false;
    assert.equal((await client.routeOf('new')).exists, false);
    server.exists = true;
    assert.equal((await client.routeOf('new')).exists, true);
  });

  it('gives an older route while nobody answers, but not for ever', async () => {
    const client = new RouteClient({ nameServers, clock, staleMs: 60_000, timeoutMs: 500 });
    await client.routeOf('orders');
    await server.stop();
    nowMs += 30_000;
    assert.equal((await client.routeOf('orders')).exists, true);
    nowMs += 30_000;
    await assert.rejects(
      client.routeOf('orders'),
      (error: unknown) => error instanceof MqError && error.code === 'PROXY_TIMEOUT',
    );
  });
});
