import { type Clock, MqError } from '@orbitmq/base';
import {
  type GetClusterResponse,
  type GetRouteResponse,
  type ListTopicsRequest,
  type ListTopicsResponse,
  type RegisterReply,
  type RegisterRequest,
  RouteServiceDefinition,
} from '@orbitmq/protocol/orbitmq.route.v1';
import { RegistrationError, RegistrationSession, type RouteLookup, type RouteTable } from '@orbitmq/routing';
import { type BoundMethod, bidi, type Call, RpcError, type RpcStatus, type Sink, unary } from '@orbitmq/rpc';
import type { Logger } from '@orbitmq/runtime';

export interface RouteServiceOptions {
  readonly table: RouteTable;
  readonly lookup: RouteLookup;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Names this name server to brokers and operators. */
  readonly nameServerId: string;
}

const PAGE_TOPICS_MAX = 1000;

const STATUS_OF_FAULT: Readonly<Record<RegistrationError['fault'], RpcStatus>> = {
  superseded: 'FAILED_PRECONDITION',
  invalid: 'INVALID_ARGUMENT',
  full: 'RESOURCE_EXHAUSTED',
};

/** `orbitmq.route.v1.RouteService` over the route table. */
export function routeMethods(options: RouteServiceOptions): BoundMethod[] {
  return [
    bidi(RouteServiceDefinition, 'register', (requests, call, sink) => register(options, requests, call, sink)),
    unary(RouteServiceDefinition, 'getRoute', ({ topic }) => getRoute(options, topic)),
    unary(RouteServiceDefinition, 'getCluster', () => getCluster(options)),
    unary(RouteServiceDefinition, 'listTopics', (request) => listTopics(options, request)),
  ];
}

async function register(
  { table, clock, logger, nameServerId }: RouteServiceOptions,
  requests: AsyncIterable<RegisterRequest>,
  call: Call,
  sink: Sink<RegisterReply>,
): Promise<void> {
  const session = new RegistrationSession(table, nameServerId);
  try {
    for await (const request of requests) {
      const reply = session.handle(request, clock.monotonicMs());
      const { identity } = session;
      const who = { broker: identity?.brokerName, id: identity?.brokerId };
      if (request.unregister) logger.info(who, 'broker has unregistered');
      else if (request.begin) logger.info({ ...who, peer: call.peer }, 'broker registers');
      if (reply) await sink.write(reply);
    }
  } catch (error) {
    if (!(error instanceof RegistrationError)) throw error;
    logger.warn({ peer: call.peer, fault: error.fault, reason: error.message }, 'registration refused');
    throw new RpcError(STATUS_OF_FAULT[error.fault], error.message, error);
  } finally {
    session.close(clock.monotonicMs());
  }
}

async function getRoute({ lookup }: RouteServiceOptions, topicName: string): Promise<GetRouteResponse> {
  const { exists, queues } = await lookup.routeOf(topicName);
  return { exists, messageQueues: [...queues] };
}

function getCluster({ table, clock, nameServerId }: RouteServiceOptions): GetClusterResponse {
  const nowMs = clock.monotonicMs();
  const brokers = Array.from(table.brokers(), (entry) => ({
    identity: entry.identity,
    status: entry.status,
    connected: entry.owner !== undefined,
    silentMs: BigInt(Math.round(nowMs - entry.heardMs)),
    registeredMs: BigInt(Math.round(nowMs - entry.registeredMs)),
    topicCount: entry.topics.size,
    version: entry.version,
  }));
  return { nameServerId, brokers };
}

function listTopics({ table }: RouteServiceOptions, request: ListTopicsRequest): ListTopicsResponse {
  const { name, after, limit } = request;
  if (limit < 0 || limit > PAGE_TOPICS_MAX) {
    throw new MqError('BAD_REQUEST', `limit must be 0…${PAGE_TOPICS_MAX}; found ${limit}`);
  }
  const wanted = name === '' ? table.topicNames().filter((each) => each > after) : [name];
  const page = wanted.slice(0, limit || PAGE_TOPICS_MAX);
  const topics = page.flatMap((each) => {
    const placements = table.placementsOf(each).map(({ broker, topic }) => ({
      cluster: broker.cluster,
      brokerName: broker.brokerName,
      brokerId: broker.brokerId,
      topic,
    }));
    return placements.length > 0 ? [{ name: each, placements }] : [];
  });
  return { topics, more: page.length < wanted.length };
}
