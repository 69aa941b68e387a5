import { MessagingServiceDefinition } from '@orbitmq/protocol/apache.rocketmq.v2';
import { RPC_ENGINES, startRpcServer, unary } from '@orbitmq/rpc';
import { createLogger } from '@orbitmq/runtime';
import { NOOP_ANSWER } from './noop-answer.ts';

/**
 * A server whose SendMessage does nothing at all, on the transport of the broker: what a message costs before anything
 * is done with it. Takes the name of an engine and prints its port.
 */
const sendMessage = unary<typeof MessagingServiceDefinition, 'sendMessage', Uint8Array, Uint8Array>(
  MessagingServiceDefinition,
  'sendMessage',
  () => NOOP_ANSWER,
  { decode: (bytes) => bytes, encode: (bytes) => bytes },
);

const server = await startRpcServer({
  host: '127.0.0.1',
  port: 0,
  methods: [sendMessage],
  tls: undefined,
  engine: RPC_ENGINES.find((name) => name === process.argv[2]),
  limits: {
    receiveMessageBytesMax: 1 << 20,
    concurrentStreamsMax: 1000,
    metadataBytesMax: 16_384,
    connectionsMax: 1000,
    connectionsPerAddressMax: 1000,
    handshakeTimeoutMs: 10_000,
  },
  logger: createLogger({ level: 'error', fields: {} }),
  onUnexpectedError: (error) => {
    throw error;
  },
});
process.stdout.write(`${server.port}\n`);
process.on('SIGTERM', () => void server.stop(0).then(() => process.exit(0)));
