import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '@orbitmq/base';
import { RECEIVE_MODE_HEADER, ReceiptHandleCodec, type ReceiveMode, receiveModeOf } from '@orbitmq/protocol';
import {
  type AckMessageRequest,
  Code,
  type Message,
  MessagingServiceDefinition,
  type ReceiveMessageResponse,
  type Settings,
  type Status,
  SystemProperties,
  type TelemetryCommand,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import {
  type BrokerIdentity,
  type BrokerStatus,
  Role,
  type Topic,
  TopicType,
} from '@orbitmq/protocol/orbitmq.route.v1';
import { RouteLookup, RouteTable } from '@orbitmq/routing';
import {
  type BoundMethod,
  bidi,
  type Call,
  createRpcClient,
  type RpcClient,
  RpcError,
  type RpcServer,
  type RpcStatus,
  type Sink,
  serverStream,
  startRpcServer,
  unary,
} from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';
import type { RouteMode } from './dialled-address.ts';
import { Relay } from './relay.ts';

export const silentLogger: Logger = { child: () => silentLogger, debug() {}, info() {}, warn() {}, error() {} };

const OK: Status = { code: Code.OK, message: 'OK' };
const LIMITS = {
  receiveMessageBytesMax: 8_388_608,
  concurrentStreamsMax: 100,
  metadataBytesMax: 16_384,
  connectionsMax: 100,
  connectionsPerAddressMax: 100,
  handshakeTimeoutMs: 5000,
};

/** Where brokers say that they are, in assignments. */
export const OWN_ADDRESS = { host: '10.0.0.9', port: 10_911 };
const LARGE_MESSAGE: Message = {
  topic: undefined,
  userProperties: new Map(),
  systemProperties: SystemProperties.decode(new Uint8Array()),
  body: Buffer.alloc(65_536),
};
const HOST_ADDRESSES: readonly string[] = ['127.0.0.1'];

/** Starts a server on a free port of the loopback address. */
export function serve(methods: readonly BoundMethod[], port = 0, streamsMax = 100): Promise<RpcServer> {
  return startRpcServer({
    host: '127.0.0.1',
    port,
    methods,
    tls: undefined,
    limits: { ...LIMITS, concurrentStreamsMax: streamsMax },
    logger: silentLogger,
    onUnexpectedError: (error) => {
      throw error;
    },
  });
}

/** The far side of the relay: a broker that notes what reaches it and answers in its own name. */
export class TestBroker {
  readonly name: string;
  readonly calls: {
    readonly method: string;
    readonly metadata: ReadonlyMap<string, string>;
    /** Until the deadline of the call, milliseconds. */
    readonly remainingMs: number;
  }[] = [];
  readonly handles: ReceiptHandleCodec;
  /** Settings of each telemetry stream that is open, the newest of each. */
  readonly streams = new Set<{ settings: Settings | undefined; readonly sink: Sink<TelemetryCommand> }>();
  openReceives = 0;
  /** Texts of messages for receives in the modes of the relay, and what became of them. */
  readonly stock: string[] = [];
  readonly handedOut: string[] = [];
  /** Answer to all receives in the modes of the relay. */
  receiveStatus: Status | undefined;
  /** Answer to those that take. */
  takeStatus: Status | undefined;
  readonly #stockWaiters = new Set<() => void>();
  /** Makes sends wait until it settles. */
  sendGate: Promise<void> | undefined;
  /** What becomes of a receive: a message at once, nothing until the client goes, or more than a client takes at once. */
  receiveMode: 'message' | 'wait' | 'cut' | 'large' = 'message';
  refusesSettings = false;
  /** Heartbeats and acknowledgements are refused in gRPC's terms. */
  refusal: RpcStatus | undefined;
  /** Answer to a lite subscription. */
  liteStatus: Status = OK;
  #server: RpcServer | undefined;

  constructor(name: string) {
    this.name = name;
    this.handles = new ReceiptHandleCodec(name, randomBytes(32));
  }

  async start(port = 0): Promise<number> {
    this.#server = await serve(this.#methods(), port);
    return this.#server.port;
  }

  get port(): number {
    return this.#server!.port;
  }

  async stop(): Promise<void> {
    await this.#server?.stop(0);
  }

  handle(queueOffset: number): string {
    return this.handles.encode({ groupUid: 1, topicUid: 1, queueId: 0, queueOffset, leaseId: 1, epoch: 1 });
  }

  /** Puts messages into the stock, and ends the watches. */
  add(...texts: string[]): void {
    this.stock.push(...texts);
    for (const wake of [...this.#stockWaiters]) wake();
  }

  callsOf(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  #note(call: Call): void {
    const method = call.path.slice(call.path.lastIndexOf('/') + 1);
    this.calls.push({ method, metadata: new Map(call.metadata.entries()), remainingMs: call.remainingMs() });
  }

  #refuse(): void {
    if (this.refusal) throw new RpcError(this.refusal, 'not me');
  }

  #methods(): BoundMethod[] {
    return [
      unary(MessagingServiceDefinition, 'heartbeat', (_request, call) => {
        this.#note(call);
        this.#refuse();
        return { status: OK };
      }),
      unary(MessagingServiceDefinition, 'sendMessage', async (request, call) => {
        this.#note(call);
        await this.sendGate;
        const entries = request.messages.map(() => ({
          status: OK,
          messageId: this.name,
          transactionId: '',
          offset: 0n,
          recallHandle: '',
        }));
        return { status: OK, entries };
      }),
      unary(MessagingServiceDefinition, 'ackMessage', (request: AckMessageRequest, call) => {
        this.#note(call);
        this.#refuse();
        const entries = request.entries.map(({ messageId, receiptHandle }) => ({
          messageId,
          receiptHandle,
          status: OK,
        }));
        return { status: OK, entries };
      }),
      unary(MessagingServiceDefinition, 'changeInvisibleDuration', (_request, call) => {
        this.#note(call);
        return { status: OK, receiptHandle: this.name };
      }),
      unary(MessagingServiceDefinition, 'forwardMessageToDeadLetterQueue', (_request, call) => {
        this.#note(call);
        return { status: OK };
      }),
      unary(MessagingServiceDefinition, 'queryAssignment', (request, call) => {
        this.#note(call);
        const broker = { name: this.name, id: 0, endpoints: { scheme: 1 as const, addresses: [OWN_ADDRESS] } };
        const queue = { topic: request.topic, id: -1, permission: 1 as const, broker, acceptMessageTypes: [] };
        return { status: OK, assignments: [{ messageQueue: queue }] };
      }),
      unary(MessagingServiceDefinition, 'syncLiteSubscription', (_request, call) => {
        this.#note(call);
        return { status: this.liteStatus };
      }),
      serverStream(MessagingServiceDefinition, 'receiveMessage', (_request, call, sink) => this.#receive(call, sink)),
      bidi(MessagingServiceDefinition, 'telemetry', (requests, call, sink) => this.#telemetry(requests, call, sink)),
    ];
  }

  async #receive(call: Call, sink: Sink<ReceiveMessageResponse>): Promise<void> {
    this.#note(call);
    this.openReceives++;
    try {
      const mode = receiveModeOf(call.metadata.get(RECEIVE_MODE_HEADER));
      if (mode !== 'wait') return await this.#receiveInMode(mode, call, sink);
      const largeCount = this.receiveMode === 'large' ? 100 : 0;
      if (this.receiveMode === 'cut') throw new RpcError('UNAVAILABLE', 'gone');
      if (this.receiveMode === 'wait') await new Promise<void>((resolve) => call.onCancel(resolve));
      sink.write({ status: { code: Code.OK, message: this.name }, message: undefined, deliveryTimestamp: undefined });
      for (let count = 0; count < largeCount && !call.cancelled; count++) {
        await sink.write({ status: undefined, message: LARGE_MESSAGE, deliveryTimestamp: undefined });
      }
    } finally {
      this.openReceives--;
    }
  }

  async #receiveInMode(mode: ReceiveMode, call: Call, sink: Sink<ReceiveMessageResponse>): Promise<void> {
    const nothing = { status: undefined, message: undefined, deliveryTimestamp: undefined };
    if (mode === 'watch' && this.stock.length === 0) {
      await new Promise<void>((resolve) => {
        this.#stockWaiters.add(resolve);
        call.onCancel(resolve);
      });
    }
    if (call.cancelled) return;
    const status = this.stock.length > 0 ? OK : { code: Code.MESSAGE_NOT_FOUND, message: 'nothing' };
    const refusal = this.receiveStatus ?? (mode === 'take' ? this.takeStatus : undefined);
    sink.write({ ...nothing, status: refusal ?? status });
    if (mode === 'take' && !refusal) {
      for (const text of this.stock.splice(0)) {
        this.handedOut.push(text);
        const systemProperties = SystemProperties.decode(new Uint8Array());
        const body = Buffer.from(text);
        sink.write({ ...nothing, message: { topic: undefined, userProperties: new Map(), systemProperties, body } });
      }
    }
    sink.write({ ...nothing, deliveryTimestamp: { seconds: 1n, nanos: 0 } });
  }

  async #telemetry(requests: AsyncIterable<TelemetryCommand>, call: Call, sink: Sink<TelemetryCommand>): Promise<void> {
    this.#note(call);
    const stream: { settings: Settings | undefined; sink: Sink<TelemetryCommand> } = { settings: undefined, sink };
    this.streams.add(stream);
    try {
      for await (const command of requests) {
        if (this.refusesSettings) throw new RpcError('INVALID_ARGUMENT', 'these settings are wrong');
        if (!command.settings) continue;
        stream.settings = command.settings;
        const userAgent = { language: 0 as const, version: '', platform: '', hostname: this.name };
        sink.write({ ...command, status: OK, settings: { ...command.settings, userAgent } });
      }
    } finally {
      this.streams.delete(stream);
    }
  }
}

/** A relay in front of brokers, and a client of it. */
export class TestRelay {
  readonly table: RouteTable;
  readonly client: RpcClient;
  readonly #relay: Relay;
  readonly #server: RpcServer;

  /** Where its clients are served. */
  get port(): number {
    return this.#server.port;
  }

  private constructor(table: RouteTable, relay: Relay, server: RpcServer) {
    this.table = table;
    this.#relay = relay;
    this.#server = server;
    this.client = createRpcClient({ addresses: [`127.0.0.1:${server.port}`], tls: undefined });
  }

  static async start(warmUpMs = 0, clock: Clock = systemClock, mode: RouteMode = 'auto'): Promise<TestRelay> {
    const table = new RouteTable({ silenceMs: 60_000, graceMs: 60_000, brokerCountMax: 10 });
    const lookup = new RouteLookup(table, clock, warmUpMs);
    let clientPort = 0;
    const relay = new Relay({
      table,
      lookup,
      clock,
      logger: silentLogger,
      answerBytesMax: LIMITS.receiveMessageBytesMax,
      access: {
        mode,
        clusterAddresses: [],
        hostName: 'this-host',
        hostAddresses: () => HOST_ADDRESSES,
        clientPort: () => clientPort,
      },
    });
    const server = await serve(relay.methods, 0, 1000);
    clientPort = server.port;
    return new TestRelay(table, relay, server);
  }

  /** Makes a broker known. */
  register(
    name: string,
    port: number,
    topicNames: readonly string[],
    autoCreate: BrokerStatus['autoCreate'] = undefined,
  ): void {
    const identity: BrokerIdentity = {
      cluster: 'DefaultCluster',
      brokerName: name,
      brokerId: 0,
      epoch: 1n,
      incarnation: 1n,
      role: Role.ROLE_MASTER,
      clientEndpoints: { scheme: 1, addresses: [{ host: '127.0.0.1', port }] },
      adminAddress: '',
      replicationAddress: '',
      acting: false,
      version: '',
    };
    const status: BrokerStatus = { permission: 6, autoCreate };
    const topics = new Map(topicNames.map((topicName) => [topicName, topicOf(topicName)]));
    this.table.register({ identity, status, topics, version: 1n }, {}, 0);
  }

  forget(name: string): void {
    const entry = this.table.masterOf(name);
    if (entry) this.table.remove(entry);
  }

  /** Stops the client port as a process does that ends well. */
  stopServer(graceMs: number): Promise<void> {
    return this.#server.stop(graceMs);
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.#server.stop(0);
    await this.#relay.stop();
  }
}

function topicOf(name: string): Topic {
  const counts = { readQueueCount: 2, writeQueueCount: 2 };
  const type = name.startsWith('lite') ? TopicType.TOPIC_TYPE_LITE : TopicType.TOPIC_TYPE_NORMAL;
  return { name, ...counts, permission: 6, type, autoCreated: false };
}
