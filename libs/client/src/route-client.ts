import { type Clock, MqError } from '@orbitmq/base';
import type { MessageQueue } from '@orbitmq/protocol/apache.rocketmq.v2';
import { RouteServiceDefinition } from '@orbitmq/protocol/orbitmq.route.v1';
import { RpcError } from '@orbitmq/rpc';
import type { NameServer, NameServers } from './name-servers.ts';

export interface RouteClientOptions {
  readonly nameServers: NameServers;
  readonly clock: Clock;
  /** A route is given again without asking for so long. Default 1000. Milliseconds. */
  readonly freshMs?: number;
  /** While no name server answers, an older route is still given for so long. Default 300,000. Milliseconds. */
  readonly staleMs?: number;
  /** One name server gets so long to answer, then the next one is asked. Default 1000. Milliseconds. */
  readonly timeoutMs?: number;
}

/** What a name server says about a topic. */
export interface TopicRoute {
  /** Some broker has the topic; otherwise the queues are those that its first message would make. */
  readonly exists: boolean;
  /** As clients get them, without a namespace. Empty: there is no such topic, and nobody would make it. Shared: not to be altered. */
  readonly queues: readonly MessageQueue[];
}

interface CachedRoute {
  readonly route: TopicRoute;
  readonly fetchedMs: number;
}

const CACHED_ROUTES_MAX = 10_000;

/** Asks the name servers for routes: the one that answered last, then the others in order. */
export class RouteClient {
  readonly #options: Required<RouteClientOptions>;
  readonly #cache = new Map<string, CachedRoute>();
  readonly #asking = new Map<string, Promise<TopicRoute>>();
  #preferred = 0;

  constructor(options: RouteClientOptions) {
    this.#options = { freshMs: 1000, staleMs: 300_000, timeoutMs: 1000, ...options };
  }

  /**
   * The route of a topic.
   * @throws MqError PROXY_TIMEOUT when no name server answers and no earlier answer is at hand
   */
  routeOf(topicName: string): Promise<TopicRoute> {
    const cached = this.#cache.get(topicName);
    // A topic may be made at any moment, and whoever made it expects to find it: only what exists is kept.
    if (cached?.route.exists && this.#ageMs(cached) < this.#options.freshMs) return Promise.resolve(cached.route);
    let asking = this.#asking.get(topicName);
    if (!asking) {
      asking = this.#ask(topicName).finally(() => this.#asking.delete(topicName));
      this.#asking.set(topicName, asking);
    }
    return asking;
  }

  /** Forgets what it knows of a topic, as after a change that this process has made. */
  forget(topicName: string): void {
    this.#cache.delete(topicName);
  }

  async #ask(topicName: string): Promise<TopicRoute> {
    const { all } = this.#options.nameServers;
    let failure = 'none is configured (namesrvAddr)';
    for (let attempt = 0; attempt < all.length; attempt++) {
      const index = (this.#preferred + attempt) % all.length;
      try {
        const route = await this.#askOne(all[index]!, topicName);
        this.#preferred = index;
        this.#keep(topicName, route);
        return route;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        failure = `${all[index]!.address}: ${error.status}`;
      }
    }
    const cached = this.#cache.get(topicName);
    if (cached && this.#ageMs(cached) < this.#options.staleMs) return cached.route;
    throw new MqError('PROXY_TIMEOUT', 'No name server answers, so the route is not known; try again in a moment.', {
      details: { failure },
    });
  }

  async #askOne({ client }: NameServer, topic: string): Promise<TopicRoute> {
    const { timeoutMs } = this.#options;
    const response = await client.unary(RouteServiceDefinition, 'getRoute', { topic }, { timeoutMs });
    return { exists: response.exists, queues: response.messageQueues };
  }

  #keep(topicName: string, route: TopicRoute): void {
    if (this.#cache.size >= CACHED_ROUTES_MAX) this.#cache.clear();
    this.#cache.set(topicName, { route, fetchedMs: this.#options.clock.monotonicMs() });
  }

  #ageMs(cached: CachedRoute): number {
    return this.#options.clock.monotonicMs() - cached.fetchedMs;
  }
}
