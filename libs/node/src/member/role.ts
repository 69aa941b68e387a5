import { MqError, systemClock } from '@orbitmq/base';
import { ClusterClient, type NameServers } from '@orbitmq/client';
import { type GetClusterResponse_Broker, Role } from '@orbitmq/protocol/orbitmq.route.v1';
import { connectToSettle } from '@orbitmq/replication';
import type { BrokerConfig } from '../config/spec.ts';
import type { BootMark } from './boot-mark.ts';
import type { InSyncFile } from './in-sync-file.ts';
import type { ElectedRole, StaticRole } from './member-options.ts';

/** A lone leader stops so much before its Lease may pass on: what an answer needs from the guard to the socket. Milliseconds. */
const MARGIN_MS = 300;

/** Who decides whether this member leads, as it is configured. */
export async function roleOf(
  config: BrokerConfig,
  facts: { readonly nameServers: NameServers; readonly bootMark: BootMark; readonly inSync: InSyncFile },
): Promise<StaticRole | ElectedRole> {
  const mayLackStored = (): boolean => config.flushDiskType === 'ASYNC_FLUSH' && facts.bootMark.hasRebooted;
  const onComplete = (): void => void facts.bootMark.keep();
  if (config.coordinator === 'none') {
    return {
      kind: 'static',
      isLeader: config.brokerId === 0,
      leaderAddress: () => leaderAddress(config, facts.nameServers),
      actingMembers: () => actingMembers(config, facts.nameServers),
      standIn: {
        // The one with the lowest id comes first; the others need not then.
        delayMs: config.slaveReadEnable ? config.slaveReadDelay + (config.brokerId - 1) * STAGGER_MS : undefined,
        isLeaderAway: () => isLeaderAway(config, facts.nameServers),
        connect: (address) =>
          connectToSettle(address, { tls: undefined, accessKey: config.haAccessKey, engine: config.rpcEngine }),
      },
      inSync: facts.inSync,
      catchUpMs: config.haMasterCatchUpTimeout,
      mayLackStored,
      onComplete,
    };
  }
  const { kubernetesLeaseStore } = await import('@orbitmq/coordination/kubernetes');
  const { leaseNamespace, leaseKubeconfig } = config;
  return {
    kind: 'elected',
    store: kubernetesLeaseStore({
      shard: config.brokerName,
      name: config.leaseName ?? `orbitmq-${config.brokerName.toLowerCase().replaceAll(/[^a-z0-9.-]/g, '-')}`,
      timeoutMs: Math.max(500, Math.floor(config.leaseDuration / 2)),
      clock: systemClock,
      ...(leaseNamespace === undefined ? {} : { namespace: leaseNamespace }),
      ...(leaseKubeconfig === undefined ? {} : { kubeconfigFile: leaseKubeconfig }),
    }),
    times: {
      durationMs: config.leaseDuration,
      suspicionMs: config.leaderSuspicion,
      marginMs: Math.min(MARGIN_MS, Math.floor(config.leaderSuspicion / 3)),
    },
    // The first Lease of a shard: by the member that is the master where nothing else is said, and never over data.
    mayCreate: (isEmpty) => config.brokerId === 0 && isEmpty,
    mayLackStored,
    onComplete,
  };
}

async function leaderAddress(config: BrokerConfig, nameServers: NameServers): Promise<string | undefined> {
  if (config.haMasterAddress !== undefined) return config.haMasterAddress;
  const members = await membersOf(config, nameServers);
  const newest = mastersOf(members).sort((one, other) => Number(other.identity!.epoch - one.identity!.epoch))[0];
  // One that is about to lead may need this member first.
  const next = newest ?? members?.find(({ identity }) => identity?.brokerId === 0);
  return next?.identity?.replicationAddress || undefined;
}

/**
 * Neither the leader is seen, nor another one that stands in for it already. Name servers that don't answer say nothing: then this
 * member may be the one that nobody reaches.
 */
async function isLeaderAway(config: BrokerConfig, nameServers: NameServers): Promise<boolean> {
  if (nameServers.all.length === 0) return true;
  const members = await membersOf(config, nameServers);
  const isReplaced = ({ identity }: GetClusterResponse_Broker): boolean =>
    identity!.role === Role.ROLE_MASTER || (identity!.acting && identity!.brokerId < config.brokerId);
  return members !== undefined && !members.some((member) => member.connected && isReplaced(member));
}

async function actingMembers(config: BrokerConfig, nameServers: NameServers): Promise<readonly number[]> {
  const members = (await membersOf(config, nameServers)) ?? [];
  return members.filter(({ identity }) => identity!.acting).map(({ identity }) => identity!.brokerId);
}

/** Members of this shard that name servers know; undefined when none of them answers. */
async function membersOf(
  { brokerName, brokerClusterName }: BrokerConfig,
  nameServers: NameServers,
): Promise<readonly GetClusterResponse_Broker[] | undefined> {
  if (nameServers.all.length === 0) return [];
  try {
    const brokers = await new ClusterClient(nameServers, ASK_TIMEOUT_MS).brokers();
    return brokers.filter(
      ({ identity }) => identity?.brokerName === brokerName && identity.cluster === brokerClusterName,
    );
  } catch (error) {
    if (error instanceof MqError) return undefined;
    throw error;
  }
}

function mastersOf(members: readonly GetClusterResponse_Broker[] | undefined): GetClusterResponse_Broker[] {
  return (members ?? []).filter(({ identity }) => identity?.role === Role.ROLE_MASTER);
}

/** By so much later than the slave before it a slave stands in for its master. Milliseconds. */
const STAGGER_MS = 2000;
/** Time that one name server gets to answer. */
const ASK_TIMEOUT_MS = 1000;
