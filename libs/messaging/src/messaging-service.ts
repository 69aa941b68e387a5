import { type Clock, MIB, type Random, type Timer } from '@orbitmq/base';
import {
  type AckRequest,
  decodeAckRequest,
  decodeSendMessageRequest,
  type IncomingMessage,
  RecallHandleCodec,
  ReceiptHandleCodec,
  TransactionIdCodec,
} from '@orbitmq/protocol';
import {
  type ChangeInvisibleDurationRequest,
  type EndTransactionRequest,
  type ForwardMessageToDeadLetterQueueRequest,
  type GetOffsetRequest,
  type HeartbeatRequest,
  MessagingServiceDefinition,
  type NotifyClientTerminationRequest,
  type PullMessageRequest,
  type QueryAssignmentRequest,
  type QueryOffsetRequest,
  type QueryRouteRequest,
  type RecallMessageRequest,
  type ReceiveMessageRequest,
  type SyncLiteSubscriptionRequest,
  type UpdateOffsetRequest,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { type BoundMethod, bidi, boundRequests, type Sink, serverStream, unary, unaryReply } from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';
import type { Shard } from '@orbitmq/shard';
import type { HalfRef, Topic, TransactionEnd } from '@orbitmq/views';
import { Acknowledging, encodeAckMessage } from './ack.ts';
import { Agreements } from './agreements.ts';
import { answering } from './answers.ts';
import { changeInvisibleDuration } from './change-invisible.ts';
import { CheckIntervals } from './check-interval.ts';
import type { MessagingConfig } from './config.ts';
import { type Connection, connectionsOf, type LiteReader, liteReadersOf } from './connections.ts';
import type { MessagingContext } from './context.ts';
import { forwardToDeadLetterQueue } from './dead-letter.ts';
import type { MessagingEvents } from './events.ts';
import { Filters } from './filters.ts';
import { LiteClients } from './lite-clients.ts';
import { LiteSubscribing } from './lite-subscribing.ts';
import { heartbeat, notifyClientTermination } from './presence.ts';
import { Provision } from './provision.ts';
import { Pulling } from './pull.ts';
import { recallMessage } from './recall.ts';
import { Receiving } from './receive.ts';
import { Renewals } from './renewals.ts';
import type { RouteSource } from './route-source.ts';
import { queryAssignment, queryRoute } from './routes.ts';
import { Sending } from './send.ts';
import { encodeSendAnswer } from './send-answer.ts';
import { SendsElsewhere } from './sends-elsewhere.ts';
import { Sessions } from './sessions.ts';
import { getOffset, queryOffset, updateOffset } from './stored-offsets.ts';
import { Telemetry } from './telemetry.ts';
import { TransactionChecks } from './transaction-checks.ts';
import { TransactionEnding } from './transactions.ts';

/** Changes of groups that come close together are told to clients once. Milliseconds. */
const ANNOUNCE_DELAY_MS = 100;

/** Longest request but for SendMessage, whose decoder bounds the number of messages. */
const REQUEST_BYTES_MAX = MIB;

/** What the messaging service is made of. */
export interface MessagingServiceOptions {
  readonly shard: Shard;
  readonly routes: RouteSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly config: MessagingConfig;
  readonly events: MessagingEvents;
}

/** How much is going on, for metrics. */
export interface MessagingGauges {
  readonly sessions: number;
  readonly telemetryStreams: number;
  readonly waitingPolls: number;
  /** Messages held by living clients with auto_renew. */
  readonly renewedMessages: number;
  /** Clients that read lite topics. */
  readonly liteClients: number;
  /** Lite topics that they have named, all together. */
  readonly liteSubscriptions: number;
}

/** The service `apache.rocketmq.v2.MessagingService` over one shard. */
export interface MessagingService {
  /** To be registered with an RPC server; methods that are not here are UNIMPLEMENTED. */
  readonly methods: readonly BoundMethod[];
  /** Goes on with what the clients of before a restart held, and begins to follow changes of groups. */
  start(): void;
  /** Ends timers; streams and long polls end by themselves when the RPC server begins to stop. Idempotent. */
  stop(): void;
  gauges(): MessagingGauges;
  /** Clients that are known now. */
  connections(): Connection[];
  /** Those that read lite topics. */
  liteReaders(): LiteReader[];
  /**
   * Ends a transaction by hand, as EndTransaction does.
   * @throws MqError INVALID_TRANSACTION_ID when it ended otherwise before, or is not known
   */
  endTransaction(topic: Topic, half: HalfRef, end: TransactionEnd): Promise<void>;
}

export function createMessagingService(options: MessagingServiceOptions): MessagingService {
  const { clock, config, events, logger, shard } = options;
  const renewals = new Renewals(shard, clock, events, config);
  const context: MessagingContext = {
    ...options,
    liteClients: new LiteClients(shard, clock, config.times),
    sessions: new Sessions(clock, config.limits, config.times, (session) => renewals.resume(session)),
    renewals,
    provision: new Provision(shard, config),
    filters: new Filters(config),
    agreements: new Agreements(clock, logger, config),
    handles: new ReceiptHandleCodec(config.brokerName, shard.metadata.secret),
    recallHandles: new RecallHandleCodec(config.brokerName, shard.metadata.secret),
    transactionIds: new TransactionIdCodec(config.brokerName, shard.metadata.secret),
    checkIntervals: new CheckIntervals(config.transactions.checkIntervalMs),
  };
  const telemetry = new Telemetry(context);
  const ending = new TransactionEnding(context);
  const checks = new TransactionChecks(context);
  const receiving = new Receiving(context);
  const elsewhere = new SendsElsewhere(context);
  let announcing: Timer | undefined;
  let stopFollowing: (() => void) | undefined;
  return {
    methods: boundRequests(methodsOf(context, { telemetry, receiving, ending, elsewhere }), REQUEST_BYTES_MAX, [
      'SendMessage',
    ]),
    start() {
      renewals.start();
      checks.start();
      stopFollowing ??= shard.onMetadataChange(() => {
        announcing ??= clock.setTimer(ANNOUNCE_DELAY_MS, () => {
          announcing = undefined;
          telemetry.announceGroups();
        });
      });
    },
    stop() {
      stopFollowing?.();
      stopFollowing = undefined;
      announcing?.cancel();
      announcing = undefined;
      checks.stop();
      elsewhere.stop();
      context.sessions.stop();
      context.liteClients.stop();
      context.renewals.stop();
    },
    gauges: () => ({
      sessions: context.sessions.size,
      telemetryStreams: telemetry.streamCount,
      waitingPolls: receiving.polls.count,
      renewedMessages: context.renewals.count,
      liteClients: context.liteClients.count,
      liteSubscriptions: shard.liteSubscriptionCount,
    }),
    connections: () => connectionsOf(context.sessions),
    liteReaders: () => liteReadersOf(context.liteClients),
    endTransaction: (topic, half, end) => ending.end(topic, half, end),
  };
}

interface Handlers {
  readonly telemetry: Telemetry;
  readonly receiving: Receiving;
  readonly ending: TransactionEnding;
  readonly elsewhere: SendsElsewhere;
}

function methodsOf(context: MessagingContext, { telemetry, receiving, ending, elsewhere }: Handlers): BoundMethod[] {
  const { events } = context;
  const sending = new Sending(context, elsewhere);
  const liteSubscribing = new LiteSubscribing(context);
  const acknowledging = new Acknowledging(context);
  const pulling = new Pulling(context, receiving.polls);
  return [
    unary(
      MessagingServiceDefinition,
      'queryRoute',
      answering(
        'QueryRoute',
        events,
        (request: QueryRouteRequest, call) => queryRoute(context, request, call),
        (status) => ({ status, messageQueues: [] }),
      ),
    ),
    unary(
      MessagingServiceDefinition,
      'queryAssignment',
      answering(
        'QueryAssignment',
        events,
        (request: QueryAssignmentRequest, call) => queryAssignment(context, request, call),
        (status) => ({ status, assignments: [] }),
      ),
    ),
    unary(
      MessagingServiceDefinition,
      'heartbeat',
      answering(
        'Heartbeat',
        events,
        (request: HeartbeatRequest, call) => heartbeat(context, request, call),
        (status) => ({ status }),
      ),
    ),
    unary(
      MessagingServiceDefinition,
      'notifyClientTermination',
      answering(
        'NotifyClientTermination',
        events,
        (request: NotifyClientTerminationRequest, call) => notifyClientTermination(context, request, call),
        (status) => ({ status }),
      ),
    ),
    unaryReply(
      MessagingServiceDefinition,
      'sendMessage',
      (messages: readonly IncomingMessage[], call, reply) => sending.send(messages, call, reply),
      { decode: decodeSendMessageRequest, encode: encodeSendAnswer },
    ),
    serverStream(
      MessagingServiceDefinition,
      'receiveMessage',
      (request: ReceiveMessageRequest, call, sink: Sink<Uint8Array>) => receiving.receive(request, call, sink),
      { encode: (response: Uint8Array) => response },
    ),
    unaryReply(
      MessagingServiceDefinition,
      'ackMessage',
      (request: AckRequest, call, reply) => acknowledging.acknowledge(request, call, reply),
      { decode: decodeAckRequest, encode: encodeAckMessage },
    ),
    unary(
      MessagingServiceDefinition,
      'changeInvisibleDuration',
      answering(
        'ChangeInvisibleDuration',
        events,
        (request: ChangeInvisibleDurationRequest, call) => changeInvisibleDuration(context, request, call),
        (status) => ({ status, receiptHandle: '' }),
      ),
    ),
    unary(
      MessagingServiceDefinition,
      'recallMessage',
      answering(
        'RecallMessage',
        events,
        (request: RecallMessageRequest, call) => recallMessage(context, request, call),
        (status) => ({ status, messageId: '' }),
      ),
    ),
    unary(
      MessagingServiceDefinition,
      'endTransaction',
      answering(
        'EndTransaction',
        events,
        (request: EndTransactionRequest, call) => ending.endTransaction(request, call),
        (status) => ({ status }),
      ),
    ),
    unary(
      MessagingServiceDefinition,
      'forwardMessageToDeadLetterQueue',
      answering(
        'ForwardMessageToDeadLetterQueue',
        events,
        (request: ForwardMessageToDeadLetterQueueRequest, call) => forwardToDeadLetterQueue(context, request, call),
        (status) => ({ status }),
      ),
    ),
    serverStream(
      MessagingServiceDefinition,
      'pullMessage',
      (request: PullMessageRequest, call, sink: Sink<Uint8Array>) => pulling.pull(request, call, sink),
      { encode: (response: Uint8Array) => response },
    ),
    unary(
      MessagingServiceDefinition,
      'queryOffset',
      answering(
        'QueryOffset',
        events,
        (request: QueryOffsetRequest, call) => queryOffset(context, request, call),
        (status) => ({ status, offset: 0n }),
      ),
    ),
    unary(
      MessagingServiceDefinition,
      'getOffset',
      answering(
        'GetOffset',
        events,
        (request: GetOffsetRequest, call) => getOffset(context, request, call),
        (status) => ({ status, offset: 0n }),
      ),
    ),
    unary(
      MessagingServiceDefinition,
      'updateOffset',
      answering(
        'UpdateOffset',
        events,
        (request: UpdateOffsetRequest, call) => updateOffset(context, request, call),
        (status) => ({ status }),
      ),
    ),
    unary(
      MessagingServiceDefinition,
      'syncLiteSubscription',
      answering(
        'SyncLiteSubscription',
        events,
        (request: SyncLiteSubscriptionRequest, call) => liteSubscribing.sync(request, call),
        (status) => ({ status }),
      ),
    ),
    bidi(MessagingServiceDefinition, 'telemetry', telemetry.handle),
  ];
}
