import { KIB, MIB } from '@orbitmq/base';
import { choice, decimalNumber, flag, optionalPath, optionalPort, optionalText, wholeNumber } from '@orbitmq/runtime';

const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** How the members of a shard keep the same log, and who of them leads. */
export const replicationKeys = {
  haListenPort: optionalPort({
    defaultText: 'listenPort + 1',
    description: 'Port on which the master takes its slaves.',
  }),
  haMasterAddress: optionalText({
    accepts: 'host:port',
    description:
      'Replication port of the master, for a slave with a static role. Without it, the slave asks the name servers.',
  }),
  haAccessKey: optionalText({
    accepts: 'text without spaces',
    pattern: /^[\x21-\x7e]{1,256}$/,
    secret: true,
    description: 'Key that slaves must show to their master; the same for all members of a shard.',
  }),
  slaveReadEnable: flag({
    default: true,
    description:
      'A slave with a static role serves consumers while its master is away: they receive, acknowledge and commit offsets, and the master takes it over when it is back. Sends are refused.',
  }),
  slaveReadDelay: wholeNumber({
    default: 3_000,
    min: 500,
    max: 3_600_000,
    unit: 'ms',
    description:
      'A master that was not heard for so long, and that the name servers do not see either, is away. Slaves with a brokerId above 1 wait 2 s longer each, and leave it to the one before them.',
  }),
  accessMessageInMemoryMaxRatio: decimalNumber({
    default: 0,
    min: 0,
    max: 100,
    unit: '% of memory',
    description:
      'Messages further than this behind the end of the log, which are likely in no cache of the master any more, are read by a slave in sync for it, so that consumers with a backlog spare its disk. 0 = never; slaveReadEnable=false turns it off, too.',
  }),
  minInSyncReplicas: wholeNumber({
    default: 0,
    min: 0,
    max: 16,
    description:
      'Copies, the master’s included, that must be in sync for a send to be taken; else it is refused with HA_NOT_AVAILABLE. 0 = 2 for SYNC_MASTER, else 1.',
  }),
  slaveTimeout: wholeNumber({
    default: 3_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description:
      'A send that its slaves have not stored by then is answered with SLAVE_PERSISTENCE_TIMEOUT: it may be delivered or not.',
  }),
  haSendHeartbeatInterval: wholeNumber({
    default: 250,
    min: 10,
    max: 60_000,
    unit: 'ms',
    description: 'Pause between two heartbeats of the master to a slave.',
  }),
  haHousekeepingInterval: wholeNumber({
    default: 3_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'A stream between master and slave on which nothing came for so long is closed.',
  }),
  haMaxTimeSlaveNotCatchup: wholeNumber({
    default: 3_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'A slave that has been behind for so long leaves the in-sync set.',
  }),
  haMasterCatchUpTimeout: wholeNumber({
    default: 30_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    description:
      'With static roles and ASYNC_FLUSH: a master whose machine went down waits so long for a slave that was in sync, to get from it what it lost, before it leads with what it has.',
  }),
  haTransferBatchSize: wholeNumber({
    default: 512 * KIB,
    min: 4 * KIB,
    max: 16 * MIB,
    unit: 'bytes',
    description: 'Most bytes of the log in one message to a slave; a larger record goes alone.',
  }),
  coordinator: choice({
    default: 'none',
    words: ['none', 'kubernetes'],
    description:
      'Who decides which member leads: `none` = brokerRole, for good; `kubernetes` = a Lease object for each shard: a slave in sync takes over by itself.',
  }),
  leaseName: optionalText({
    accepts: 'the name of a Kubernetes object',
    pattern: OBJECT_NAME,
    description: 'Lease of this shard. Default: `orbitmq-` and brokerName, in lower case.',
  }),
  leaseNamespace: optionalText({
    accepts: 'a namespace',
    pattern: OBJECT_NAME,
    description: 'Namespace of the Lease. Default: the pod’s own, or that of the kubeconfig.',
  }),
  leaseKubeconfig: optionalPath({
    description: 'kubeconfig file of the API server. Default: the pod’s service account.',
  }),
  leaseDuration: wholeNumber({
    default: 3_000,
    min: 500,
    max: 600_000,
    unit: 'ms',
    description:
      'A master that has not renewed its Lease for so long may be replaced. It renews it three times as often.',
  }),
  leaderSuspicion: wholeNumber({
    default: 1_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'A master of which nothing was heard for so long may be replaced where its answers need the slave.',
  }),
  haBindAddress: optionalText({
    accepts: 'an IP address',
    pattern: /^[A-Za-z0-9._:-]{1,253}$/,
    description: 'Address on which the replication port listens. Default: bindAddress.',
  }),
} as const;
