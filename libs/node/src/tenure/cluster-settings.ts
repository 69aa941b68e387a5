import { MqError } from '@orbitmq/base';
import { AdminClient, ClusterClient, type NameServers } from '@orbitmq/client';
import { isDerivedTopic, isSystemTopic } from '@orbitmq/protocol';
import type { Group, Topic } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type BrokerIdentity, Role } from '@orbitmq/protocol/orbitmq.route.v1';
import { RpcError } from '@orbitmq/rpc';

/** Topics and groups of one of the other brokers. */
export interface BrokerSettings {
  readonly brokerName: string;
  readonly topics: readonly Topic[];
  readonly groups: readonly Group[];
  /** Its wall clock when it told them. Milliseconds since 1970. */
  readonly nowMs: number;
  /** It is being drained, or is new itself: what it holds says nothing about the cluster. */
  readonly isPassing: boolean;
}

/** What could be learned about the other brokers of the cluster. */
export interface ClusterSettings {
  readonly brokers: readonly BrokerSettings[];
  /** Why others have not told theirs, by broker. */
  readonly silent: ReadonlyMap<string, string>;
  /** Some of those hold topics, as the name servers say. */
  readonly hasSilentTopics: boolean;
}

const TIMEOUT_MS = 3_000;

/** Asks all other brokers of a cluster. Undefined while no name server answers. */
export async function clusterSettings(
  nameServers: NameServers,
  self: { readonly brokerClusterName: string; readonly brokerName: string },
): Promise<ClusterSettings | undefined> {
  const members = await registered(nameServers);
  if (members === undefined) return undefined;
  const others = members.filter(
    ({ cluster, brokerName }) => cluster === self.brokerClusterName && brokerName !== self.brokerName,
  );
  const brokers: BrokerSettings[] = [];
  const silent = new Map<string, string>();
  await Promise.all(
    [...new Set(others.map(({ brokerName }) => brokerName))].map(async (brokerName) => {
      const told = await settingsOf(
        brokerName,
        others.filter((each) => each.brokerName === brokerName),
      );
      if (typeof told === 'string') silent.set(brokerName, told);
      else brokers.push(told);
    }),
  );
  brokers.sort((left, right) => (left.brokerName < right.brokerName ? -1 : 1));
  const hasSilentTopics = silent.size > 0 && (await holdTopics(nameServers, self.brokerClusterName, silent));
  return { brokers, silent, hasSilentTopics };
}

async function registered(nameServers: NameServers): Promise<BrokerIdentity[] | undefined> {
  try {
    const brokers = await new ClusterClient(nameServers, TIMEOUT_MS).brokers();
    return brokers.flatMap(({ identity }) => identity ?? []);
  } catch (error) {
    if (error instanceof MqError) return undefined;
    throw error;
  }
}

/** Whether any of these brokers holds a topic that is not the server's own; where that can't be known, it may. */
async function holdTopics(
  nameServers: NameServers,
  clusterName: string,
  brokerNames: ReadonlyMap<string, unknown>,
): Promise<boolean> {
  try {
    const topics = await new ClusterClient(nameServers, TIMEOUT_MS).topics();
    return topics.some(
      ({ name, placements }) =>
        !isSystemTopic(name) &&
        !isDerivedTopic(name) &&
        placements.some(({ cluster, brokerName }) => cluster === clusterName && brokerNames.has(brokerName)),
    );
  } catch (error) {
    if (error instanceof MqError) return true;
    throw error;
  }
}

/** @returns the reason when it can't be asked */
async function settingsOf(brokerName: string, members: readonly BrokerIdentity[]): Promise<BrokerSettings | string> {
  const masters = members.filter(({ role }) => role === Role.ROLE_MASTER);
  const master = masters.sort((one, other) => Number(other.epoch - one.epoch))[0];
  if (master === undefined) return 'it has no master now';
  if (master.adminAddress === '') return 'it has no admin port';
  const admin = new AdminClient({ address: master.adminAddress, timeoutMs: TIMEOUT_MS });
  try {
    // An address of the loopback means another broker on every machine.
    const found = (await admin.config()).get('brokerName');
    if (found !== brokerName) return `at its admin address ${master.adminAddress} is ${found ?? 'something else'}`;
    const status = await admin.status();
    const nowMs = Number(status.get('currentTimestamp') ?? Number.NaN);
    const isPassing = status.get('draining') === 'true' || status.get('topicCopy') === 'pending';
    if (isPassing) return { brokerName, topics: [], groups: [], nowMs, isPassing };
    return { brokerName, topics: await admin.topics(), groups: await admin.groups(), nowMs, isPassing };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return `its admin port ${master.adminAddress} does not answer: ${error.message}`;
  } finally {
    admin.close();
  }
}
