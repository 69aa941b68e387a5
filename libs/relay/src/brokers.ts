import { ReceiptHandleOrigin } from '@orbitmq/protocol';
import type { Endpoints } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { RouteTable } from '@orbitmq/routing';
import { BrokerConnections, type BrokerConnectionsOptions } from './broker-connections.ts';

/** A master that calls can be passed on to. */
export interface Broker {
  readonly name: string;
  /** Knows the receipt handles of this broker. */
  readonly handles: ReceiptHandleOrigin;
  readonly connections: BrokerConnections;
}

/** What is the same for the connections to all brokers. */
export type BrokersOptions = Omit<BrokerConnectionsOptions, 'addresses'>;

type BrokersListener = (added: readonly Broker[], removed: readonly Broker[]) => void;

interface KnownBroker extends Broker {
  readonly endpointsText: string;
}

/** The masters of the route table with the connections to them, kept in step with it. */
export class Brokers {
  readonly #table: RouteTable;
  readonly #options: BrokersOptions;
  readonly #byName = new Map<string, KnownBroker>();
  readonly #listeners = new Set<BrokersListener>();
  readonly #stopFollowing: () => void;
  #version = 0;

  constructor(table: RouteTable, options: BrokersOptions) {
    this.#table = table;
    this.#options = options;
    this.#stopFollowing = table.onChange(() => this.#follow());
    this.#follow();
  }

  /** Changes whenever masters come or go. */
  get version(): number {
    return this.#version;
  }

  all(): Broker[] {
    return [...this.#byName.values()];
  }

  named(name: string): Broker | undefined {
    return this.#byName.get(name);
  }

  /** The broker that has made the receipt handle from `start` to `end`, by what it begins with; undefined when it isn't known. */
  ofHandle(bytes: Uint8Array, start: number, end: number): Broker | undefined {
    for (const broker of this.#byName.values()) if (broker.handles.isOf(bytes, start, end)) return broker;
    return undefined;
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
      const connections = new BrokerConnections({ ...this.#options, addresses });
      const broker = { name, handles: new ReceiptHandleOrigin(name), endpointsText, connections };
      this.#byName.set(name, broker);
      added.push(broker);
    }
    if (added.length === 0 && gone.size === 0) return;
    this.#version++;
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
