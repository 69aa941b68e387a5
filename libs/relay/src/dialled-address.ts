import type { Address, Endpoints } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { RouteTable } from '@orbitmq/routing';
import { checkedEndpoints } from './dialled-endpoints.ts';
import { hostOfPeer, isLoopback, plainHost } from './dialled-host.ts';

/**
 * Where routes send clients: `direct` to the brokers, `relay` back here, `auto` to the brokers when what the client
 * dialled shows that it is within their network.
 */
export const ROUTE_MODES = ['auto', 'direct', 'relay'] as const;
export type RouteMode = (typeof ROUTE_MODES)[number];

/** A name or address by which members of the cluster know its name servers. */
export interface ClusterAddress {
  readonly host: string;
  /** undefined = any. */
  readonly port: number | undefined;
}

/** What a name server knows about the addresses that reach it. */
export interface DialledAddressOptions {
  readonly mode: RouteMode;
  readonly clusterAddresses: readonly ClusterAddress[];
  /** Name of this host. */
  readonly hostName: string;
  /** IP addresses of this host's interfaces; the same array as long as they are the same. */
  readonly hostAddresses: () => readonly string[];
  /** Port on which clients are served. */
  readonly clientPort: () => number;
}

/** What matters about the places where the brokers are. */
interface BrokerPlaces {
  readonly tableVersion: number;
  readonly hostAddresses: readonly string[];
  /** Plain hosts that are this machine, besides loopback. */
  readonly ownHosts: ReadonlySet<string>;
  /** Plain hosts by which brokers have reached this name server, besides loopback. */
  readonly hostsDialled: ReadonlySet<string>;
  /** `host port` of each broker, plain. */
  readonly brokers: ReadonlySet<string>;
  /** Every broker is on this machine. */
  readonly areAllHere: boolean;
  /** Some broker is given out with a loopback address, which is good on its own machine only. */
  readonly isAnyLoopback: boolean;
}

/**
 * Decides by what a client dialled whether it can reach the brokers. It can when it came by an address by which the
 * cluster itself knows this name server. Whatever else it came by (a forwarded port, a load balancer, a container's
 * published port) leads here and nowhere else, so that this is where all its calls must go.
 */
export class DialledAddress {
  readonly #table: RouteTable;
  readonly #options: DialledAddressOptions;
  readonly #clusterAddresses: readonly ClusterAddress[];
  #places: BrokerPlaces | undefined;

  constructor(table: RouteTable, options: DialledAddressOptions) {
    this.#table = table;
    this.#options = options;
    this.#clusterAddresses = options.clusterAddresses.map(({ host, port }) => ({ host: plainHost(host), port }));
  }

  /**
   * The endpoints that routes give a client for every broker: those that it dialled.
   * @param dialled as its request says
   * @param peer `address:port` that its connection came from
   * @returns undefined: it talks to the brokers themselves. So does a client that does not say what it dialled
   * @throws MqError ILLEGAL_ACCESS_POINT
   */
  relayedEndpoints(dialled: Endpoints | undefined, peer: string): Endpoints | undefined {
    if (this.#options.mode === 'direct') return undefined;
    const endpoints = checkedEndpoints(dialled);
    if (endpoints === undefined || this.#options.mode === 'relay') return endpoints;
    const peerHost = hostOfPeer(peer);
    // They are equivalent: where one of them is known to the cluster, the client is within its network.
    return endpoints.addresses.some((address) => this.#isOwn(address, peerHost)) ? undefined : endpoints;
  }

  #isOwn({ host: text, port }: Address, peerHost: string): boolean {
    const host = plainHost(text);
    if (this.#clusterAddresses.some((own) => own.host === host && (own.port === undefined || own.port === port))) {
      return true;
    }
    const { ownHosts, hostsDialled, brokers, areAllHere, isAnyLoopback } = this.#brokerPlaces();
    // Some clients ask for assignments by the address that a route has given them.
    if (brokers.has(`${host} ${port}`)) return true;
    if (port !== this.#options.clientPort()) return false;
    // Forwarded ports end at loopback, too: only what can reach the brokers there is no such port.
    if (isLoopback(host)) return isLoopback(peerHost) && areAllHere;
    if (!ownHosts.has(host) && !hostsDialled.has(host)) return false;
    return !isAnyLoopback || isLoopback(peerHost) || ownHosts.has(peerHost);
  }

  #brokerPlaces(): BrokerPlaces {
    const tableVersion = this.#table.version;
    const hostAddresses = this.#options.hostAddresses();
    const known = this.#places;
    if (known?.tableVersion === tableVersion && known.hostAddresses === hostAddresses) return known;
    const ownHosts = new Set([this.#options.hostName, ...hostAddresses].map(plainHost).filter(isNoLoopback));
    const hostsDialled = new Set(this.#dialledByBrokers());
    const addresses = this.#table.masters().flatMap(({ identity }) => identity.clientEndpoints?.addresses ?? []);
    const hosts = new Set(addresses.map(({ host }) => plainHost(host)));
    const brokers = new Set(addresses.map(({ host, port }) => `${plainHost(host)} ${port}`));
    const areAllHere = [...hosts].every((host) => isLoopback(host) || ownHosts.has(host));
    const isAnyLoopback = [...hosts].some(isLoopback);
    this.#places = { tableVersion, hostAddresses, ownHosts, hostsDialled, brokers, areAllHere, isAnyLoopback };
    return this.#places;
  }

  *#dialledByBrokers(): IterableIterator<string> {
    for (const { dialled = '' } of this.#table.brokers()) {
      const host = hostOfPeer(dialled);
      if (host !== '' && !isLoopback(host)) yield host;
    }
  }
}

function isNoLoopback(host: string): boolean {
  return !isLoopback(host);
}
