import { javaStringHash } from '@orbitmq/base';
import { Permission } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Route, RouteLookup } from '@orbitmq/routing';
import { noBroker, unknownBroker } from './answers.ts';
import type { AwayMasters } from './away-masters.ts';
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

/** So long messages of an order wait for their broker: less than clients wait for an answer, more than another member needs to lead. */
const BACK_WAIT_MS = 2000;

/** Finds brokers that a call may go to. */
export class BrokerChoice {
  readonly #brokers: Brokers;
  readonly #lookup: RouteLookup;
  readonly #away: AwayMasters;
  readonly #serversOf = new WeakMap<Route, Servers>();
  #turn = 0;

  constructor(brokers: Brokers, lookup: RouteLookup, away: AwayMasters) {
    this.#brokers = brokers;
    this.#lookup = lookup;
    this.#away = away;
  }

  /**
   * Brokers that a call about a topic may go to: those that have it with the wanted permission, by turns.
   * When there is none, any broker is as good: it refuses the call in its own words.
   * @throws MqError INTERNAL_SERVER_ERROR when no broker is registered
   */
  candidates(topicName: string, purpose: Purpose): Candidates {
    const route = this.#lookup.routeOf(topicName);
    if (!(route instanceof Promise)) return this.#candidatesOf(route, purpose);
    return route.then((found) => this.#candidatesOf(found, purpose));
  }

  /**
   * Brokers that messages may go to. Those of the same order, a message group or a lite topic, have only one: when its
   * master is away for a while, they wait for it rather than overtake there what came before them here.
   * @param orderKeyOf asked for when there is a choice; undefined for messages without an order
   * @throws MqError INTERNAL_SERVER_ERROR when no broker is registered, or the one of their order is not back in time
   */
  takers(topicName: string, orderKeyOf: () => string | undefined): Candidates {
    const route = this.#lookup.routeOf(topicName);
    if (!(route instanceof Promise)) return this.#takersOf(route, topicName, orderKeyOf);
    return route.then((found) => this.#takersOf(found, topicName, orderKeyOf));
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

  #candidatesOf(route: Route, purpose: Purpose): readonly Broker[] {
    const { readable, writable } = this.#servers(route);
    let candidates = purpose === 'write' ? writable : readable;
    if (candidates.length === 0) candidates = this.#brokers.all();
    if (candidates.length === 0) throw noBroker();
    return candidates.length === 1 ? candidates : this.#inTurn(candidates);
  }

  #takersOf(route: Route, topicName: string, orderKeyOf: () => string | undefined): Candidates {
    const { writable } = this.#servers(route);
    const away = this.#away.writersOf(topicName);
    const orderKey = writable.length > 1 || away.length > 0 ? orderKeyOf() : undefined;
    if (orderKey === undefined) return this.#candidatesOf(route, 'write');
    const name = preferredOf([...writable.map((broker) => broker.name), ...away], orderKey);
    const taker = writable.find((broker) => broker.name === name);
    return taker === undefined ? this.#whenBack(name, topicName, orderKeyOf) : [taker];
  }

  async #whenBack(name: string, topicName: string, orderKeyOf: () => string | undefined): Promise<readonly Broker[]> {
    await this.#away.back(name, BACK_WAIT_MS);
    if (this.#away.has(name)) throw unknownBroker(name);
    return this.takers(topicName, orderKeyOf);
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
function preferredOf(names: readonly string[], key: string): string {
  const weighed = names.map((name) => ({ name, weight: mixed(javaStringHash(`${name}/${key}`)) }));
  weighed.sort((left, right) => right.weight - left.weight || (left.name < right.name ? -1 : 1));
  return weighed[0]!.name;
}

/** Spreads the bits of a 32-bit hash (murmur3's finaliser): names that are alike have hashes that are alike. */
function mixed(hash: number): number {
  let bits = hash;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
