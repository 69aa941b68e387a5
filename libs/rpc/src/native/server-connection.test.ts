import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MIB, type Random } from '@orbitmq/base';
import { frame } from '../contract/frame.ts';
import { gate, LIMITS, MovedClock, type TextHandlers, until, withServer } from '../contract/harness.ts';
import { createGrpcJsClient } from '../grpc-js/client.ts';
import type { RpcLimit, RpcServerLimits } from '../server.ts';
import { type ErrorCodeName, FLAG, FRAME, SETTING } from './protocol.ts';
import { grpcMessage, RawClient, requestFields, settings, uint32 } from './raw-client.ts';
import { startNativeServer } from './server.ts';

const ENGINE = { startServer: startNativeServer, createClient: createGrpcJsClient };
const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } =
  FRAME;
const { END_STREAM, END_HEADERS, PADDED } = FLAG;
const PRIORITY_FLAG = FLAG.PRIORITY;

const HANDLERS: TextHandlers = {
  unary: { echo: (request) => request, wait: () => new Promise<string>(() => {}) },
  bidi: { deaf: (_requests, call) => new Promise((resolve) => call.onCancel(resolve)) },
  serverStream: {
    async flood(request, call, sink) {
      for (let n = 0; n < Number(request) && !call.cancelled; n++) await sink.write('f'.repeat(1_000));
    },
  },
};

/** Lets connections grow as old as is set. */
const EXACT_AGE: Random = { bytes: (length) => new Uint8Array(length), below: (limit) => (limit - 1) / 2 };

interface Fixture {
  readonly client: RawClient;
  readonly limits: RpcLimit[];
  /** A call of another connection. */
  neighbour(): Promise<void>;
}

/** Runs `use` with a raw client, and sees that a neighbour is served and nothing unexpected has happened. */
async function withRawClient(
  use: (fixture: Fixture) => Promise<void>,
  limits: Partial<RpcServerLimits> = {},
  first?: Buffer,
): Promise<void> {
  const exceeded: RpcLimit[] = [];
  await withServer(
    ENGINE,
    HANDLERS,
    async ({ server, text, unexpectedErrors }) => {
      const client = await RawClient.connect(server.port, first);
      const neighbour = async (): Promise<void> => assert.equal(await text('echo', 'neighbour'), 'neighbour');
      try {
        await use({ client, limits: exceeded, neighbour });
      } finally {
        client.close();
      }
      await neighbour();
      assert.deepEqual(unexpectedErrors, []);
    },
    { limits: { ...LIMITS, ...limits }, onLimit: (limit) => exceeded.push(limit) },
  );
}

type Frames = (client: RawClient) => readonly Buffer[];

const SELF_DEPENDENCY = Buffer.concat([uint32(1), Buffer.of(0)]);

/** What ends a connection, by the code it ends with (RFC 9113). */
const CONNECTION_ERRORS: Readonly<Record<string, readonly [ErrorCodeName, Frames]>> = {
  'DATA on stream 0': ['PROTOCOL_ERROR', () => [frame(DATA, 0, 0)]],
  'HEADERS on stream 0': ['PROTOCOL_ERROR', (client) => [client.headers(0, requestFields('echo'))]],
  'SETTINGS on a stream': ['PROTOCOL_ERROR', () => [frame(SETTINGS, 0, 1)]],
  'PING on a stream': ['PROTOCOL_ERROR', () => [frame(PING, 0, 1, Buffer.alloc(8))]],
  'GOAWAY on a stream': ['PROTOCOL_ERROR', () => [frame(GOAWAY, 0, 1, Buffer.alloc(8))]],
  'a PING of six bytes': ['FRAME_SIZE_ERROR', () => [frame(PING, 0, 0, Buffer.alloc(6))]],
  'SETTINGS of five bytes': ['FRAME_SIZE_ERROR', () => [frame(SETTINGS, 0, 0, Buffer.alloc(5))]],
  'an acknowledgement of settings with a payload': ['FRAME_SIZE_ERROR', () => [frame(SETTINGS, 1, 0, Buffer.alloc(6))]],
  'a WINDOW_UPDATE of three bytes': ['FRAME_SIZE_ERROR', () => [frame(WINDOW_UPDATE, 0, 0, Buffer.alloc(3))]],
  'a RST_STREAM of three bytes': [
    'FRAME_SIZE_ERROR',
    (client) => [client.headers(1, requestFields('wait')), frame(RST_STREAM, 0, 1, Buffer.alloc(3))],
  ],
  'a frame larger than we take': ['FRAME_SIZE_ERROR', () => [frame(DATA, 0, 1, Buffer.alloc(16_385))]],
  'ENABLE_PUSH of 2': ['PROTOCOL_ERROR', () => [frame(SETTINGS, 0, 0, settings([SETTING.ENABLE_PUSH, 2]))]],
  'MAX_FRAME_SIZE of 1': ['PROTOCOL_ERROR', () => [frame(SETTINGS, 0, 0, settings([SETTING.MAX_FRAME_SIZE, 1]))]],
  'an initial window of 2^31': [
    'FLOW_CONTROL_ERROR',
    () => [frame(SETTINGS, 0, 0, settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31]))],
  ],
  'an initial window that makes another too large': [
    'FLOW_CONTROL_ERROR',
    (client) => [
      client.headers(1, requestFields('wait')),
      frame(WINDOW_UPDATE, 0, 1, uint32(2 ** 31 - 1 - 65_535)),
      frame(SETTINGS, 0, 0, settings([SETTING.INITIAL_WINDOW_SIZE, 65_536])),
    ],
  ],
  'a window of the connection that is opened too far': [
    'FLOW_CONTROL_ERROR',
    () => [frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 31 - 1))],
  ],
  'a window of the connection opened by nothing': ['PROTOCOL_ERROR', () => [frame(WINDOW_UPDATE, 0, 0, uint32(0))]],
  'DATA of a stream that was never opened': ['PROTOCOL_ERROR', () => [frame(DATA, 0, 1, Buffer.alloc(1))]],
  'RST_STREAM of a stream that was never opened': ['PROTOCOL_ERROR', () => [frame(RST_STREAM, 0, 1, uint32(8))]],
  'WINDOW_UPDATE of a stream that was never opened': ['PROTOCOL_ERROR', () => [frame(WINDOW_UPDATE, 0, 1, uint32(1))]],
  // No reset may be sent for such a stream.
  'a dependency on itself of a stream that was never opened': [
    'PROTOCOL_ERROR',
    () => [frame(PRIORITY, 0, 1, SELF_DEPENDENCY)],
  ],
  'a PRIORITY of four bytes of a stream that was never opened': [
    'FRAME_SIZE_ERROR',
    () => [frame(PRIORITY, 0, 2, uint32(3))],
  ],
  'an even stream number': ['PROTOCOL_ERROR', (client) => [client.headers(2, requestFields('echo'))]],
  'a stream number below an earlier one': [
    'PROTOCOL_ERROR',
    (client) => [client.headers(5, requestFields('wait')), client.headers(3, requestFields('wait'))],
  ],
  'HEADERS of a stream that has ended': [
    'STREAM_CLOSED',
    (client) => [client.call(1, 'echo', 'a'), client.headers(1, requestFields('echo'))],
  ],
  PUSH_PROMISE: ['PROTOCOL_ERROR', () => [frame(PUSH_PROMISE, END_HEADERS, 1, uint32(2))]],
  'CONTINUATION of nothing': ['PROTOCOL_ERROR', () => [frame(CONTINUATION, END_HEADERS, 1)]],
  'another frame within a header block': [
    'PROTOCOL_ERROR',
    (client) => [client.headers(1, requestFields('echo'), 0), frame(PING, 0, 0, Buffer.alloc(8))],
  ],
  'CONTINUATION of another stream': [
    'PROTOCOL_ERROR',
    (client) => [client.headers(1, requestFields('echo'), 0), frame(CONTINUATION, END_HEADERS, 3)],
  ],
  'padding that does not fit': [
    'PROTOCOL_ERROR',
    (client) => [client.headers(1, requestFields('wait')), frame(DATA, PADDED, 1, Buffer.of(9, 0, 0))],
  ],
  'a header block that is none': ['COMPRESSION_ERROR', () => [frame(HEADERS, END_HEADERS, 1, Buffer.of(0x80))]],
};

/** What ends a stream, by the code it is reset with. */
const STREAM_ERRORS: Readonly<Record<string, readonly [ErrorCodeName, Frames]>> = {
  'a malformed header list': ['PROTOCOL_ERROR', (client) => [client.headers(1, requestFields('echo').slice(1))]],
  'data behind the end': [
    'STREAM_CLOSED',
    (client) => [client.call(1, 'wait', 'a'), frame(DATA, 0, 1, Buffer.alloc(1))],
  ],
  'headers behind the end': [
    'STREAM_CLOSED',
    (client) => [client.call(1, 'wait', 'a'), client.headers(1, [], END_HEADERS | END_STREAM)],
  ],
  'headers in the middle that do not end the stream': [
    'PROTOCOL_ERROR',
    (client) => [client.headers(1, requestFields('echo')), client.headers(1, [{ name: 'a', value: 'b' }])],
  ],
  'pseudo fields in trailers': [
    'PROTOCOL_ERROR',
    (client) => [
      client.headers(1, requestFields('echo')),
      client.headers(1, [{ name: ':path', value: '/' }], END_HEADERS | END_STREAM),
    ],
  ],
  'a window opened by nothing': [
    'PROTOCOL_ERROR',
    (client) => [client.headers(1, requestFields('wait')), frame(WINDOW_UPDATE, 0, 1, uint32(0))],
  ],
  'a window opened too far': [
    'FLOW_CONTROL_ERROR',
    (client) => [client.headers(1, requestFields('wait')), frame(WINDOW_UPDATE, 0, 1, uint32(2 ** 31 - 1))],
  ],
  'a dependency on itself': [
    'PROTOCOL_ERROR',
    (client) => [client.headers(1, requestFields('wait')), frame(PRIORITY, 0, 1, SELF_DEPENDENCY)],
  ],
  'a PRIORITY of four bytes': [
    'FRAME_SIZE_ERROR',
    (client) => [client.headers(1, requestFields('wait')), frame(PRIORITY, 0, 1, uint32(3))],
  ],
  'more data than content-length says': [
    'PROTOCOL_ERROR',
    (client) => [
      client.headers(1, requestFields('echo', [{ name: 'content-length', value: '3' }])),
      frame(DATA, END_STREAM, 1, grpcMessage('abc')),
    ],
  ],
  'less data than content-length says': [
    'PROTOCOL_ERROR',
    (client) => [
      client.headers(1, requestFields('echo', [{ name: 'content-length', value: '9' }])),
      frame(DATA, END_STREAM, 1, grpcMessage('abc')),
    ],
  ],
};

describe('ServerConnection', () => {
  describe('ends the connection at', () => {
    for (const [what, [code, frames]] of Object.entries(CONNECTION_ERRORS)) {
      it(what, () =>
        withRawClient(async ({ client }) => {
          client.send(...frames(client));
          assert.equal(await client.goAway(), code);
          await client.closed();
        }),
      );
    }

    it('a first frame that is not SETTINGS', () =>
      withServer(ENGINE, HANDLERS, async ({ server }) => {
        const client = await RawClient.connect(server.port, 'none');
        client.send(frame(PING, 0, 0, Buffer.alloc(8)));
        assert.equal(await client.goAway(), 'PROTOCOL_ERROR');
        await client.closed();
      }));
  });

  describe('resets a stream, and serves others, at', () => {
    for (const [what, [code, frames]] of Object.entries(STREAM_ERRORS)) {
      it(what, () =>
        withRawClient(async ({ client }) => {
          client.send(...frames(client));
          assert.equal(await client.reset(1), code);
          client.send(client.call(7, 'echo', 'still here'));
          const { fields, body } = await client.response(7);
          assert.equal(fields.get('grpc-status'), '0');
          assert.deepEqual(body, grpcMessage('still here'));
        }),
      );
    }
  });

  it('resets a stream once, whatever else comes on it', () =>
    withRawClient(async ({ client }) => {
      const broken = frame(PRIORITY, 0, 1, uint32(3));
      client.send(client.headers(1, requestFields('wait')), broken, broken);
      assert.equal(await client.reset(1), 'FRAME_SIZE_ERROR');
      await client.settled();
      assert.equal(client.frames.filter(({ type }) => type === RST_STREAM).length, 1);
    }));

  it('does not mind what it need not understand', () =>
    withRawClient(async ({ client }) => {
      const fields = requestFields('echo');
      const head = client.headers(1, fields);
      const block = head.subarray(9);
      client.send(
        frame(77, 0xff, 0, Buffer.alloc(10)),
        frame(77, 0, 1, Buffer.alloc(10)),
        frame(SETTINGS, 0, 0, settings([99, 1])),
        frame(PRIORITY, 0, 1, Buffer.alloc(5)),
        frame(GOAWAY, 0, 0, Buffer.alloc(8)),
        frame(
          HEADERS,
          PADDED | PRIORITY_FLAG,
          1,
          Buffer.concat([Buffer.of(3), uint32(0), Buffer.of(9), block.subarray(0, 4), Buffer.alloc(3)]),
        ),
        frame(CONTINUATION, 0, 1, block.subarray(4, 5)),
        frame(CONTINUATION, 0, 1),
        frame(CONTINUATION, END_HEADERS, 1, block.subarray(5)),
        frame(DATA, PADDED, 1, Buffer.concat([Buffer.of(2), grpcMessage('padded'), Buffer.alloc(2)])),
        client.headers(1, [{ name: 'x-trailer', value: '1' }], END_HEADERS | END_STREAM),
      );
      const { fields: answer, body } = await client.response(1);
      assert.equal(answer.get('grpc-status'), '0');
      assert.deepEqual(body, grpcMessage('padded'));
    }));

  it('answers all calls of a read, and refuses what is no gRPC by HTTP', () =>
    withRawClient(async ({ client }) => {
      client.send(client.call(1, 'echo', 'one'), client.call(3, 'echo', 'two'));
      await client.frame(({ streamId, flags, type }) => streamId === 3 && type === HEADERS && flags % 2 === 1);
      assert.deepEqual(
        client.frames.filter(({ type }) => type === DATA).map(({ payload }) => payload),
        [grpcMessage('one'), grpcMessage('two')],
      );
      client.send(client.headers(5, requestFields('echo').with(0, { name: ':method', value: 'GET' }), 5));
      assert.equal((await client.response(5)).fields.get(':status'), '405');
      client.send(client.headers(7, requestFields('echo').with(3, { name: 'content-type', value: 'text/html' }), 5));
      const page = await client.response(7);
      assert.equal(page.fields.get(':status'), '415');
      assert.match(page.body.toString(), /speaks gRPC/);
    }));

  it('sends no more than the windows allow, however they change', () =>
    withRawClient(
      async ({ client }) => {
        const dataBytes = (): number =>
          client.frames.reduce((sum, { type, payload }) => sum + (type === DATA ? payload.length : 0), 0);
        client.send(client.call(1, 'flood', '200'));
        await client.settled();
        assert.equal(dataBytes(), 10);
        client.send(frame(WINDOW_UPDATE, 0, 1, uint32(5)));
        await client.settled();
        assert.equal(dataBytes(), 15);
        client.send(frame(SETTINGS, 0, 0, settings([SETTING.INITIAL_WINDOW_SIZE, 0])));
        client.send(frame(WINDOW_UPDATE, 0, 1, uint32(10)));
        await client.settled();
        assert.equal(dataBytes(), 15, 'the window was negative');
        client.send(frame(SETTINGS, 0, 0, settings([SETTING.INITIAL_WINDOW_SIZE, 1_000_000])));
        await until('the window of the connection is used up', () => dataBytes() === 65_535);
        client.send(frame(WINDOW_UPDATE, 0, 0, uint32(1_000_000)));
        await until('all has come', () => dataBytes() === 200 * 1_005);
        const { fields } = await client.response(1);
        assert.equal(fields.get('grpc-status'), '0');
      },
      {},
      settings([SETTING.INITIAL_WINDOW_SIZE, 10]),
    ));

  it('drains by two GOAWAYs and serves what was on its way', async () => {
    const stopped = gate();
    await withServer(ENGINE, HANDLERS, async ({ server }) => {
      const client = await RawClient.connect(server.port);
      client.send(client.call(1, 'echo', 'before'));
      await client.response(1);
      void server.stop(10_000).then(stopped.open);
      await client.frame(({ type, payload }) => type === GOAWAY && payload.readUInt32BE(0) === 2 ** 31 - 1);
      const ping = await client.frame(({ type }) => type === PING);
      client.send(client.call(3, 'echo', 'on its way'), frame(PING, FLAG.ACK, 0, ping.payload));
      client.send(client.call(5, 'echo', 'too late'));
      const last = await client.frame(({ type, payload }) => type === GOAWAY && payload.readUInt32BE(0) < 2 ** 31 - 1);
      assert.equal(last.payload.readUInt32BE(0), 3);
      assert.deepEqual((await client.response(3)).body, grpcMessage('on its way'));
      await client.closed();
      assert.ok(client.frames.every(({ streamId }) => streamId !== 5));
      await stopped.opened;
    });
  });
});

describe('limits of ServerConnection', () => {
  it('send a client away whose connection is old', () =>
    withRawClient(
      async ({ client, limits }) => {
        const ping = await client.frame(({ type }) => type === PING);
        assert.equal(await client.goAway(), 'NO_ERROR');
        client.send(client.call(1, 'echo', 'a'), frame(PING, FLAG.ACK, 0, ping.payload));
        assert.deepEqual((await client.response(1)).body, grpcMessage('a'));
        await client.closed();
        assert.equal(limits[0], 'connectionAge');
      },
      { connectionAgeMsMax: 50 },
    ));

  it('lets streams that wait for the window of the connection take turns', () =>
    withRawClient(async ({ client }) => {
      const bytesOf = (id: number): number =>
        client.frames.reduce(
          (sum, { type, streamId, payload }) => sum + (type === DATA && streamId === id ? payload.length : 0),
          0,
        );
      client.send(frame(SETTINGS, 0, 0, settings([SETTING.INITIAL_WINDOW_SIZE, 1_000_000])));
      client.send(client.call(1, 'flood', '300'), client.call(3, 'flood', '300'));
      await until('the window is used up', () => bytesOf(1) + bytesOf(3) === 65_535);
      const before = [bytesOf(1), bytesOf(3)];
      for (let turn = 0; turn < 10; turn++) client.send(frame(WINDOW_UPDATE, 0, 0, uint32(100)));
      await until('it is used up again', () => bytesOf(1) + bytesOf(3) === 66_535);
      assert.deepEqual([bytesOf(1) - before[0]!, bytesOf(3) - before[1]!], [500, 500]);
    }));

  it('is told to go once when it is old, however long its calls last', async () => {
    const clock = new MovedClock();
    const limits: RpcLimit[] = [];
    await withServer(
      ENGINE,
      HANDLERS,
      async ({ server }) => {
        const [old, young] = [await RawClient.connect(server.port), await RawClient.connect(server.port)];
        old.send(old.headers(1, requestFields('deaf')));
        await old.settled();
        clock.move(60_000);
        await old.goAway();
        young.close();
        await until('it is gone', () => server.connectionCount === 1);
        const next = await RawClient.connect(server.port);
        await next.settled();
        clock.move(60_000);
        await next.goAway();
        assert.deepEqual(limits, ['connectionAge', 'connectionAge', 'connectionAge']);
        assert.equal(old.isClosed, false);
        old.close();
        next.close();
      },
      {
        clock,
        random: EXACT_AGE,
        onLimit: (limit) => limits.push(limit),
        limits: { ...LIMITS, connectionAgeMsMax: 60_000 },
      },
    );
  });

  it('ignores what still comes of calls that it has not taken any more', () =>
    withRawClient(
      async ({ client }) => {
        client.send(client.headers(1, requestFields('deaf')));
        const ping = await client.frame(({ type, flags }) => type === PING && flags === 0);
        client.send(frame(PING, FLAG.ACK, 0, ping.payload));
        client.send(client.headers(3, requestFields('echo')), frame(DATA, 0, 3, grpcMessage('late')));
        client.send(client.headers(3, [{ name: 'x-trailer', value: '1' }], END_HEADERS | END_STREAM));
        await client.settled();
        const codes = client.frames.filter(({ type }) => type === GOAWAY).map(({ payload }) => payload.readUInt32BE(4));
        assert.deepEqual(codes, [0, 0]);
        assert.equal(client.isClosed, false);
      },
      { connectionAgeMsMax: 50 },
    ));

  it('leaves a client that reads slowly the time to read its last answers when it is drained', async () => {
    const clock = new MovedClock();
    const ended: string[] = [];
    await withServer(
      ENGINE,
      HANDLERS,
      async ({ server }) => {
        const client = await RawClient.connect(server.port, settings([SETTING.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]));
        client.send(frame(WINDOW_UPDATE, 0, 0, uint32(2 ** 30)));
        await client.settled();
        client.pause();
        client.send(client.call(1, 'flood', '30000'));
        await until('the call has ended', () => ended.length === 1);
        const connections = server.connectionCount;
        clock.move(60_000); // its age
        clock.move(1_000); // the ping is not answered
        for (let second = 0; second < 5; second++) {
          await new Promise((resolve) => setImmediate(resolve));
          clock.move(1_000);
        }
        assert.equal(server.connectionCount, connections);
        client.resume();
        const { fields, body } = await client.response(1);
        assert.equal(fields.get('grpc-status'), '0');
        assert.equal(body.length, 30_000 * 1_005);
        await client.closed();
      },
      {
        clock,
        random: EXACT_AGE,
        onCallEnd: (_path, status) => ended.push(status),
        limits: { ...LIMITS, connectionAgeMsMax: 60_000, socketBytesMax: 64 * MIB },
      },
    );
  });

  it('cuts a drained connection at last whose client goes on sending, however long it could have read', async (context) => {
    const clock = new MovedClock();
    const accepted: Socket[] = [];
    const onAccepted = (message: unknown): number => accepted.push((message as { readonly socket: Socket }).socket);
    subscribe('net.server.socket', onAccepted);
    context.after(() => unsubscribe('net.server.socket', onAccepted));
    await withServer(
      ENGINE,
      HANDLERS,
      async ({ server }) => {
        const client = await RawClient.connect(server.port, Buffer.alloc(0), true);
        const socket = accepted.at(-1)!;
        client.send(client.call(1, 'echo', 'a'));
        await client.response(1);
        clock.move(60_000); // its age
        const { payload } = await client.frame(({ type }) => type === PING);
        client.send(frame(PING, FLAG.ACK, 0, payload));
        await client.ended();
        let seconds = 0;
        for (; !socket.destroyed && seconds < 400; seconds++) {
          const { bytesRead } = socket;
          client.send(frame(PING, 0, 0, Buffer.from('are you?')));
          await until('the server has read it', () => socket.bytesRead > bytesRead);
          clock.move(1_000);
        }
        assert.ok(seconds >= 299 && seconds <= 310, `cut after ${seconds} s`);
      },
      { clock, random: EXACT_AGE, limits: { ...LIMITS, connectionAgeMsMax: 60_000 } },
    );
  });

  it('tells whoever compresses how that is understood', () =>
    withRawClient(async ({ client }) => {
      const compressed = (id: number, encoding: string, flag: number, message: Buffer): Buffer => {
        const prefixed = Buffer.concat([Buffer.of(flag), uint32(message.length), message]);
        const fields = requestFields('echo', [{ name: 'grpc-encoding', value: encoding }]);
        return Buffer.concat([client.headers(id, fields), frame(DATA, END_STREAM, id, prefixed)]);
      };
      client.send(compressed(1, 'snappy', 1, Buffer.from('?')));
      const unknown = (await client.response(1)).fields;
      assert.equal(unknown.get('grpc-status'), '12');
      assert.equal(unknown.get('grpc-accept-encoding'), 'identity,gzip,deflate');
      for (const [id, flag, message] of [
        [3, 1, gzipSync('a')],
        [5, 0, Buffer.from('a')],
      ] as const) {
        client.send(compressed(id, 'gzip', flag, message));
        const { fields, body } = await client.response(id);
        assert.deepEqual(body, grpcMessage('a'));
        assert.equal(fields.get('grpc-status'), '0');
        assert.equal(fields.get('grpc-accept-encoding'), 'identity,gzip,deflate');
      }
      client.send(client.call(7, 'echo', 'a'));
      assert.equal((await client.response(7)).fields.has('grpc-accept-encoding'), false);
    }));

  it('gives the window of the connection back for data that ends its stream badly', () =>
    withRawClient(
      async ({ client }) => {
        const fields = requestFields('echo', [{ name: 'content-length', value: '1' }]);
        for (let id = 1; id < 41; id += 2) {
          client.send(client.headers(id, fields), frame(DATA, 0, id, Buffer.alloc(16_384)));
          assert.equal(await client.reset(id), 'PROTOCOL_ERROR');
        }
        client.send(client.call(41, 'echo', 'still here'));
        assert.deepEqual((await client.response(41)).body, grpcMessage('still here'));
      },
      { connectionWindowBytes: 65_536 },
    ));

  /** Floods whose connection is cut. */
  const floods: Readonly<Record<string, readonly [RpcLimit, Frames, Partial<RpcServerLimits>?]>> = {
    pings: [
      'controlFrames',
      () => Array(200).fill(frame(PING, 0, 0, Buffer.alloc(8))),
      { controlFramesPerSecondMax: 100 },
    ],
    settings: ['controlFrames', () => Array(10).fill(frame(SETTINGS, 0, 0)), { controlFramesPerSecondMax: 100 }],
    'unknown frames': ['controlFrames', () => Array(200).fill(frame(99, 0, 0)), { controlFramesPerSecondMax: 100 }],
    'window updates': [
      'controlFrames',
      () => Array(200).fill(frame(WINDOW_UPDATE, 0, 0, uint32(1))),
      { controlFramesPerSecondMax: 100 },
    ],
    'empty data': [
      'controlFrames',
      (client) => [client.headers(1, requestFields('echo')), ...Array(200).fill(frame(DATA, 0, 1))],
      { controlFramesPerSecondMax: 100 },
    ],
    'CONTINUATION frames': [
      'headers',
      (client) => [client.headers(1, requestFields('echo'), 0), ...Array(200).fill(frame(CONTINUATION, 0, 1))],
    ],
    'an endless header block': [
      'headers',
      (client) => [
        client.headers(1, requestFields('echo'), 0),
        ...Array(5).fill(frame(CONTINUATION, 0, 1, Buffer.alloc(16_000))),
      ],
    ],
    resets: [
      'resets',
      (client) =>
        Array.from({ length: 30 }, (_, n) =>
          Buffer.concat([client.headers(2 * n + 1, requestFields('echo')), frame(RST_STREAM, 0, 2 * n + 1, uint32(8))]),
        ),
      { resetsPerSecondMax: 5 },
    ],
    'streams that have to be reset': [
      'resets',
      (client) => Array.from({ length: 30 }, (_, n) => client.headers(2 * n + 1, [{ name: 'a', value: 'b' }])),
      { resetsPerSecondMax: 5 },
    ],
  };
  for (const [what, [limit, frames, limits]] of Object.entries(floods)) {
    it(`cut a flood of ${what}`, () =>
      withRawClient(async ({ client, limits: exceeded }) => {
        client.send(...frames(client));
        assert.equal(await client.goAway(), 'ENHANCE_YOUR_CALM');
        await client.closed();
        assert.deepEqual(exceeded, [limit]);
      }, limits));
  }

  it('refuse streams and header lists beyond, and serve on', () =>
    withRawClient(
      async ({ client, limits }) => {
        client.send(client.call(1, 'wait', ''), client.call(3, 'wait', ''), client.call(5, 'echo', ''));
        assert.equal(await client.reset(5), 'REFUSED_STREAM');
        client.send(frame(RST_STREAM, 0, 3, uint32(8)));
        const many = Array.from({ length: 20 }, (_, n) => ({ name: `x-${n}`, value: '' }));
        client.send(client.headers(7, requestFields('echo', many), END_HEADERS | END_STREAM));
        const { fields } = await client.response(7);
        assert.equal(fields.get('grpc-status'), '8');
        assert.match(fields.get('grpc-message')!, /at most 16384 bytes and 20 fields/);
        assert.deepEqual(limits, ['streams', 'headers']);
      },
      { concurrentStreamsMax: 2, headerCountMax: 20 },
    ));

  it('reset new calls of a client that takes no answers', () =>
    withRawClient(
      async ({ client, limits }) => {
        for (let n = 0; n < 20; n++) client.send(client.call(2 * n + 1, 'echo', 'a'.repeat(1_000)));
        assert.equal(await client.reset(39), 'ENHANCE_YOUR_CALM');
        assert.ok(limits.includes('queuedBytes'));
        client.send(frame(SETTINGS, 0, 0, settings([SETTING.INITIAL_WINDOW_SIZE, 65_535])));
        assert.deepEqual((await client.response(1)).body, grpcMessage('a'.repeat(1_000)));
        client.send(client.call(41, 'echo', 'again'));
        assert.deepEqual((await client.response(41)).body, grpcMessage('again'));
      },
      { queuedBytesMax: 5_000 },
      settings([SETTING.INITIAL_WINDOW_SIZE, 0]),
    ));

  it('open windows for the parts of a message, but not for what nobody reads', () =>
    withRawClient(async ({ client, limits }) => {
      const part = frame(DATA, 0, 1, Buffer.alloc(16_384));
      client.send(client.headers(1, requestFields('echo')), frame(DATA, 0, 1, Buffer.of(0, 0, 20, 0, 0)));
      client.send(...Array(20).fill(part));
      await client.frame(({ type, streamId }) => type === WINDOW_UPDATE && streamId === 1);
      const unread = frame(DATA, 0, 3, Buffer.concat([grpcMessage('a'.repeat(8_187)), grpcMessage('b'.repeat(8_187))]));
      client.send(client.headers(3, requestFields('deaf')), ...Array(32).fill(unread));
      await client.settled();
      assert.ok(client.frames.every(({ type, streamId }) => type !== WINDOW_UPDATE || streamId !== 3));
      client.send(frame(DATA, 0, 3, Buffer.alloc(1)));
      assert.equal(await client.reset(3), 'FLOW_CONTROL_ERROR');
      assert.deepEqual(limits, ['windows']);
    }));

  it('have the windows that they are given', () =>
    withRawClient(
      async ({ client, limits }) => {
        const part = frame(DATA, 0, 1, Buffer.alloc(16_384));
        client.send(client.headers(1, requestFields('deaf')), ...Array(4).fill(part));
        await client.settled();
        client.send(
          client.headers(3, requestFields('deaf')),
          ...Array(4).fill(frame(DATA, 0, 3, Buffer.alloc(16_384))),
        );
        await client.settled();
        client.send(frame(DATA, 0, 1, Buffer.alloc(1)));
        assert.equal(await client.goAway(), 'FLOW_CONTROL_ERROR');
        assert.deepEqual(limits, ['windows']);
      },
      { streamWindowBytes: 65_536, connectionWindowBytes: 131_072 },
    ));

  it('read nothing of a client that leaves its answers in the socket, until it takes them', () =>
    withRawClient(
      async ({ client, limits, neighbour }) => {
        client.pause();
        const pings = Buffer.concat(Array(5_000).fill(frame(PING, 0, 0, Buffer.alloc(8))));
        await until('the server reads no more', () => {
          if (!limits.includes('socketBytes')) client.send(pings);
          return limits.includes('socketBytes');
        });
        await neighbour();
        assert.deepEqual(limits, ['socketBytes']);
        client.resume();
        await client.settled();
      },
      { socketBytesMax: 65_536, controlFramesPerSecondMax: 1e9 },
    ));
});
