import { javaStringHash } from '@orbitmq/base';
import { Permission } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Route, RouteLookup } from '@orbitmq/routing';
import { noBroker } from './answers.ts';
import type { Broker, Brokers } from './brokers.ts';

/** What a call wants of a topic. */
export type Purpose = 'read' | 'write';

interface BrokerNames {
  readonly readable: readonly string[];
  readonly writable: readonly string[];
  readonly all: readonly string[];
}

/** Finds brokers that a call may go to. */
export class BrokerChoice {
  readonly #brokers: Brokers;
  readonly #lookup: RouteLookup;
  readonly #namesOf = new WeakMap<Route, BrokerNames>();
  #turn = 0;

  constructor(brokers: Brokers, lookup: RouteLookup) {
    this.#brokers = brokers;
    this.#lookup = lookup;
  }

  /**
   * Brokers that a call about a topic may go to, the preferred one first: those that have it with the wanted permission.
   * When there is none, any broker is as good: it refuses the call in its own words.
   * @param stickyKey calls of the same key prefer the same broker, as long as it is there; the others take turns
   * @throws MqError INTERNAL_SERVER_ERROR when no broker is registered
   */
  async candidates(topicName: string, purpose: Purpose, stickyKey?: string): Promise<Broker[]> {
    const names = this.#names(await this.#lookup.routeOf(topicName));
    const wanted = purpose === 'write' ? names.writable : names.readable;
    let candidates = this.#present(wanted.length > 0 ? wanted : names.all);
    if (candidates.length === 0) candidates = this.#brokers.all();
    if (candidates.length === 0) throw noBroker();
    return stickyKey === undefined ? this.#inTurn(candidates) : byPreference(candidates, stickyKey);
  }

  /**
   * All brokers that have a topic, for calls that each of them must get. When there is none, any broker: it refuses the
   * call in its own words.
   * @throws MqError INTERNAL_SERVER_ERROR when no broker is registered
   */
  async holders(topicName: string): Promise<Broker[]> {
    const holders = this.#present(this.#names(await this.#lookup.routeOf(topicName)).all);
    return holders.length > 0 ? holders : (await this.candidates(topicName, 'read')).slice(0, 1);
  }

  #names(route: Route): BrokerNames {
    let names = this.#namesOf.get(route);
    if (!names) {
      names = brokerNamesOf(route);
      this.#namesOf.set(route, names);
    }
    return names;
  }

  #present(names: readonly string[]): Broker[] {
    return names.flatMap((name) => this.#brokers.named(name) ?? []);
  }

  #inTurn(candidates: readonly Broker[]): Broker[] {
    const first = this.#turn++ % candidates.length;
    return [...candidates.slice(first), ...candidates.slice(0, first)];
  }
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
