import { setTimeout as realDelay } from 'node:timers/promises';
import { MIB, seededRandom } from '@orbitmq/base';
import {
  AckMessageRequest,
  type AckMessageResponse,
  ChangeInvisibleDurationRequest,
  type ChangeInvisibleDurationResponse,
  Code,
  Encoding,
  FilterType,
  ForwardMessageToDeadLetterQueueRequest,
  type ForwardMessageToDeadLetterQueueResponse,
  type Message,
  MessageType,
  MessagingServiceDefinition,
  ReceiveMessageRequest,
  type Resource,
  SendMessageRequest,
  type SendMessageResponse,
  type Status,
  SystemProperties,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import {
  type BoundMethod,
  type CallOptions,
  createRpcClient,
  type RpcClient,
  type RpcServer,
  startRpcServer,
} from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';
import { type OpenedShard, openShard } from '@orbitmq/shard';
import type { CommitLogOptions } from '@orbitmq/storage';
import { SimClock } from '@orbitmq/testkit';
import { memoryVfs, type Vfs } from '@orbitmq/vfs';
import type { Group, Topic, TopicMessageType } from '@orbitmq/views';
import { DEFAULT_RETRY_POLICY } from './backoff.ts';
import { MESSAGING_DEFAULTS, type MessagingConfig } from './config.ts';
import { type MessagingEvents, NO_MESSAGING_EVENTS } from './events.ts';
import { createMessagingService, type MessagingService } from './messaging-service.ts';
import { ownRoutes } from './route-source.ts';
import { durationOf } from './times.ts';

const SILENT: Logger = {
  child: () => SILENT,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const PATIENCE_MS = 10_000;

/** Serves methods at a free port. */
export function listen(methods: readonly BoundMethod[]): Promise<RpcServer> {
  return startRpcServer({
    host: '127.0.0.1',
    port: 0,
    methods,
    tls: undefined,
    limits: {
      receiveMessageBytesMax: 16 * MIB,
      concurrentStreamsMax: 1_000,
      metadataBytesMax: 16_384,
      connectionsMax: 100,
      connectionsPerAddressMax: 100,
      handshakeTimeoutMs: 10_000,
    },
    logger: SILENT,
    onUnexpectedError: (error) => {
      throw error;
    },
  });
}

/** What one receive answered. */
export interface Received {
  readonly status: Status;
  readonly messages: readonly Message[];
  readonly deliveryTimestampCount: number;
}

/** How a test's messages, receives and calls may differ from the usual. */
export interface MessageWish {
  readonly topic?: string;
  readonly body?: Uint8Array;
  readonly properties?: ReadonlyMap<string, string>;
  readonly system?: Partial<SystemProperties>;
}
export interface ReceiveWish {
  readonly group?: string;
  readonly topic?: string;
  readonly tags?: string;
  /** Takes the place of `tags`. */
  readonly sql?: string;
  readonly batchSize?: number;
  readonly invisibleMs?: number;
  readonly autoRenew?: boolean;
  readonly pollingMs?: number;
  readonly attemptId?: string;
}

export const resource = (name: string): Resource => ({ resourceNamespace: '', name });

/** A message as a client would send it. */
export function message(id: string, wish: MessageWish = {}): Message {
  return {
    topic: resource(wish.topic ?? 'orders'),
    userProperties: new Map(wish.properties),
    systemProperties: {
      ...SystemProperties.decode(new Uint8Array()),
      messageId: id,
      messageType: MessageType.NORMAL,
      bodyEncoding: Encoding.IDENTITY,
      bornHost: 'client-host',
      ...wish.system,
    },
    body: wish.body ?? Buffer.from(`body of ${id}`),
  };
}

/**
 * A broker in this process: the real service over a real RPC port and a real shard on files in memory. Its time is
 * simulated; the network's is not.
 */
export class TestBroker {
  readonly clock = new SimClock();
  readonly shard: OpenedShard;
  readonly service: MessagingService;
  readonly client: RpcClient;
  private readonly server: RpcServer;

  private constructor(clock: SimClock, shard: OpenedShard, service: MessagingService, server: RpcServer) {
    this.clock = clock;
    this.shard = shard;
    this.service = service;
    this.server = server;
    this.client = createRpcClient({ addresses: [`127.0.0.1:${server.port}`], tls: undefined });
  }

  static async start(
    changes: Partial<MessagingConfig> = {},
    events: MessagingEvents = NO_MESSAGING_EVENTS,
    storage: { readonly clock?: SimClock; readonly vfs?: Vfs; readonly log?: Partial<CommitLogOptions> } = {},
  ): Promise<TestBroker> {
    const clock = storage.clock ?? new SimClock();
    const random = seededRandom(1);
    const log = { flushDiskType: 'ASYNC_FLUSH', segmentSizeBytes: 64 * MIB, ...storage.log } as const;
    const opening = openShard({
      vfs: storage.vfs ?? memoryVfs(),
      clock,
      random,
      logger: SILENT,
      directory: '/store',
      options: { log },
      defer: setImmediate,
    });
    const shard = await settle(clock, opening);
    const config = { ...MESSAGING_DEFAULTS, brokerName: 'broker-a', storeHost: '127.0.0.1:10911', ...changes };
    const routes = ownRoutes({
      metadata: shard.metadata,
      brokerName: config.brokerName,
      host: '127.0.0.1',
      port: 10911,
      autoCreateTopicEnable: config.autoCreateTopicEnable,
      defaultTopicQueueNums: config.defaultTopicQueueNums,
    });
    const service = createMessagingService({ shard, routes, clock, random, logger: SILENT, config, events });
    service.start();
    return new TestBroker(clock, shard, service, await listen(service.methods));
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.server.stop(1_000);
    this.service.stop();
    await this.shard.close();
  }

  get port(): number {
    return this.server.port;
  }

  /** Begins to stop the port, as a broker does. */
  drain(): Promise<void> {
    return this.server.stop(5_000);
  }

  async makeTopic(
    name: string,
    messageType: TopicMessageType = 'NORMAL',
    queueCount = 1,
    permission = 6,
  ): Promise<Topic> {
    return await this.shard.putTopic({
      name,
      readQueueCount: queueCount,
      writeQueueCount: queueCount,
      permission,
      messageType,
      retentionMs: undefined,
      retentionBytes: undefined,
      autoCreated: false,
      attributes: new Map(),
    });
  }

  async makeGroup(name: string, changes: Partial<Group> = {}): Promise<Group> {
    return await this.shard.putGroup({
      name,
      consumeEnable: true,
      consumeMessageOrderly: false,
      retryMaxTimes: 16,
      retryPolicy: DEFAULT_RETRY_POLICY,
      autoCreated: false,
      attributes: new Map(),
      ...changes,
    });
  }

  send(...messages: Message[]): Promise<SendMessageResponse> {
    return this.client.unary(
      MessagingServiceDefinition,
      'sendMessage',
      { ...SendMessageRequest.decode(new Uint8Array()), messages },
      as('producer'),
    );
  }

  /** Receives, and moves time on until the answer is there. */
  async receive(wish: ReceiveWish = {}, options: CallOptions = as('consumer')): Promise<Received> {
    return await this.run(this.receiveLater(wish, options));
  }

  /** The request of a receive. */
  receiveRequest(wish: ReceiveWish = {}): ReceiveMessageRequest {
    const { group = 'group', topic = 'orders', tags = '*', batchSize = 32, invisibleMs = 30_000 } = wish;
    return {
      ...ReceiveMessageRequest.decode(new Uint8Array()),
      group: resource(group),
      messageQueue: { topic: resource(topic), id: 0, permission: 4, broker: undefined, acceptMessageTypes: [] },
      filterExpression:
        wish.sql === undefined
          ? { type: FilterType.TAG, expression: tags }
          : { type: FilterType.SQL, expression: wish.sql },
      batchSize,
      invisibleDuration: wish.autoRenew ? undefined : durationOf(invisibleMs),
      autoRenew: wish.autoRenew ?? false,
      longPollingTimeout: durationOf(wish.pollingMs ?? 20_000),
      attemptId: wish.attemptId,
    };
  }

  /** Receives; time stands still. */
  async receiveLater(wish: ReceiveWish = {}, options: CallOptions = as('consumer')): Promise<Received> {
    const request = this.receiveRequest(wish);
    const messages: Message[] = [];
    const statuses: Status[] = [];
    let deliveryTimestampCount = 0;
    for await (const response of this.client.serverStream(
      MessagingServiceDefinition,
      'receiveMessage',
      request,
      options,
    )) {
      if (response.status) statuses.push(response.status);
      if (response.message) messages.push(response.message);
      if (response.deliveryTimestamp) deliveryTimestampCount++;
    }
    return { status: statuses[0] ?? { code: Code.CODE_UNSPECIFIED, message: '' }, messages, deliveryTimestampCount };
  }

  ack(
    handles: readonly string[],
    wish: { group?: string; topic?: string; options?: CallOptions } = {},
  ): Promise<AckMessageResponse> {
    const { group = 'group', topic = 'orders', options = as('consumer') } = wish;
    return this.client.unary(
      MessagingServiceDefinition,
      'ackMessage',
      {
        ...AckMessageRequest.decode(new Uint8Array()),
        group: resource(group),
        topic: resource(topic),
        entries: handles.map((receiptHandle, index) => ({ messageId: `m${index}`, receiptHandle })),
      },
      options,
    );
  }

  changeInvisible(
    receiptHandle: string,
    invisibleMs: number,
    wish: { group?: string; topic?: string; options?: CallOptions } = {},
  ): Promise<ChangeInvisibleDurationResponse> {
    const { group = 'group', topic = 'orders', options = as('consumer') } = wish;
    return this.client.unary(
      MessagingServiceDefinition,
      'changeInvisibleDuration',
      {
        ...ChangeInvisibleDurationRequest.decode(new Uint8Array()),
        group: resource(group),
        topic: resource(topic),
        receiptHandle,
        invisibleDuration: {
          seconds: BigInt(Math.floor(invisibleMs / 1_000)),
          nanos: (invisibleMs % 1_000) * 1_000_000,
        },
      },
      options,
    );
  }

  forward(
    receiptHandle: string,
    wish: { group?: string; topic?: string; options?: CallOptions } = {},
  ): Promise<ForwardMessageToDeadLetterQueueResponse> {
    const { group = 'group', topic = 'orders', options = as('consumer') } = wish;
    return this.client.unary(
      MessagingServiceDefinition,
      'forwardMessageToDeadLetterQueue',
      {
        ...ForwardMessageToDeadLetterQueueRequest.decode(new Uint8Array()),
        group: resource(group),
        topic: resource(topic),
        receiptHandle,
      },
      options,
    );
  }

  /** Moves time on until `promise` settles. */
  run<Result>(promise: Promise<Result>): Promise<Result> {
    return settle(this.clock, promise);
  }

  /** Waits, in real time, until `condition` holds; simulated time stands still. */
  async until(condition: () => boolean): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS;
    while (!condition()) {
      if (performance.now() > endMs) throw new Error(`not within ${PATIENCE_MS} ms: ${condition}`);
      await realDelay(1);
    }
  }
}

/** Moves time on until `promise` settles. */
async function settle<Result>(clock: SimClock, promise: Promise<Result>): Promise<Result> {
  let settled = false;
  const mark = (): void => {
    settled = true;
  };
  promise.then(mark, mark);
  // the network needs a moment of real time in which nothing is due
  for (let round = 0; !settled; round++) {
    await realDelay(1);
    if (round >= 20) await clock.advance(100);
  }
  return await promise;
}

/** Options of a call that a client makes. */
export function as(clientId: string, headers: Readonly<Record<string, string>> = {}): CallOptions {
  const metadata = Object.entries({ 'x-mq-client-id': clientId, 'x-mq-language': 'JAVA', ...headers });
  return { metadata, timeoutMs: 60_000 };
}

/** The receipt handle of a received message. */
export function handleOf(received: Message): string {
  return received.systemProperties?.receiptHandle ?? '';
}

/** The ids of received messages. */
export function idsOf(received: Received): string[] {
  return received.messages.map(({ systemProperties }) => systemProperties?.messageId ?? '');
}
