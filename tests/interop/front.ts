import {
  AddressScheme,
  type Endpoints,
  MessagingServiceDefinition,
  QueryAssignmentResponse,
  QueryRouteResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import {
  type BoundMethod,
  bidi,
  type Call,
  createRpcClient,
  type RpcClient,
  serverStream,
  startRpcServer,
  unary,
} from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';

/** A server between clients and a name server, which is the only address that they ever learn. */
export interface Front {
  /** `host:port` */
  readonly endpoint: string;
  stop(): Promise<void>;
}

type MethodName = keyof typeof MessagingServiceDefinition.methods;

const LIMITS = {
  receiveMessageBytesMax: 8 * 1024 * 1024,
  concurrentStreamsMax: 1_000,
  metadataBytesMax: 16_384,
  connectionsMax: 1_000,
  connectionsPerAddressMax: 1_000,
  handshakeTimeoutMs: 5_000,
};
const RAW = { decode: (bytes: Uint8Array) => bytes, encode: (bytes: Uint8Array) => bytes };
const silentLogger: Logger = { child: () => silentLogger, debug() {}, info() {}, warn() {}, error() {} };

/**
 * Puts a server in front of a name server as a load balancer or a forwarded port would stand there: it passes every call
 * on, and routes name nothing but itself. So everything that its clients do goes by the name server's relay.
 */
export async function startFront(nameServer: string): Promise<Front> {
  const client = createRpcClient({ addresses: [nameServer], tls: undefined });
  const self: Endpoints = { scheme: AddressScheme.IPv4, addresses: [] };
  const names = Object.keys(MessagingServiceDefinition.methods) as MethodName[];
  const server = await startRpcServer({
    host: '127.0.0.1',
    port: 0,
    methods: names.map((name) => bindMethod(name, client, self)),
    tls: undefined,
    limits: LIMITS,
    logger: silentLogger,
    onUnexpectedError: (error) => {
      throw error;
    },
  });
  self.addresses.push({ host: '127.0.0.1', port: server.port });
  return {
    endpoint: `127.0.0.1:${server.port}`,
    async stop() {
      await server.stop(0);
      client.close();
    },
  };
}

function bindMethod(name: MethodName, client: RpcClient, self: Endpoints): BoundMethod {
  const { requestStream, responseStream } = MessagingServiceDefinition.methods[name];
  if (requestStream) {
    return bidi(
      MessagingServiceDefinition,
      name,
      async (requests: AsyncIterable<Uint8Array>, call, sink) => {
        const stream = client.raw.bidi(call.path, { metadata: metadataOf(call) });
        call.onCancel(() => stream.cancel());
        const passing = passOn(requests, stream);
        for await (const response of stream.responses) await sink.write(response);
        await passing;
      },
      RAW,
    );
  }
  if (responseStream) {
    return serverStream(
      MessagingServiceDefinition,
      name,
      async (request: Uint8Array, call, sink) => {
        for await (const response of client.raw.serverStream(call.path, request, optionsOf(call))) {
          await sink.write(response);
        }
      },
      RAW,
    );
  }
  const show = name === 'queryRoute' ? routeTo : name === 'queryAssignment' ? assignmentTo : undefined;
  const handle = async (request: Uint8Array, call: Call): Promise<Uint8Array> => {
    const response = await client.raw.unary(call.path, request, optionsOf(call));
    return show ? show(self, response) : response;
  };
  return unary(MessagingServiceDefinition, name, handle, RAW);
}

async function passOn(
  requests: AsyncIterable<Uint8Array>,
  stream: { write(request: Uint8Array): unknown; end(): void; cancel(): void },
): Promise<void> {
  try {
    for await (const request of requests) await stream.write(request);
    stream.end();
  } catch {
    stream.cancel();
  }
}

function optionsOf(call: Call) {
  const abort = new AbortController();
  call.onCancel(() => abort.abort());
  const remainingMs = call.remainingMs();
  return {
    metadata: metadataOf(call),
    signal: abort.signal,
    ...(Number.isFinite(remainingMs) ? { timeoutMs: Math.max(1, remainingMs) } : {}),
  };
}

function metadataOf(call: Call): [string, string][] {
  return [...call.metadata.entries()].filter(([key]) => key.startsWith('x-mq-')) as [string, string][];
}

function routeTo(self: Endpoints, bytes: Uint8Array): Uint8Array {
  const response = QueryRouteResponse.decode(bytes);
  for (const { broker } of response.messageQueues) if (broker) broker.endpoints = self;
  return QueryRouteResponse.encode(response).finish();
}

function assignmentTo(self: Endpoints, bytes: Uint8Array): Uint8Array {
  const response = QueryAssignmentResponse.decode(bytes);
  for (const { messageQueue } of response.assignments) {
    if (messageQueue?.broker) messageQueue.broker.endpoints = self;
  }
  return QueryAssignmentResponse.encode(response).finish();
}
