import { randomUUID } from 'node:crypto';
import { systemClock } from '@orbitmq/base';
import { BrokerRegistration, NameServers } from '@orbitmq/client';
import { MessagingServiceDefinition } from '@orbitmq/protocol/apache.rocketmq.v2';
import { BrokerAdminDefinition } from '@orbitmq/protocol/orbitmq.admin.v1';
import { connectToLeader } from '@orbitmq/replication';
import { listening, memoryBytes, ObservationServer, textFiles, VERSION } from '@orbitmq/runtime';
import { openAdminPort } from './admin-port.ts';
import type { BrokerContext } from './broker-context.ts';
import { openClientPort } from './client-port.ts';
import { inSyncMin, replicationPort, replicationSettings } from './config/spec.ts';
import { addressOf, reachedAt } from './endpoints.ts';
import { HeapGrowth } from './heap-growth.ts';
import { nextIncarnation } from './incarnation.ts';
import { readBootMark } from './member/boot-mark.ts';
import { inSyncFile } from './member/in-sync-file.ts';
import { LeaderCalls } from './member/leader-calls.ts';
import { methodModels } from './member/method-models.ts';
import { MemberReadiness } from './member/readiness.ts';
import { replicationAdminMethods } from './member/replication-admin.ts';
import { openReplicationPort } from './member/replication-port.ts';
import { roleOf } from './member/role.ts';
import { Serving } from './member/serving.ts';
import { ShardMember } from './member/shard-member.ts';
import { BrokerObservation } from './observation.ts';
import { openShardFiles } from './open-data.ts';
import { registrationSource } from './registration-source.ts';
import { openProvisionFile } from './tenure/open-provision-file.ts';
import { openTopicCopy } from './tenure/open-topic-copy.ts';

/** Longest that a hand-over waits for the member that is to lead. Milliseconds. */
const HAND_OVER_MS = 2_000;

/**
 * A member of a shard from bottom to top: observation port, the shard's files in the role that this member has, the ports
 * for followers, clients and operators, registration. It stops in reverse: taken out of the routes first, observed to the last.
 */
export async function composeBroker(context: BrokerContext): Promise<void> {
  const { config, lifecycle, logger } = context;
  const startedMs = systemClock.wallMs();
  const provisionFile = await openProvisionFile(context);
  const observation = await observe(context);
  observation.provisionFile = provisionFile;
  const nameServers = await lifecycle.open(
    'connections to name servers',
    () => new NameServers({ addresses: config.namesrvAddr, engine: config.rpcEngine }),
    (opened) => opened.close(),
  );
  let registration: BrokerRegistration | undefined;
  const clientCalls = new LeaderCalls(config.brokerName, systemClock);
  const adminCalls = new LeaderCalls(config.brokerName, systemClock);
  const serving = new Serving({
    context,
    nameServers,
    observation,
    clientCalls,
    adminCalls,
    startedMs,
    tasks: [openTopicCopy(context, nameServers), ...(provisionFile === undefined ? [] : [provisionFile])],
    onTopicsChange: () => registration?.changed(),
  });
  serving.followerAdmin();
  const member = await lifecycle.open(
    'shard',
    async () => {
      const opened = await openMember(context, {
        nameServers,
        serving,
        clientCalls,
        onRole: () => registration?.identityChanged(),
      });
      await opened.start();
      return opened;
    },
    (opened) => opened.stop(),
  );
  observation.member = member;
  if (provisionFile !== undefined) await lifecycle.start(provisionFile);
  const { brokerName } = config;
  await lifecycle.start(new MemberReadiness({ brokerName, member, health: context.health, clock: systemClock }));
  await lifecycle.start(
    new HeapGrowth({ copiedBytes: () => copiedBytes(member), memoryBytes: memoryBytes(), clock: systemClock }),
  );
  await lifecycle.open(
    'replication port',
    () => openReplicationPort(context, () => member, observation),
    (opened) => opened.stop(0),
  );
  const models = methodModels(MessagingServiceDefinition, 'not served here');
  const clientPort = await lifecycle.open(
    'client port',
    () => openClientPort(context, clientCalls.methods(models), observation),
    (opened, deadlineMs) => opened.stop(deadlineMs / 2),
  );
  observation.clientPort = clientPort;
  const admin = await lifecycle.open(
    'admin port',
    () => openAdminPort(context, adminMethodsOf(context, member, adminCalls, clientCalls), observation),
    (opened, deadlineMs) => opened.stop(deadlineMs / 4),
  );
  registration = new BrokerRegistration({
    nameServers,
    source: registrationSource(config, {
      metadata: () => member.tenure?.shard.metadata,
      actingMetadata: () => member.acting?.shard.metadata,
      epoch: () => member.epoch,
      incarnation: await nextIncarnation(config.storePathRootDir, startedMs, textFiles, logger),
      clientPort: clientPort.port,
      adminAddress: addressOf(reachedAt(config.adminBindAddress, config.brokerIP1), admin.port),
      replicationAddress: addressOf(config.brokerIP1, replicationPort(config)),
      version: VERSION,
    }),
    clock: systemClock,
    logger: logger.child({ module: 'registration' }),
  });
  await lifecycle.start(registration);
  await lifecycle.open(
    'lead',
    () => member,
    (opened) => opened.giveUp(HAND_OVER_MS, () => clientCalls.pause()),
  );
  logServing(context, clientPort.port, member);
}

async function observe(context: BrokerContext): Promise<BrokerObservation> {
  const { config, lifecycle, logger, health } = context;
  const observation = new BrokerObservation(config);
  const server = new ObservationServer({
    host: config.metricsPromExporterHost,
    port: config.metricsPromExporterPort,
    health,
    metrics: observation.metrics,
    logger: logger.child({ module: 'http' }),
  });
  await listening('metricsPromExporterPort', config.metricsPromExporterPort, () => lifecycle.start(server));
  return observation;
}

async function openMember(
  context: BrokerContext,
  parts: {
    readonly nameServers: NameServers;
    readonly serving: Serving;
    readonly clientCalls: LeaderCalls;
    readonly onRole: () => void;
  },
): Promise<ShardMember> {
  const { config, logger, lifecycle } = context;
  const { serving, clientCalls, onRole, nameServers } = parts;
  const files = await openShardFiles(context);
  const role = await roleOf(config, {
    nameServers,
    bootMark: await readBootMark(config.storePathRootDir, textFiles, logger),
    inSync: inSyncFile(config.storePathRootDir, textFiles, logger),
  });
  return new ShardMember({
    identity: identityOf(context),
    clientAddress: addressOf(config.brokerIP1, config.listenPort),
    replicationAddress: addressOf(config.brokerIP1, replicationPort(config)),
    acknowledge: config.brokerRole === 'SYNC_MASTER' ? 'confirmed' : 'stored',
    inSyncMin: inSyncMin(config),
    settleMs: config.slaveTimeout,
    mayLoseConfirmed: config.flushDiskType === 'ASYNC_FLUSH',
    files,
    clock: systemClock,
    logger,
    replication: replicationSettings(config),
    connect: (address) =>
      connectToLeader(address, { tls: undefined, accessKey: config.haAccessKey, engine: config.rpcEngine }),
    role,
    onFatal: (error) => lifecycle.fatal(error, 'an unexpected error in the change of roles ends the process'),
    events: {
      onLeading: (tenure) => {
        serving.begin(tenure);
        onRole();
      },
      onLeadingEnds: () => {
        serving.end();
        onRole();
      },
      onFollowing: onRole,
      onActing: (shard) => {
        serving.beginActing(shard);
        onRole();
      },
      onActingEnds: () => {
        serving.end();
        onRole();
      },
      onLeaderKnown: (leader) => {
        if (leader?.member !== config.brokerId) clientCalls.passOnTo(leader);
        onRole();
      },
    },
  });
}

/** By its slaves of a master, by itself of a slave. */
function copiedBytes({ tenure, copy }: ShardMember): number | undefined {
  if (tenure === undefined) return copy?.replica.endOffset;
  return tenure.replication.followers().reduce((sum, { storedOffset }) => sum + storedOffset, 0);
}

function identityOf({ config }: BrokerContext) {
  return {
    cluster: config.brokerClusterName,
    shard: config.brokerName,
    member: config.brokerId,
    incarnation: randomUUID(),
    version: VERSION,
  };
}

function adminMethodsOf(
  context: BrokerContext,
  member: ShardMember,
  adminCalls: LeaderCalls,
  clientCalls: LeaderCalls,
) {
  const { config } = context;
  const models = methodModels(
    BrokerAdminDefinition,
    `this member of broker ${config.brokerName} does not lead now: ask its master`,
  );
  return [
    ...adminCalls.methods(models),
    ...replicationAdminMethods({
      identity: identityOf(context),
      member: () => member,
      handOver: (heir) => member.handOver(heir, HAND_OVER_MS, () => clientCalls.pause()),
    }),
  ];
}

function logServing({ config, logger }: BrokerContext, port: number, member: ShardMember): void {
  const fields = {
    brokerName: config.brokerName,
    brokerId: config.brokerId,
    role: member.state,
    endpoint: addressOf(config.brokerIP1, port),
    nameServers: config.namesrvAddr,
  };
  logger.info(fields, 'serving');
  if (config.namesrvAddr.length === 0) {
    logger.warn({ module: 'registration' }, 'namesrvAddr is empty: clients find this broker only by its own address');
  }
}
