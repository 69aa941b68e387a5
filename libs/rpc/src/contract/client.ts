import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '@orbitmq/base';
import { HealthDefinition } from '@orbitmq/protocol/grpc.health.v1';
import type { ClientTls } from '../client.ts';
import { HealthService } from '../health.ts';
import { selfSignedIdentity } from '../self-signed.ts';
import { RpcError } from '../service.ts';
import { gate, LIMITS, type RpcEngine, silentLogger, textMethods, textsOf, until, withServer } from './harness.ts';

const named = (name: string) => ({ unary: { name: () => name, wait: () => new Promise<string>(() => {}) } });
const isStatus = (status: string) => (error: unknown) => error instanceof RpcError && error.status === status;

export function describeClient(engine: RpcEngine): void {
  describe('client', () => {
    const nameOf = async (client: ReturnType<RpcEngine['createClient']>): Promise<string> =>
      Buffer.from(await client.raw.unary('/contract.Texts/name', Buffer.alloc(0), { timeoutMs: 5_000 })).toString();

    it('stays with an address as long as it can, goes to another, and comes back', async () => {
      await withServer(engine, named('one'), async (one) => {
        await withServer(engine, named('two'), async (two) => {
          const client = engine.createClient({ addresses: [one.address, two.address], tls: undefined });
          assert.deepEqual([await nameOf(client), await nameOf(client)], ['one', 'one']);
          await one.server.stop(0);
          assert.equal(await nameOf(client), 'two');
          const again = await engine.startServer({
            host: '127.0.0.1',
            port: one.server.port,
            methods: textMethods(named('one again')),
            tls: undefined,
            limits: LIMITS,
            logger: silentLogger,
            onUnexpectedError: assert.ifError,
          });
          await two.server.stop(0);
          let name = '';
          await until('the first address is used again', () => {
            void nameOf(client).then(
              (found) => {
                name = found;
              },
              () => {},
            );
            return name === 'one again';
          });
          client.close();
          await again.stop(0);
        });
      });
    });

    it('fails soon when no address can be reached', async () => {
      const client = engine.createClient({ addresses: ['127.0.0.1:1', 'localhost:1'], tls: undefined });
      await assert.rejects(nameOf(client), isStatus('UNAVAILABLE'));
      const call = client.raw.bidi('/contract.Texts/name');
      await call.write(Buffer.alloc(0));
      await assert.rejects(textsOf(call.responses), isStatus('UNAVAILABLE'));
      await assert.rejects(
        textsOf(client.raw.serverStream('/contract.Texts/name', Buffer.alloc(0))),
        isStatus('UNAVAILABLE'),
      );
      client.close();
    });

    it('cancels its calls when it is closed', async () => {
      await withServer(engine, named('one'), async ({ address, server, ended }) => {
        const client = engine.createClient({ addresses: [address], tls: undefined });
        await nameOf(client);
        const waiting = assert.rejects(
          client.raw.unary('/contract.Texts/wait', Buffer.alloc(0)),
          isStatus('CANCELLED'),
        );
        client.close();
        await waiting;
        client.close();
        await until('its connection is gone', () => server.connectionCount === 0);
        assert.ok(ended.length >= 1);
      });
    });

    it('trusts whom it is told to trust', async () => {
      const nowMs = systemClock.wallMs();
      const identity = selfSignedIdentity({ names: ['localhost', 'broker.example'], nowMs, validDays: 1 });
      const expired = selfSignedIdentity({ names: ['localhost'], nowMs: nowMs - 9 * 86_400_000, validDays: 1 });
      const other = selfSignedIdentity({ names: ['localhost'], nowMs, validDays: 1 });
      const outcome = async (address: string, tls: ClientTls): Promise<string> => {
        const client = engine.createClient({ addresses: [address], tls });
        return nameOf(client)
          .catch((error: RpcError) => error.status)
          .finally(() => client.close());
      };
      await withServer(
        engine,
        named('one'),
        async ({ server }) => {
          const [byName, byAddress] = [`localhost:${server.port}`, `127.0.0.1:${server.port}`];
          assert.equal(await outcome(byName, { ca: identity.certificate }), 'one');
          assert.equal(await outcome(byAddress, { ca: identity.certificate }), 'UNAVAILABLE');
          assert.equal(await outcome(byAddress, { ca: identity.certificate, serverName: 'broker.example' }), 'one');
          assert.equal(await outcome(byName, { ca: other.certificate }), 'UNAVAILABLE');
          assert.equal(await outcome(byName, {}), 'UNAVAILABLE');
          assert.equal(await outcome(byAddress, { insecure: true }), 'one');
          server.setTlsIdentity(expired);
          assert.equal(await outcome(byName, { ca: expired.certificate }), 'UNAVAILABLE');
        },
        { tls: identity },
      );
    });

    it('calls methods of a service definition', async () => {
      const health = new HealthService(['orbitmq.Test']);
      await withServer(
        engine,
        {},
        async ({ client }) => {
          const check = (service: string) => client.unary(HealthDefinition, 'check', { service });
          assert.equal((await check('')).status, 2);
          health.set(true);
          assert.equal((await check('orbitmq.Test')).status, 1);
          await assert.rejects(check('other'), isStatus('NOT_FOUND'));
          const { statuses } = await client.unary(HealthDefinition, 'list', {});
          assert.deepEqual(Array.from(statuses.keys()), ['', 'orbitmq.Test']);
          const seen: number[] = [];
          for await (const { status } of client.serverStream(HealthDefinition, 'watch', { service: '' })) {
            seen.push(status);
            if (seen.length === 2) break;
            health.set(false);
          }
          assert.deepEqual(seen, [1, 2]);
        },
        { methods: health.methods() },
      );
    });

    it('gives up looking for a connection at the deadline of the call', async () => {
      // Accepts and never answers: neither connected nor refused.
      const accepted = gate();
      const sockets: Socket[] = [];
      const mute = createServer((socket) => {
        sockets.push(socket);
        socket.on('error', () => {});
        accepted.open();
      });
      await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
      const address = `127.0.0.1:${(mute.address() as { port: number }).port}`;
      const client = engine.createClient({ addresses: [address], tls: { insecure: true } });
      await assert.rejects(
        client.raw.unary('/contract.Texts/name', Buffer.alloc(0), { timeoutMs: 100 }),
        isStatus('DEADLINE_EXCEEDED'),
      );
      await accepted.opened;
      client.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => mute.close(resolve));
    });
  });
}
