import { javaStringHash } from '@orbitmq/base';
import { Permission } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Route, RouteLookup } from '@orbitmq/routing';
import { noBroker } from './answers.ts';
import type { Broker, Brokers } from './brokers.ts';

/** What a call wants of a topic. */
export type Purpose = 'read' | 'write';

/** Brokers that a call may go to, the preferred one first; a promise while brokers may still be about to register. */
export type Candidates = readonly Broker[] | Promise<readonly Broker[]>;

/** Who serves the topic of a route, of those that are there. */
interface Servers {
  /** Of `Brokers` when this was made. */
  readonly version: number;
  readonly readable: readonly Broker[];
  readonly writable: readonly Broker[];
  readonly holders: readonly Broker[];
}

/** Finds brokers that a call may go to. */
export class BrokerChoice {
  readonly #brokers: Brokers;
  readonly #lookup: RouteLookup;
  readonly #serversOf = new WeakMap<Route, Servers>();
  #turn = 0;

  constructor(brokers: Brokers, lookup: RouteLookup) {
    this.#brokers = brokers;
    this.#lookup = lookup;
  }

  /**
   * Brokers that a call about a topic may go to: those that have it with the wanted permission, by turns.
   * When there is none, any broker is as good: it refuses the call in its own words.
   * @param stickyKeyOf calls of the same key prefer the same broker, as long as it is there; asked for when there is a choice
   * @throws MqError INTERNAL_SERVER_ERROR when no broker is registered
   */
  candidates(topicName: string, purpose: Purpose, stickyKeyOf?: () => string | undefined): Candidates {
    const route = this.#lookup.routeOf(topicName);
    if (!(route instanceof Promise)) return this.#candidatesOf(route, purpose, stickyKeyOf);
    return route.then((found) => this.#candidatesOf(found, purpose, stickyKeyOf));
  }

  /**
   * All brokers that have a topic, for calls that each of them must get. When there is none, any broker: it refuses the
   * call in its own words.
   * @throws MqError INTERNAL_SERVER_ERROR when no broker is registered
   */
  async holders(topicName: string): Promise<readonly Broker[]> {
    const { holders } = this.#servers(await this.#lookup.routeOf(topicName));
    return holders.length > 0 ? holders : (await this.candidates(topicName, 'read')).slice(0, 1);
  }

  #candidatesOf(
    route: Route,
    purpose: Purpose,
    stickyKeyOf: (() => string | undefined) | undefined,
  ): readonly Broker[] {
    const { readable, writable } = this.#servers(route);
    let candidates = purpose === 'write' ? writable : readable;
    if (candidates.length === 0) candidates = this.#brokers.all();
    if (candidates.length === 0) throw noBroker();
    if (candidates.length === 1) return candidates;
    const stickyKey = stickyKeyOf?.();
    return stickyKey === undefined ? this.#inTurn(candidates) : byPreference(candidates, stickyKey);
  }

  #servers(route: Route): Servers {
    const { version } = this.#brokers;
    const known = this.#serversOf.get(route);
    if (known?.version === version) return known;
    const names = brokerNamesOf(route);
    const holders = this.#present(names.all);
    const orHolders = (wanted: readonly string[]) => (wanted.length > 0 ? this.#present(wanted) : holders);
    const servers = { version, holders, readable: orHolders(names.readable), writable: orHolders(names.writable) };
    this.#serversOf.set(route, servers);
    return servers;
  }

  #present(names: readonly string[]): Broker[] {
    return names.flatMap((name) => this.#brokers.named(name) ?? []);
  }

  #inTurn(candidates: readonly Broker[]): Broker[] {
    const first = this.#turn++ % candidates.length;
    return [...candidates.slice(first), ...candidates.slice(0, first)];
  }
}

interface BrokerNames {
  readonly readable: readonly string[];
  readonly writable: readonly string[];
  readonly all: readonly string[];
}

function brokerNamesOf(route: Route): BrokerNames {
  const [readable, writable, all] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const { broker, permission } of route.queues) {
    const name = broker!.name;
    all.add(name);
    if (permission === Permission.READ_WRITE || permission === Permission.READ) readable.add(name);
    if (permission === Permission.READ_WRITE || permission === Permission.WRITE) writable.add(name);
  }
  return { readable: [...readable], writable: [...writable], all: [...all] };
}

/** Rendezvous hashing: when a broker goes, only its keys move. */
function byPreference(candidates: readonly Broker[], key: string): Broker[] {
  const weight = new Map(candidates.map((broker) => [broker, mixed(javaStringHash(`${broker.name}/${key}`))]));
  return [...candidates].sort(
    (left, right) => weight.get(right)! - weight.get(left)! || (left.name < right.name ? -1 : 1),
  );
}

/** Spreads the bits of a 32-bit hash (murmur3's finaliser): names that are alike have hashes that are alike. */
function mixed(hash: number): number {
  let bits = hash;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
