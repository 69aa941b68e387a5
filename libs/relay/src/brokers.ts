import type { Endpoints } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { RouteTable } from '@orbitmq/routing';
import type { RpcEngineName } from '@orbitmq/rpc';
import { BrokerConnections } from './broker-connections.ts';

/** A master that calls can be passed on to. */
export interface Broker {
  readonly name: string;
  readonly connections: BrokerConnections;
}

type BrokersListener = (added: readonly Broker[], removed: readonly Broker[]) => void;

interface KnownBroker extends Broker {
  readonly endpointsText: string;
}

/** The masters of the route table with the connections to them, kept in step with it. */
export class Brokers {
  readonly #table: RouteTable;
  readonly #answerBytesMax: number;
  readonly #engine: RpcEngineName | undefined;
  readonly #byName = new Map<string, KnownBroker>();
  readonly #listeners = new Set<BrokersListener>();
  readonly #stopFollowing: () => void;

  /**
   * @param answerBytesMax largest message of a broker's answer
   * @param engine what carries the calls to the brokers
   */
  constructor(table: RouteTable, answerBytesMax: number, engine?: RpcEngineName) {
    this.#table = table;
    this.#answerBytesMax = answerBytesMax;
    this.#engine = engine;
    this.#stopFollowing = table.onChange(() => this.#follow());
    this.#follow();
  }

  all(): Broker[] {
    return [...this.#byName.values()];
  }

  named(name: string): Broker | undefined {
    return this.#byName.get(name);
  }

  /** Calls `listener` when masters come or go; one that has moved does both. Returns the way to stop that. */
  onChange(listener: BrokersListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Cancels all open calls. */
  close(): void {
    this.#stopFollowing();
    for (const broker of this.#byName.values()) broker.connections.close();
    this.#byName.clear();
  }

  #follow(): void {
    const added: Broker[] = [];
    const gone = new Map(this.#byName);
    for (const { identity } of this.#table.masters()) {
      const name = identity.brokerName;
      const addresses = addressesOf(identity.clientEndpoints);
      const endpointsText = addresses.join();
      if (this.#byName.get(name)?.endpointsText === endpointsText) {
        gone.delete(name);
        continue;
      }
      const connections = new BrokerConnections(addresses, this.#answerBytesMax, this.#engine);
      const broker = { name, endpointsText, connections };
      this.#byName.set(name, broker);
      added.push(broker);
    }
    if (added.length === 0 && gone.size === 0) return;
    for (const broker of gone.values()) if (this.#byName.get(broker.name) === broker) this.#byName.delete(broker.name);
    const removed = [...gone.values()];
    for (const listener of [...this.#listeners]) listener(added, removed);
    for (const broker of removed) broker.connections.close();
  }
}

/** `host:port` of each address, IPv6 in brackets. */
function addressesOf(endpoints: Endpoints | undefined): string[] {
  const addresses = endpoints?.addresses ?? [];
  return addresses.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`));
}
