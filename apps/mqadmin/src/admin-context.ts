import { MqError, quoted } from '@orbitmq/base';
import { AdminClient, ClusterClient, NameServers } from '@orbitmq/client';
import type { Endpoints } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type BrokerIdentity, type GetClusterResponse_Broker, Role } from '@orbitmq/protocol/orbitmq.route.v1';
import { RpcError } from '@orbitmq/rpc';
import { textOf } from './options.ts';
import { type Options, UsageError } from './usage.ts';

/** A broker that a verb speaks to. */
export interface Target {
  readonly clusterName: string;
  readonly brokerName: string;
  readonly brokerId: number;
  /** What clients dial: `host:port`. */
  readonly address: string;
  readonly admin: AdminClient;
}

const TIMEOUT_MS = 5000;
const NAME_SERVER_TIMEOUT_MS = 3000;
/** A broker's admin port is so far below its client port unless it is configured otherwise. */
const ADMIN_PORT_DISTANCE = 2;

/** The cluster that a verb works on: name servers to ask, brokers to speak to. */
export class AdminContext {
  readonly cluster: ClusterClient;
  readonly #nameServers: NameServers;
  readonly #admins = new Map<string, AdminClient>();
  #brokers: Promise<GetClusterResponse_Broker[]> | undefined;

  /** @param nameServerAddresses `host:port`, at least one */
  constructor(nameServerAddresses: readonly string[]) {
    this.#nameServers = new NameServers({ addresses: nameServerAddresses });
    this.cluster = new ClusterClient(this.#nameServers, NAME_SERVER_TIMEOUT_MS);
  }

  /** All registered brokers, by cluster, name and id. */
  brokers(): Promise<GetClusterResponse_Broker[]> {
    this.#brokers ??= this.cluster.brokers().then((brokers) => brokers.sort(byPlace));
    return this.#brokers;
  }

  /**
   * The brokers that `-b` or `-c` names; all of them when there is only one cluster and neither is given.
   * @throws UsageError when there is no such broker or cluster, or it is not clear which is meant
   */
  async targets(options: Options): Promise<Target[]> {
    const [broker, cluster] = [options.brokerAddr, options.clusterName];
    if (typeof broker === 'string') return [await this.#broker(broker.trim())];
    const members = await this.#cluster(typeof cluster === 'string' ? cluster.trim() : undefined);
    return mastersOf(members).map((each) => this.targetOf(each));
  }

  /** The masters as they are now, whatever was known before. */
  async masters(): Promise<Target[]> {
    this.#brokers = undefined;
    return mastersOf(await this.brokers()).map((each) => this.targetOf(each));
  }

  /** All members of brokers, masters and slaves, that `-b` or `-c` names. @throws UsageError as `targets` does */
  async members(options: Options): Promise<Target[]> {
    const [broker, cluster] = [textOf(options, 'brokerAddr'), textOf(options, 'clusterName')];
    const members = await this.#cluster(broker === undefined ? cluster : undefined);
    const named = members.filter(({ identity }) => broker === undefined || isNamed(identity!, broker));
    if (named.length > 0) return named.map((each) => this.targetOf(each));
    throw new UsageError(`there is no broker ${quoted(broker ?? '')}`);
  }

  /** The brokers that hold a topic. @throws UsageError when nobody does */
  async holdersOf(topicName: string): Promise<Target[]> {
    const [placement, brokers] = await Promise.all([this.cluster.topic(topicName), this.brokers()]);
    const names = new Set(placement?.placements.map(({ brokerName, brokerId }) => `${brokerName}/${brokerId}`));
    if (names.size === 0) {
      throw await this.topicNotFound(topicName, 'topicList shows those that are there');
    }
    const holders = brokers.filter(({ identity }) => names.has(`${identity!.brokerName}/${identity!.brokerId}`));
    return holders.map((each) => this.targetOf(each));
  }

  /** What is wrong when no route leads to a topic, with advice for a topic that there is none of. */
  async topicNotFound(topicName: string, advice: string): Promise<MqError> {
    const brokers = await this.brokers();
    const led = new Set(mastersOf(brokers).map(({ identity }) => identity!.brokerName));
    const names = new Set(brokers.map(({ identity }) => identity!.brokerName));
    const leaderless = [...names].filter((name) => !led.has(name)).map((name) => quoted(name));
    const wanted = `no broker has the topic ${quoted(topicName)}`;
    if (leaderless.length === 0) return new MqError('TOPIC_NOT_FOUND', `${wanted}; ${advice}`);
    const found = `without a master, and so without routes, are ${leaderless.join(', ')}`;
    return new MqError('TOPIC_NOT_FOUND', `${wanted}; ${found}: haStatus says how they stand`);
  }

  targetOf({ identity }: GetClusterResponse_Broker): Target {
    const { cluster, brokerName, brokerId, adminAddress, clientEndpoints } = identity!;
    if (adminAddress === '') {
      throw new UsageError(`broker ${quoted(brokerName)} has no admin port; set adminListenPort in its configuration`);
    }
    const admin = this.#admin(adminAddress);
    return { clusterName: cluster, brokerName, brokerId, address: addressOf(clientEndpoints), admin };
  }

  close(): void {
    this.#nameServers.close();
    for (const admin of this.#admins.values()) admin.close();
  }

  async #cluster(clusterName: string | undefined): Promise<GetClusterResponse_Broker[]> {
    const brokers = await this.brokers();
    if (brokers.length === 0) {
      throw new UsageError('no broker is registered; start one whose namesrvAddr names this name server');
    }
    const names = [...new Set(brokers.map(({ identity }) => identity!.cluster))];
    const found = names.map((name) => quoted(name)).join(', ');
    if (clusterName === undefined) {
      if (names.length === 1) return brokers;
      throw new UsageError(`give -c or -b: there are the clusters ${found}`);
    }
    const members = brokers.filter(({ identity }) => identity!.cluster === clusterName);
    if (members.length > 0) return members;
    throw new UsageError(`there is no cluster ${quoted(clusterName)}; found ${found}`);
  }

  async #broker(text: string): Promise<Target> {
    let brokers: GetClusterResponse_Broker[];
    try {
      brokers = await this.brokers();
    } catch (error) {
      const direct = error instanceof MqError ? this.#direct(text) : undefined;
      if (direct) return direct;
      throw error;
    }
    const isAddressed = ({ identity }: GetClusterResponse_Broker): boolean => isNamed(identity!, text);
    // A name means the master, an address whoever is there.
    const found = mastersOf(brokers).find(isAddressed) ?? brokers.find(isAddressed);
    if (found) return this.targetOf(found);
    const known = brokers.map(({ identity }) => `${identity!.brokerName} (${addressOf(identity!.clientEndpoints)})`);
    throw new UsageError(`there is no broker ${quoted(text)}; found ${known.join(', ') || 'none'}`);
  }

  /** A broker by its client address alone, while no name server answers. */
  #direct(address: string): Target | undefined {
    const match = /^(.+):(\d{1,5})$/.exec(address);
    const port = Number(match?.[2]) - ADMIN_PORT_DISTANCE;
    if (!match || !(port > 0)) return undefined;
    const admin = this.#admin(`${match[1]}:${port}`);
    return { clusterName: '', brokerName: address, brokerId: 0, address, admin };
  }

  #admin(address: string): AdminClient {
    let admin = this.#admins.get(address);
    if (!admin) {
      admin = new AdminClient({ address, timeoutMs: TIMEOUT_MS });
      this.#admins.set(address, admin);
    }
    return admin;
  }
}

/** What clients dial. */
export function addressOf(endpoints: Endpoints | undefined): string {
  return (endpoints?.addresses ?? [])
    .map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`))
    .join(',');
}

/**
 * Does the same on several brokers at once, and tells which one failed.
 * @throws RpcError with the name of the broker and what to do
 */
export function onEach<Result>(
  targets: readonly Target[],
  action: (target: Target) => Promise<Result>,
): Promise<Result[]> {
  return Promise.all(
    targets.map(async (target) => {
      try {
        return await action(target);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        throw new RpcError(error.status, `broker ${target.brokerName}: ${remedied(error)}`, error);
      }
    }),
  );
}

function remedied(error: RpcError): string {
  if (error.status !== 'UNAVAILABLE' && error.status !== 'DEADLINE_EXCEEDED') return error.message;
  return (
    `its admin port does not answer (${error.message}). It is bound to the loopback address by default: run mqadmin ` +
    'on the machine of the broker, or set its adminBindAddress.'
  );
}

function isNamed(identity: BrokerIdentity, text: string): boolean {
  return identity.brokerName === text || identity.adminAddress === text || addressOf(identity.clientEndpoints) === text;
}

/** Of each broker the newest master. */
function mastersOf(brokers: readonly GetClusterResponse_Broker[]): GetClusterResponse_Broker[] {
  const newest = new Map<string, GetClusterResponse_Broker>();
  for (const broker of brokers) {
    const { role, brokerName, epoch } = broker.identity!;
    const known = newest.get(brokerName);
    if (role === Role.ROLE_MASTER && (known === undefined || known.identity!.epoch < epoch))
      newest.set(brokerName, broker);
  }
  return [...newest.values()];
}

function byPlace(left: GetClusterResponse_Broker, right: GetClusterResponse_Broker): number {
  const [one, other] = [left.identity!, right.identity!];
  if (one.cluster !== other.cluster) return one.cluster < other.cluster ? -1 : 1;
  if (one.brokerName !== other.brokerName) return one.brokerName < other.brokerName ? -1 : 1;
  return one.brokerId - other.brokerId;
}
