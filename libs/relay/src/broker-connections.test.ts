import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '@orbitmq/base';
import { HealthDefinition } from '@orbitmq/protocol/grpc.health.v1';
import { HealthService, type RpcServer } from '@orbitmq/rpc';
import { type BrokerConnection, BrokerConnections } from './broker-connections.ts';
import { serve } from './test-broker.ts';

const STREAMS_MAX = 50;
/** Of which nine tenths are used. */
const PLACES = 45;

/** The machine's clock, whose long timers go off when a test says so. */
class HandClock implements Clock {
  readonly #callbacks = new Set<() => void>();

  wallMs(): number {
    return systemClock.wallMs();
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    if (delayMs !== 10_000) return systemClock.setTimer(delayMs, callback);
    this.#callbacks.add(callback);
    return { cancel: () => this.#callbacks.delete(callback) };
  }

  get timerCount(): number {
    return this.#callbacks.size;
  }

  goOff(): void {
    const callbacks = [...this.#callbacks];
    this.#callbacks.clear();
    for (const callback of callbacks) callback();
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) assert.fail(`waited in vain: ${what}`);
    await sleep(5);
  }
}

describe('BrokerConnections', () => {
  let server: RpcServer;

  before(async () => {
    server = await serve(new HealthService([]).methods(), 0, STREAMS_MAX);
  });

  after(() => server.stop(0));

  const open = (clock: Clock): BrokerConnections =>
    new BrokerConnections({ addresses: [`127.0.0.1:${server.port}`], answerBytesMax: 1000, engine: 'native', clock });
  const use = async (connection: BrokerConnection): Promise<void> => {
    await connection.client.unary(HealthDefinition, 'check', { service: '' });
  };
  const take = (connections: BrokerConnections, count: number): BrokerConnection[] =>
    Array.from({ length: count }, () => connections.acquire());

  it('are as many as the calls need, and are closed when they are not needed any more', async () => {
    const clock = new HandClock();
    const connections = open(clock);
    const first = connections.acquire();
    await use(first);
    const taken = [first, ...take(connections, PLACES - 1)];
    assert.ok(taken.every((connection) => connection === first));
    const second = connections.acquire();
    assert.notEqual(second, first);
    await use(second);
    assert.equal(server.connectionCount, 2);

    for (const connection of taken) connections.release(connection);
    assert.equal(clock.timerCount, 0, 'the first stays');
    connections.release(second);
    clock.goOff();
    assert.equal(server.connectionCount, 2, 'it has been used a short time ago');
    clock.goOff();
    await until('it is closed', () => server.connectionCount === 1);
    assert.equal(clock.timerCount, 0);

    assert.equal(connections.acquire(), first);
    await use(first);
    connections.close();
    await until('all are closed', () => server.connectionCount === 0);
  });

  it('stay while they carry calls', async () => {
    const clock = new HandClock();
    const connections = open(clock);
    await use(connections.acquire());
    take(connections, PLACES - 1);
    const second = connections.acquire();
    await use(second);
    connections.release(second);
    assert.equal(connections.acquire(), second);
    clock.goOff();
    clock.goOff();
    assert.equal(server.connectionCount, 2);
    connections.close();
    await until('all are closed', () => server.connectionCount === 0);
  });

  it('are made for calls that come when they were closed, and end with these', async () => {
    const connections = open(new HandClock());
    connections.close();
    const late = connections.acquire();
    await use(late);
    assert.equal(server.connectionCount, 1);
    connections.release(late);
    await until('it is closed', () => server.connectionCount === 0);
  });
});
