import { KIB, MIB } from '@orbitmq/base';
import { type ConfigOf, choice, type ObservationPages, observationHandler, wholeNumber } from '@orbitmq/runtime';
import type { Http1Handler } from './server.ts';
import { LIMIT_DEFAULTS, limitsWithDefaults, type ServerLimits } from './server-limits.ts';

const SETTABLE_MS_MAX = 2 ** 31 - 1;
/** A tenth is added by chance. */
const AGE_MS_MAX = Math.floor(SETTABLE_MS_MAX / 1.1);

/**
 * What an operator sets for the gRPC ports of a process: limits, mostly. They hold where clients and operators come, and not
 * between members (the replication port, that of routes). `grpcMaxInboundMessageSize`, `grpcMaxConcurrentCallsPerConnection`
 * and `grpcClientIdleTimeMills` are keys of the original's proxy.
 */
export const rpcPortKeys = {
  maxConnections: wholeNumber({
    default: 20_000,
    min: 1,
    max: 1_000_000,
    description: 'Open connections on the client port; more are closed.',
  }),
  maxConnectionsPerAddress: wholeNumber({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    description: 'Open connections of one client address.',
  }),
  grpcHandshakeTimeoutMills: wholeNumber({
    default: 10_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'Time for TLS and the first bytes of HTTP/2; a connection that needs longer is closed.',
  }),
  grpcClientIdleTimeMills: wholeNumber({
    default: LIMIT_DEFAULTS.idleTimeoutMs,
    min: 120_000,
    max: SETTABLE_MS_MAX,
    unit: 'ms',
    description:
      'A connection that says nothing at all for so long is closed. Clients ping each five minutes at the latest, so that less than 300000 cuts some that live.',
  }),
  grpcMaxConnectionAgeMills: wholeNumber({
    default: 0,
    min: 0,
    max: AGE_MS_MAX,
    unit: 'ms',
    description:
      'A connection that is older, give or take a tenth so that not all go at once, is told to go, and ends with its last call, so that its client looks for a server anew; 0 = never.',
  }),
  grpcMaxInboundMessageSize: wholeNumber({
    default: 0,
    min: 0,
    max: 1024 * MIB,
    unit: 'bytes',
    description:
      'Largest request, also when inflated; larger ones end with RESOURCE_EXHAUSTED. It is to be well above `maxMessageSize`, so that what is somewhat too large gets a proper answer; 0 = four times that and 1 MiB.',
  }),
  grpcMaxConcurrentCallsPerConnection: wholeNumber({
    default: 1_000,
    min: 1,
    max: 1_000_000,
    description: 'Open calls of one connection; more are refused (REFUSED_STREAM).',
  }),
  grpcMaxInboundMetadataSize: wholeNumber({
    default: 16 * KIB,
    min: 4 * KIB,
    max: 64 * KIB,
    unit: 'bytes',
    description:
      'Headers of one request, as HTTP/2 counts them: name, value and 32 each. Calls with more end with RESOURCE_EXHAUSTED, requests of HTTP/1.1 with 431.',
  }),
  grpcMaxInboundMetadataCount: wholeNumber({
    default: LIMIT_DEFAULTS.headerCountMax,
    min: 32,
    max: 2_048,
    description: 'Header fields of one request; calls with more end with RESOURCE_EXHAUSTED. Engine `native` only.',
  }),
  grpcMaxResetsPerSecond: wholeNumber({
    default: LIMIT_DEFAULTS.resetsPerSecondMax,
    min: 1,
    max: 1_000_000,
    unit: '1/s',
    description:
      'Calls of one connection that are reset, by either side, five times as many at once; then it is closed (ENHANCE_YOUR_CALM). Name servers that pass on calls of many clients reset up to 150, and 900 at once: with less than 200 they can be cut. Engine `native` only.',
  }),
  grpcMaxControlFramesPerSecond: wholeNumber({
    default: LIMIT_DEFAULTS.controlFramesPerSecondMax,
    min: 100,
    max: 100_000_000,
    unit: '1/s',
    description:
      'Frames of one connection that carry nothing: pings, settings (20 each), small and empty data, window updates beyond two for each frame of ours; then it is closed (ENHANCE_YOUR_CALM). Name servers have one connection for all clients whose calls they pass on. Engine `native` only.',
  }),
  grpcStreamWindowSize: wholeNumber({
    default: LIMIT_DEFAULTS.streamWindowBytes,
    min: 64 * KIB,
    max: 1024 * MIB,
    unit: 'bytes',
    description:
      'Unread data of one call: what its client may send before any of it has been worked off (FLOW_CONTROL_ERROR). Engine `native` only.',
  }),
  grpcConnectionWindowSize: wholeNumber({
    default: LIMIT_DEFAULTS.connectionWindowBytes,
    min: 128 * KIB,
    max: 1024 * MIB,
    unit: 'bytes',
    description:
      'Unread data of all calls of one connection; not below `grpcStreamWindowSize` (FLOW_CONTROL_ERROR). Engine `native` only.',
  }),
  grpcMaxUnfinishedRequestSize: wholeNumber({
    default: 0,
    min: 0,
    max: 64 * 1024 * MIB,
    unit: 'bytes',
    description:
      'Requests of all connections together that are not complete; beyond, the oldest ends with RESOURCE_EXHAUSTED; 0 = 128 MiB, or four of the largest requests.',
  }),
  grpcMaxQueuedSizePerConnection: wholeNumber({
    default: LIMIT_DEFAULTS.queuedBytesMax,
    min: MIB,
    max: 64 * 1024 * MIB,
    unit: 'bytes',
    description:
      'Answers that a client does not take; beyond, its new calls are reset (ENHANCE_YOUR_CALM). With engine `grpc-js`, what else a connection holds counts too.',
  }),
  grpcMaxQueuedSize: wholeNumber({
    default: LIMIT_DEFAULTS.queuedBytesTotalMax,
    min: MIB,
    max: 64 * 1024 * MIB,
    unit: 'bytes',
    description:
      'Answers that all clients together do not take; beyond, the connection is cut whose client has taken nothing for longest. Engine `native` only.',
  }),
  grpcMaxSocketBufferSize: wholeNumber({
    default: LIMIT_DEFAULTS.socketBytesMax,
    min: 64 * KIB,
    max: 1024 * MIB,
    unit: 'bytes',
    description:
      'What waits in the socket of one connection. Then its answers wait before that; at twice as much nothing more is read from it. Engine `native` only.',
  }),
  grpcHttp1Pages: choice({
    default: 'health',
    words: ['off', 'health', 'metrics'],
    description:
      'What HTTP/1.1 gets on the client port: `health` /healthz and /readyz without reasons, `metrics` also the reasons and /metrics, which then whoever reaches the port can read; `off` 426 for everything.',
  }),
  grpcHttp1TimeoutMills: wholeNumber({
    default: LIMIT_DEFAULTS.http1TimeoutMs,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'Time for a request of HTTP/1.1 on the client port, its answer, and the pause before the next.',
  }),
  grpcMaxHttp1Connections: wholeNumber({
    default: LIMIT_DEFAULTS.http1ConnectionsMax,
    min: 1,
    max: 1_000_000,
    description: 'Connections on the client port that speak HTTP/1.1; more are refused (503).',
  }),
} as const;

/** What an operator says of ports, and what it depends on. */
export type RpcPortConfig = ConfigOf<typeof rpcPortKeys> & {
  /** Largest message body. Bytes. */
  readonly maxMessageSize: number;
};

/** The limits of a port for clients. That of operators takes them with numbers of its own for connections, calls and messages. */
export function configuredLimits(config: RpcPortConfig): ServerLimits {
  // Batches are larger than one message, and what is too large is to get its own answer.
  const receiveMessageBytesMax = config.grpcMaxInboundMessageSize || 4 * config.maxMessageSize + MIB;
  return limitsWithDefaults({
    connectionsMax: config.maxConnections,
    connectionsPerAddressMax: config.maxConnectionsPerAddress,
    handshakeTimeoutMs: config.grpcHandshakeTimeoutMills,
    idleTimeoutMs: config.grpcClientIdleTimeMills,
    connectionAgeMsMax: config.grpcMaxConnectionAgeMills || Number.POSITIVE_INFINITY,
    receiveMessageBytesMax,
    concurrentStreamsMax: config.grpcMaxConcurrentCallsPerConnection,
    metadataBytesMax: config.grpcMaxInboundMetadataSize,
    headerCountMax: config.grpcMaxInboundMetadataCount,
    resetsPerSecondMax: config.grpcMaxResetsPerSecond,
    controlFramesPerSecondMax: config.grpcMaxControlFramesPerSecond,
    streamWindowBytes: config.grpcStreamWindowSize,
    connectionWindowBytes: config.grpcConnectionWindowSize,
    ...(config.grpcMaxUnfinishedRequestSize > 0 && { unfinishedBytesMax: config.grpcMaxUnfinishedRequestSize }),
    queuedBytesMax: config.grpcMaxQueuedSizePerConnection,
    queuedBytesTotalMax: config.grpcMaxQueuedSize,
    socketBytesMax: config.grpcMaxSocketBufferSize,
    http1TimeoutMs: config.grpcHttp1TimeoutMills,
    http1ConnectionsMax: config.grpcMaxHttp1Connections,
  });
}

/** What of a message a request holds beside its body, at the most. Bytes. */
const AROUND_BODY_BYTES = 64 * KIB;

/** What of limits does not fit together, a sentence each. */
export function limitProblems(config: RpcPortConfig): string[] {
  const problems: string[] = [];
  const { receiveMessageBytesMax } = configuredLimits(config);
  const { grpcMaxInboundMessageSize, grpcMaxUnfinishedRequestSize, maxMessageSize } = config;
  const least = maxMessageSize + AROUND_BODY_BYTES;
  if (receiveMessageBytesMax < least) {
    problems.push(
      `grpcMaxInboundMessageSize (${grpcMaxInboundMessageSize}) must be 0 or hold the largest message: at least ${least} bytes with maxMessageSize ${maxMessageSize}; raise the one or lower the other`,
    );
  }
  if (grpcMaxUnfinishedRequestSize !== 0 && grpcMaxUnfinishedRequestSize < receiveMessageBytesMax) {
    problems.push(
      `grpcMaxUnfinishedRequestSize (${grpcMaxUnfinishedRequestSize}) must be 0 or hold the largest request: at least ${receiveMessageBytesMax} bytes`,
    );
  }
  if (config.grpcConnectionWindowSize < config.grpcStreamWindowSize) {
    problems.push(
      `grpcConnectionWindowSize (${config.grpcConnectionWindowSize}) must not be below grpcStreamWindowSize (${config.grpcStreamWindowSize})`,
    );
  }
  if (config.grpcMaxQueuedSize < config.grpcMaxQueuedSizePerConnection) {
    problems.push(
      `grpcMaxQueuedSize (${config.grpcMaxQueuedSize}) must not be below grpcMaxQueuedSizePerConnection (${config.grpcMaxQueuedSizePerConnection})`,
    );
  }
  return problems;
}

/** What requests of HTTP/1.1 get on the client port; undefined when nobody is to answer them. */
export function configuredPages(config: RpcPortConfig, pages: Required<ObservationPages>): Http1Handler | undefined {
  if (config.grpcHttp1Pages === 'off') return undefined;
  return observationHandler(config.grpcHttp1Pages === 'metrics' ? pages : { ...pages, metrics: undefined });
}
