import assert from 'node:assert/strict';
import { get, type IncomingMessage, type RequestOptions, type ServerResponse } from 'node:http';
import { get as getSecurely } from 'node:https';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '@orbitmq/base';
import { selfSignedIdentity } from '../self-signed.ts';
import type { RpcLimit } from '../server.ts';
import {
  closed,
  type Fixture,
  gate,
  LIMITS,
  MovedClock,
  type RpcEngine,
  until,
  withServer,
  withSocket,
} from './harness.ts';

const HANDLERS = { unary: { echo: (request: string): string => request } };
const identity = selfSignedIdentity({ names: ['localhost'], nowMs: systemClock.wallMs(), validDays: 1 });
const REQUEST = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';

const http1 = (request: IncomingMessage, response: ServerResponse): void => {
  request.resume();
  response.end(`${request.method} ${request.url}`);
};

function answerOf(
  send: typeof get,
  options: RequestOptions & { readonly rejectUnauthorized?: boolean },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = send({ host: '127.0.0.1', agent: false, ...options }, (response) => {
      let text = `${response.statusCode} `;
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
  });
}

/** What a socket gets until it is closed. */
async function restOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes;
  });
  await closed(socket);
  return text;
}

/** What HTTP/1.1 gets on a port of calls that has a handler for it. */
export function describeHttp1(engine: RpcEngine): void {
  describe('HTTP/1.1 on the port of calls', () => {
    it('goes to the handler, in plain text and over TLS, with ALPN and without', async () => {
      await withServer(
        engine,
        HANDLERS,
        async ({ server: { port }, text }) => {
          assert.equal(await answerOf(get, { port, path: '/healthz' }), '200 GET /healthz');
          const secure = { port, path: '/b', rejectUnauthorized: false };
          assert.equal(await answerOf(getSecurely, secure), '200 GET /b');
          assert.equal(await answerOf(getSecurely, { ...secure, ALPNProtocols: ['http/1.1'] } as object), '200 GET /b');
          assert.equal(await text('echo', 'beside it'), 'beside it');
        },
        { http1, tls: identity },
      );
    });

    it('may come in any pieces, and one request early behind the other', async () => {
      await withServer(
        engine,
        HANDLERS,
        async ({ server }) => {
          const last = REQUEST.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
          for (const request of [last, last.replace('GET', 'POST'), last.replace('/healthz', '*')]) {
            for (let at = 1; at < request.length; at++) {
              await withSocket(server.port, async (socket) => {
                socket.setNoDelay(true);
                socket.write(request.slice(0, at));
                await new Promise((resolve) => setImmediate(resolve));
                socket.write(request.slice(at));
                assert.match(await restOf(socket), /^HTTP\/1\.1 200 OK/, `cut at ${at}`);
              });
            }
          }
          await withSocket(server.port, async (socket) => {
            socket.write(`${REQUEST}${REQUEST.replace('/healthz', '/2')}GET /3 HTTP/1.0\r\n\r\n`);
            const answers = await restOf(socket);
            assert.deepEqual(answers.match(/GET \/[a-z\d]+/g), ['GET /healthz', 'GET /2', 'GET /3']);
          });
        },
        { http1 },
      );
    });

    it('stays what it is when a client offers to go on with HTTP/2', async () => {
      await withServer(
        engine,
        HANDLERS,
        ({ server }) =>
          withSocket(server.port, async (socket) => {
            const offer = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk';
            socket.write(`GET /healthz HTTP/1.1\r\nHost: a\r\n${offer}\r\n\r\n`);
            assert.match(await restOf(socket), /^HTTP\/1\.1 200 .*GET \/healthz/s);
          }),
        { http1 },
      );
    });

    /** Beginnings that are never answered well, and the limit that ends them. */
    const abuses: Readonly<Record<string, readonly [first: string, RpcLimit | undefined, RegExp]>> = {
      'a head that does not end': ['GET / HTTP/1.1\r\nHost: a\r\n', 'http1', /^$/],
      'a head that is too large': [`GET / HTTP/1.1\r\nX: ${'a'.repeat(20_000)}`, 'headers', /^HTTP\/1\.1 431 /],
      'a request that is none': ['GET / HTTQ/1.1\r\n\r\n', undefined, /^HTTP\/1\.1 400 /],
      'a tunnel': ['CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n', undefined, /^(HTTP\/1\.1 400 .*)?$/s],
      'silence behind an answer': [REQUEST, 'http1', /^HTTP\/1\.1 200 /],
    };
    for (const [what, [first, limit, answer]] of Object.entries(abuses)) {
      it(`ends ${what}`, async () => {
        const exceeded: RpcLimit[] = [];
        const clock = new MovedClock();
        await withServer(
          engine,
          HANDLERS,
          ({ server, text }) =>
            withSocket(server.port, async (socket) => {
              socket.write(first);
              const rest = restOf(socket);
              await text('echo', 'the server has read it');
              if (limit === 'http1') {
                await until('it has been handed on', () => {
                  clock.move(1_000);
                  return exceeded.length > 0;
                });
              }
              assert.match(await rest, answer);
              await until('no more than the client is connected', () => server.connectionCount <= 1);
              assert.deepEqual(exceeded, limit === undefined ? [] : [limit]);
            }),
          {
            http1,
            clock,
            onLimit: (one) => exceeded.push(one),
            limits: { ...LIMITS, handshakeTimeoutMs: 1e9, idleTimeoutMs: 1e9 },
          },
        );
      });
    }

    it('has a time for a request, however slowly its bytes come', async () => {
      const exceeded: RpcLimit[] = [];
      const clock = new MovedClock();
      const body = gate();
      await withServer(
        engine,
        HANDLERS,
        ({ server }) =>
          withSocket(server.port, async (socket) => {
            socket.write('POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n');
            await body.opened;
            for (let n = 0; n < 9; n++) {
              clock.move(1_000);
              socket.write('a');
            }
            assert.deepEqual(exceeded, []);
            clock.move(1_000);
            await closed(socket);
            assert.deepEqual(exceeded, ['http1']);
            assert.equal(server.connectionCount, 0);
          }),
        {
          clock,
          onLimit: (one) => exceeded.push(one),
          http1: (request, response) => {
            request.on('end', () => response.end());
            request.resume();
            body.open();
          },
        },
      );
    });

    it('has few connections, and leaves the others to calls', async () => {
      const exceeded: RpcLimit[] = [];
      await withServer(
        engine,
        HANDLERS,
        async ({ server, text }) => {
          await withSocket(server.port, async (first) => {
            first.write(REQUEST);
            await new Promise((resolve) => first.once('data', resolve));
            await withSocket(server.port, async (second) => {
              second.write(REQUEST);
              assert.match(await restOf(second), /^HTTP\/1\.1 503 /);
            });
            assert.equal(await text('echo', 'a call'), 'a call');
          });
          await until('the first is gone', () => server.connectionCount === 1);
          assert.equal(await answerOf(get, { port: server.port, path: '/again' }), '200 GET /again');
          assert.deepEqual(exceeded, ['http1']);
        },
        { http1, onLimit: (one) => exceeded.push(one), limits: { ...LIMITS, http1ConnectionsMax: 1 } },
      );
    });

    it('is counted among the connections of its address', async () => {
      await withServer(
        engine,
        HANDLERS,
        ({ server }) =>
          withSocket(server.port, async (first) => {
            first.write(REQUEST);
            await new Promise((resolve) => first.once('data', resolve));
            await withSocket(server.port, (second) => closed(second));
          }),
        { http1, limits: { ...LIMITS, connectionsPerAddressMax: 1 } },
      );
    });

    it('gets no other answer than its own when something follows that is no request', async () => {
      const asked = gate();
      await withServer(
        engine,
        HANDLERS,
        ({ server }) =>
          withSocket(server.port, async (socket) => {
            socket.write(REQUEST);
            await asked.opened;
            socket.write('NONE\r\n\r\n');
            assert.equal(await restOf(socket), '');
          }),
        { http1: () => asked.open() },
      );
    });

    it('gets its answer when the server stops, and no longer holds that up', async () => {
      const [asked, answer] = [gate(), gate()];
      const slow = async (_request: IncomingMessage, response: ServerResponse): Promise<void> => {
        asked.open();
        await answer.opened;
        response.end('late');
      };
      await withServer(
        engine,
        HANDLERS,
        async ({ server }: Fixture) => {
          await withSocket(server.port, async (waiting) => {
            waiting.write(REQUEST.replace('/healthz', '/slow'));
            const late = restOf(waiting);
            await asked.opened;
            await withSocket(server.port, async (pausing) => {
              pausing.write(REQUEST);
              await new Promise((resolve) => pausing.once('data', resolve));
              const stopped = server.stop(60_000);
              await closed(pausing);
              answer.open();
              assert.match(await late, /^HTTP\/1\.1 200 .*late$/s);
              await stopped;
            });
          });
        },
        {
          limits: { ...LIMITS, http1TimeoutMs: 1e9 },
          http1: (request, response) =>
            request.url === '/slow' ? void slow(request, response) : http1(request, response),
        },
      );
    });
  });
}
