import { MqError } from '@orbitmq/base';
import {
  type GetClusterResponse_Broker,
  type GetRouteResponse,
  type ListTopicsResponse_TopicPlacement,
  RouteServiceDefinition,
} from '@orbitmq/protocol/orbitmq.route.v1';
import { type RpcClient, RpcError } from '@orbitmq/rpc';
import type { NameServers } from './name-servers.ts';

/** Asks the name servers about the cluster, as operators' tools do: each question goes to the first one that answers. */
export class ClusterClient {
  readonly #nameServers: NameServers;
  readonly #timeoutMs: number;

  /** @param timeoutMs time that one name server gets to answer */
  constructor(nameServers: NameServers, timeoutMs = 3000) {
    this.#nameServers = nameServers;
    this.#timeoutMs = timeoutMs;
  }

  /** All brokers that are registered. @throws MqError PROXY_TIMEOUT when no name server answers */
  async brokers(): Promise<GetClusterResponse_Broker[]> {
    const { brokers } = await this.#ask((client, options) =>
      client.unary(RouteServiceDefinition, 'getCluster', {}, options),
    );
    return brokers;
  }

  /** @throws MqError PROXY_TIMEOUT when no name server answers */
  routeOf(topic: string): Promise<GetRouteResponse> {
    return this.#ask((client, options) => client.unary(RouteServiceDefinition, 'getRoute', { topic }, options));
  }

  /** Who holds a topic; undefined when nobody does. @throws MqError PROXY_TIMEOUT when no name server answers */
  async topic(name: string): Promise<ListTopicsResponse_TopicPlacement | undefined> {
    const request = { name, after: '', limit: 1 };
    const { topics } = await this.#ask((client, options) =>
      client.unary(RouteServiceDefinition, 'listTopics', request, options),
    );
    return topics[0];
  }

  /** All topics with their holders, by name. @throws MqError PROXY_TIMEOUT when no name server answers */
  async topics(): Promise<ListTopicsResponse_TopicPlacement[]> {
    const found: ListTopicsResponse_TopicPlacement[] = [];
    for (;;) {
      const request = { name: '', after: found.at(-1)?.name ?? '', limit: 0 };
      const page = await this.#ask((client, options) =>
        client.unary(RouteServiceDefinition, 'listTopics', request, options),
      );
      found.push(...page.topics);
      if (!page.more || page.topics.length === 0) return found;
    }
  }

  async #ask<Answer>(
    question: (client: RpcClient, options: { timeoutMs: number }) => Promise<Answer>,
  ): Promise<Answer> {
    const failures: string[] = [];
    for (const { address, client } of this.#nameServers.all) {
      try {
        return await question(client, { timeoutMs: this.#timeoutMs });
      } catch (error) {
        if (!(error instanceof RpcError) || !isOutOfReach(error)) throw error;
        failures.push(`${address} (${error.status === 'UNAVAILABLE' ? 'not reachable' : 'does not answer'})`);
      }
    }
    throw new MqError('PROXY_TIMEOUT', `no name server answers: ${failures.join(', ')}`);
  }
}

function isOutOfReach(error: RpcError): boolean {
  return error.status === 'UNAVAILABLE' || error.status === 'DEADLINE_EXCEEDED' || error.status === 'UNIMPLEMENTED';
}
