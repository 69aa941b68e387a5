import { MessagingServiceDefinition, type QueryRouteResponse } from '@orbitmq/protocol/apache.rocketmq.v2';
import { HealthService, reflectionMethods, startRpcServer, unary } from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';

/** A port with the limits of a broker's, in a process of its own, whose memory can be told from the attacker's. */
const logger: Logger = {
  child: () => logger,
  debug() {},
  info() {},
  warn: (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
  error: (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
};
const answer: QueryRouteResponse = { status: undefined, messageQueues: [] };
const health = new HealthService([MessagingServiceDefinition.fullName]);
const methods = [unary(MessagingServiceDefinition, 'queryRoute', () => answer), ...health.methods()];

const server = await startRpcServer({
  host: '127.0.0.1',
  port: 0,
  methods: [...methods, ...reflectionMethods(methods)],
  tls: undefined,
  limits: {
    receiveMessageBytesMax: 17 * 1024 * 1024,
    concurrentStreamsMax: 1_000,
    metadataBytesMax: 16_384,
    connectionsMax: 10_000,
    connectionsPerAddressMax: 1_000,
    handshakeTimeoutMs: 2_000,
  },
  logger,
  onUnexpectedError: (error, path) => {
    process.stderr.write(`unexpected error in ${path}: ${String(error)}\n`);
  },
});
process.send?.(server.port);
process.once('message', async () => {
  await server.stop(1_000);
  process.disconnect();
});
