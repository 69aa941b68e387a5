import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { KIB, systemClock } from '@orbitmq/base';
import fc from 'fast-check';
import { PREFACE } from '../native/protocol.ts';
import { selfSignedIdentity } from '../self-signed.ts';
import type { RpcLimit } from '../server.ts';
import {
  answerOf,
  closed,
  type Fixture,
  framed,
  gate,
  LIMITS,
  MovedClock,
  openStream,
  type RpcEngine,
  until,
  withServer,
  withSession,
  withSocket,
} from './harness.ts';

const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const PING_BODY = Buffer.from('are you?');
const PING = Buffer.concat([Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0]), PING_BODY]);
const echo = (request: string): string => request;
const HANDLERS = { unary: { echo } };
const identity = selfSignedIdentity({ names: ['localhost', '127.0.0.1'], nowMs: systemClock.wallMs(), validDays: 1 });

async function callOverTls(engine: RpcEngine, port: number, ca: string): Promise<string> {
  const client = engine.createClient({ addresses: [`localhost:${port}`], tls: { ca } });
  try {
    return Buffer.from(await client.raw.unary('/contract.Texts/echo', Buffer.from('over TLS'))).toString();
  } finally {
    client.close();
  }
}

/** A port that passes on what it gets one byte at a time. */
async function withBytewisePort(port: number, use: (bytewisePort: number) => Promise<void>): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connectTcp({ port, host: '127.0.0.1', noDelay: true });
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    target.pipe(client);
    client.on('data', async (bytes) => {
      client.pause();
      for (const byte of bytes) {
        target.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      client.resume();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use((server.address() as { port: number }).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

function describeTls(engine: RpcEngine): void {
  describe('one port for plain text and TLS', () => {
    it('serves both', async () => {
      await withServer(
        engine,
        HANDLERS,
        async ({ server, text }) => {
          assert.equal(await text('echo', 'plain'), 'plain');
          assert.equal(await callOverTls(engine, server.port, identity.certificate), 'over TLS');
        },
        { tls: identity },
      );
    });

    it('does not mind in which pieces the beginning comes', async () => {
      await withServer(
        engine,
        HANDLERS,
        ({ server }) =>
          withBytewisePort(server.port, async (port) => {
            const plain = engine.createClient({ addresses: [`127.0.0.1:${port}`], tls: undefined });
            const answer = await plain.raw.unary('/contract.Texts/echo', Buffer.from('plain'));
            plain.close();
            assert.equal(Buffer.from(answer).toString(), 'plain');
            assert.equal(await callOverTls(engine, port, identity.certificate), 'over TLS');
          }),
        { tls: identity },
      );
    });

    it('loses nothing of what comes together with the preface', async () => {
      await withServer(engine, HANDLERS, async ({ server, address }) => {
        // The client's first packets, the request of 60 KiB included, arrive as one.
        const held: Buffer[] = [];
        const target = connectTcp(server.port, '127.0.0.1');
        const relay = createServer((client) => {
          client.on('data', (bytes) => {
            held.push(bytes);
            const size = held.reduce((sum, part) => sum + part.length, 0);
            if (size > 60 * KIB || held[0] === undefined) target.write(Buffer.concat(held.splice(0)));
          });
          target.pipe(client);
          client.on('error', () => {});
        });
        await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
        const session = connectHttp2(`http://127.0.0.1:${(relay.address() as { port: number }).port}`);
        session.on('error', () => {});
        const stream = openStream(session, 'echo', { ':authority': address });
        stream.end(framed(Buffer.alloc(60 * KIB, 'b')));
        const answer = await answerOf(stream);
        assert.equal(answer.body.length, 60 * KIB + 5);
        session.destroy();
        target.destroy();
        relay.close();
      });
    });

    it('refuses old TLS versions, other protocols, and renegotiation', async () => {
      await withServer(
        engine,
        HANDLERS,
        async ({ server, text }) => {
          const options = { port: server.port, host: '127.0.0.1', rejectUnauthorized: false };
          const outcome = (more: object) =>
            new Promise<string>((resolve) => {
              const socket = connectTls({ ...options, ...more }, () => {
                resolve(`${socket.getProtocol()} ${socket.alpnProtocol}`);
                socket.destroy();
              });
              socket.on('error', () => resolve('refused'));
            });
          assert.equal(await outcome({ ALPNProtocols: ['h2'] }), 'TLSv1.3 h2');
          assert.equal(await outcome({ ALPNProtocols: ['h2'], maxVersion: 'TLSv1.2' }), 'TLSv1.2 h2');
          const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' };
          assert.equal(await outcome({ ...old, ALPNProtocols: ['h2'] }), 'refused');
          assert.equal(await outcome({ ALPNProtocols: ['http/1.1'] }), 'refused');
          const again = connectTls({ ...options, ALPNProtocols: ['h2'], maxVersion: 'TLSv1.2' });
          await new Promise((resolve) => again.once('secureConnect', resolve));
          const failure = new Promise<Error | null>((resolve) => again.once('error', resolve));
          again.renegotiate({}, () => {});
          assert.match(String(await failure), /no.renegotiation/i);
          again.destroy();
          assert.equal(await text('echo', 'alive'), 'alive');
        },
        { tls: identity },
      );
    });

    it('closes a connection on which something comes that is no TLS', async () => {
      await withServer(
        engine,
        HANDLERS,
        async ({ server }) => {
          const garbage = Buffer.concat([Buffer.of(23, 3, 3, 0, 64), Buffer.alloc(64, 7)]);
          const sockets: Socket[] = [];
          const relay = createServer((below) => {
            const target = connectTcp(server.port, '127.0.0.1');
            below.pipe(target).pipe(below);
            sockets.push(target, below);
            for (const socket of [target, below]) socket.on('error', () => {});
          });
          await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
          const { port } = relay.address() as { port: number };
          const client = engine.createClient({ addresses: [`localhost:${port}`], tls: { ca: identity.certificate } });
          await client.raw.unary('/contract.Texts/echo', Buffer.alloc(0));
          assert.equal(server.connectionCount, 1);
          sockets[0]!.write(garbage);
          await until('the connection is closed', () => server.connectionCount === 0);
          client.close();
          relay.close();
          for (const socket of sockets) socket.destroy();
        },
        { tls: identity },
      );
    });

    it('takes another certificate without cutting anybody', async () => {
      const next = selfSignedIdentity({ names: ['localhost'], nowMs: systemClock.wallMs(), validDays: 1 });
      await withServer(
        engine,
        HANDLERS,
        async ({ server }) => {
          const early = engine.createClient({
            addresses: [`localhost:${server.port}`],
            tls: { ca: identity.certificate },
          });
          await early.raw.unary('/contract.Texts/echo', Buffer.alloc(0));
          server.setTlsIdentity(next);
          assert.equal(await callOverTls(engine, server.port, next.certificate), 'over TLS');
          assert.equal(server.connectionCount >= 1, true);
          await early.raw.unary('/contract.Texts/echo', Buffer.alloc(0));
          early.close();
          await assert.rejects(callOverTls(engine, server.port, identity.certificate));
          assert.throws(() => server.setTlsIdentity({ certificate: next.certificate, key: identity.key }));
          assert.equal(await callOverTls(engine, server.port, next.certificate), 'over TLS');
        },
        { tls: identity },
      );
    });

    it('cuts TLS clients when it has no certificate', async () => {
      await withServer(engine, HANDLERS, async ({ server }) => {
        await assert.rejects(callOverTls(engine, server.port, identity.certificate));
        await until('no connection is left', () => server.connectionCount === 0);
      });
    });
  });
}

function describeLimits(engine: RpcEngine): void {
  describe('connections', () => {
    it('are limited in total and for each address', async () => {
      for (const limit of ['connectionsMax', 'connectionsPerAddressMax'] as const) {
        const exceeded: RpcLimit[] = [];
        await withServer(
          engine,
          HANDLERS,
          async ({ server, text }) => {
            assert.equal(await text('echo', 'first'), 'first');
            await withSocket(server.port, async () => {
              await until('both are counted', () => server.connectionCount === 2);
              await withSocket(server.port, closed);
              assert.equal(server.connectionCount, 2);
              assert.equal(await text('echo', 'still here'), 'still here');
              assert.deepEqual(exceeded, ['connections']);
            });
            await until('the place is free', () => server.connectionCount === 1);
            await withSocket(server.port, () => until('the next is counted', () => server.connectionCount === 2));
          },
          { limits: { ...LIMITS, [limit]: 2 }, onLimit: (one) => exceeded.push(one) },
        );
      }
    });

    it('have a limited time to begin', async () => {
      const beginnings = [
        Buffer.alloc(0),
        PREFACE.subarray(0, 1),
        PREFACE.subarray(0, 23),
        Buffer.from([0x16]),
        Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
      ];
      const exceeded: RpcLimit[] = [];
      const clock = new MovedClock();
      await withServer(
        engine,
        HANDLERS,
        async ({ server }) => {
          for (const bytes of beginnings) {
            await withSocket(server.port, async (socket) => {
              socket.write(bytes);
              socket.resume();
              await until('it is closed', () => {
                clock.move(1_000);
                return socket.closed;
              });
            });
          }
          await until('no connection is left', () => server.connectionCount === 0);
          await withSocket(server.port, async (socket) => {
            let received = Buffer.alloc(0);
            socket.on('data', (bytes) => {
              received = Buffer.concat([received, bytes]);
            });
            socket.write(Buffer.concat([PREFACE, EMPTY_SETTINGS]));
            await until('the server has begun, too', () => received.length > 0);
            clock.move(60_000); // longer than the limit
            socket.write(PING);
            await until('a connection that has begun stays', () => received.includes(PING_BODY));
          });
          assert.deepEqual(exceeded, Array(beginnings.length).fill('handshake'));
        },
        {
          clock,
          tls: identity,
          limits: { ...LIMITS, handshakeTimeoutMs: 10_000 },
          onLimit: (one) => exceeded.push(one),
        },
      );
    });

    it('are closed when they speak something else, with an answer to HTTP/1, or end before they have begun', async () => {
      await withServer(engine, HANDLERS, async ({ server, text }) => {
        for (const bytes of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\0\0\0', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n']) {
          await withSocket(server.port, async (socket) => {
            socket.write(bytes);
            await closed(socket);
          });
        }
        await withSocket(server.port, async (socket) => {
          let answer = '';
          socket.on('data', (bytes) => {
            answer += bytes;
          });
          socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
          await closed(socket);
          assert.match(answer, /^HTTP\/1\.1 426 .*needs HTTP\/2/s);
        });
        await withSocket(server.port, async (socket) => {
          socket.end(PREFACE.subarray(0, 10));
          await closed(socket);
        });
        await until('no connection is left', () => server.connectionCount === 0);
        assert.equal(await text('echo', 'alive'), 'alive');
      });
    });

    it('may send any bytes without harm to others', async () => {
      await withServer(engine, HANDLERS, async ({ server, text, unexpectedErrors }) => {
        const frame = fc
          .record({
            type: fc.integer({ min: 0, max: 12 }),
            flags: fc.nat(255),
            stream: fc.nat(5),
            payload: fc.uint8Array(),
          })
          .map(({ type, flags, stream, payload }) =>
            Buffer.from([0, payload.length >> 8, payload.length & 0xff, type, flags, 0, 0, 0, stream, ...payload]),
          );
        await fc.assert(
          fc.asyncProperty(fc.array(fc.oneof(frame, fc.uint8Array().map(Buffer.from))), async (parts) => {
            await withSocket(server.port, async (socket) => {
              socket.write(Buffer.concat([PREFACE, EMPTY_SETTINGS, ...parts]));
              socket.resume();
              assert.equal(await text('echo', 'neighbour'), 'neighbour');
            });
          }),
          { numRuns: 300 },
        );
        assert.deepEqual(unexpectedErrors, []);
      });
    });

    it('are closed after long silence, but not while they ping', async () => {
      const clock = new MovedClock();
      const exceeded: RpcLimit[] = [];
      await withServer(
        engine,
        HANDLERS,
        (fixture) =>
          withSession(fixture, async (session) => {
            await withSocket(fixture.server.port, async (silent) => {
              silent.write(Buffer.concat([PREFACE, EMPTY_SETTINGS]));
              await new Promise((resolve) => silent.once('data', resolve));
              for (let step = 0; step < 6; step++) {
                await new Promise<void>((resolve, reject) => {
                  session.ping((error) => (error ? reject(error) : resolve()));
                });
                clock.move(30_000);
              }
              await closed(silent);
            });
            await until('one is left', () => fixture.server.connectionCount === 1);
            assert.equal(session.destroyed, false);
            assert.deepEqual(exceeded, ['idle']);
          }),
        { clock, limits: { ...LIMITS, idleTimeoutMs: 120_000 }, onLimit: (one) => exceeded.push(one) },
      );
    });

    it('go when they are old, and finish their calls', async () => {
      const answer = gate();
      const late = async (): Promise<string> => {
        await answer.opened;
        return 'late';
      };
      await withServer(
        engine,
        { unary: { late } },
        (fixture) =>
          withSession(fixture, async (session) => {
            const goneAway = new Promise((resolve) => session.once('goaway', resolve));
            const stream = openStream(session, 'late');
            stream.end(framed(Buffer.alloc(0)));
            await goneAway;
            answer.open();
            assert.equal((await answerOf(stream)).grpcStatus, 0);
            await until('the connection is closed', () => fixture.server.connectionCount === 0);
          }),
        { limits: { ...LIMITS, connectionAgeMsMax: 1_000 } },
      );
    });

    it('may ping at any rate a client has', async () => {
      await withServer(engine, HANDLERS, (fixture) =>
        withSession(fixture, async (session) => {
          let goneAway = false;
          session.on('goaway', () => {
            goneAway = true;
          });
          for (let n = 0; n < 200; n++) {
            await new Promise<void>((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
          }
          assert.equal(goneAway, false);
        }),
      );
    });

    it('are told the limits of streams and headers', async () => {
      await withServer(engine, HANDLERS, (fixture) =>
        withSession(fixture, async (session) => {
          const settings = await new Promise<Record<string, unknown>>((resolve) => {
            session.once('remoteSettings', (received) => resolve(received as Record<string, unknown>));
          });
          assert.equal(settings.maxConcurrentStreams, LIMITS.concurrentStreamsMax);
          assert.equal(settings.maxHeaderListSize, LIMITS.metadataBytesMax);
        }),
      );
    });
  });
}

function describeCuts(engine: RpcEngine): void {
  const CUT_COUNT = 1_000;

  /** A connection that is cut somewhere on the way through a call. */
  async function cutOne({ server }: Fixture, stage: number): Promise<void> {
    const socket = connectTcp(server.port, '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    const secure = stage % 8 === 7 ? new TLSSocket(socket) : undefined;
    secure?.on('error', () => {});
    if (stage % 8 === 1) socket.write(PREFACE.subarray(0, 5));
    if (stage % 8 === 2) socket.write(PREFACE);
    if (stage % 8 === 3) socket.write(Buffer.concat([PREFACE, EMPTY_SETTINGS]));
    if (stage % 8 > 3 && !secure) {
      const session = connectHttp2(`http://127.0.0.1:${server.port}`, { createConnection: () => socket });
      session.on('error', () => {});
      const stream = openStream(session, stage % 8 === 6 ? 'wait' : 'echo');
      stream.write(stage % 8 === 4 ? Buffer.from([0, 0, 0]) : framed(Buffer.from('a')));
      if (stage % 8 === 6) stream.end();
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (stage % 2 === 0) socket.resetAndDestroy();
    else socket.destroy();
  }

  describe('clients that vanish', () => {
    it(`leave nothing behind, ${CUT_COUNT} times`, async () => {
      const wait = (_request: string, call: { onCancel(listener: () => void): () => void }): Promise<string> =>
        new Promise((resolve) => call.onCancel(() => resolve('')));
      let open = 0;
      const counted =
        (run: typeof wait): typeof wait =>
        async (request, call) => {
          open++;
          try {
            return await run(request, call);
          } finally {
            open--;
          }
        };
      await withServer(
        engine,
        { unary: { echo, wait: counted(wait) } },
        async (fixture) => {
          const handleCount = (): number => process.getActiveResourcesInfo().length;
          assert.equal(await fixture.text('echo', 'before'), 'before');
          const before = handleCount();
          for (let n = 0; n < CUT_COUNT; n += 20) {
            await Promise.all(Array.from({ length: 20 }, (_, index) => cutOne(fixture, n + index)));
          }
          await until('only the neighbour is connected', () => fixture.server.connectionCount === 1);
          await until('no handler is left', () => open === 0);
          await until('no handle is left', () => handleCount() <= before);
          assert.equal(await fixture.text('echo', 'after'), 'after');
          assert.deepEqual(fixture.unexpectedErrors, []);
        },
        { tls: identity },
      );
    });
  });
}

/** What holds for connections, whatever is called over them. */
export function describeTransport(engine: RpcEngine): void {
  describeTls(engine);
  describeLimits(engine);
  describeCuts(engine);
}
