import { MIB } from '@orbitmq/base';
import {
  type BoundMethod,
  createRpcClient,
  type RpcClient,
  type RpcClientOptions,
  type RpcEngineName,
  type RpcServer,
  type RpcServerOptions,
  startRpcServer,
} from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';

/** Both sides of one engine behind the seam. */
export interface Engine {
  startServer(options: RpcServerOptions): Promise<RpcServer>;
  createClient(options: RpcClientOptions): RpcClient;
}

/** The engines that are held to the specifications, and to each other. */
export const ENGINES = {
  'grpc-js': engineNamed('grpc-js'),
  native: engineNamed('native'),
} as const satisfies Readonly<Record<string, Engine>>;

export type EngineName = keyof typeof ENGINES;

export const ENGINE_NAMES = Object.keys(ENGINES) as EngineName[];

function engineNamed(engine: RpcEngineName): Engine {
  return {
    startServer: (options) => startRpcServer({ ...options, engine }),
    createClient: (options) => createRpcClient({ ...options, engine }),
  };
}

const silentLogger: Logger = {
  child: () => silentLogger,
  debug() {},
  info() {},
  warn() {},
  error() {},
};

/** A server for as long as `use` runs; what its handlers do not mean fails the test. */
export async function withEngineServer(
  engine: Engine,
  methods: readonly BoundMethod[],
  use: (server: RpcServer) => Promise<void>,
): Promise<void> {
  const unexpected: unknown[] = [];
  const server = await engine.startServer({
    host: '127.0.0.1',
    port: 0,
    methods,
    tls: undefined,
    limits: {
      receiveMessageBytesMax: 5 * MIB,
      concurrentStreamsMax: 100,
      metadataBytesMax: 16_384,
      connectionsMax: 1_000,
      connectionsPerAddressMax: 1_000,
      handshakeTimeoutMs: 10_000,
    },
    logger: silentLogger,
    onUnexpectedError: (error) => unexpected.push(error),
  });
  try {
    await use(server);
  } finally {
    await server.stop(0);
  }
  if (unexpected.length > 0) throw new AggregateError(unexpected, 'handlers met errors that they did not mean');
}
