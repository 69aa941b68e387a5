import { hostname } from 'node:os';
import { GIB, KIB, MIB } from '@orbitmq/base';
import { RPC_ENGINE_DEFAULT, RPC_ENGINES, rpcPortKeys } from '@orbitmq/rpc';
import {
  addressList,
  choice,
  flag,
  LOG_LEVELS,
  optionalPath,
  optionalPort,
  path,
  port,
  textKey,
  wholeNumber,
} from '@orbitmq/runtime';
import { liteKeys } from './lite-keys.ts';
import { localAddress } from './local-address.ts';
import { replicationKeys } from './replication-keys.ts';
import { transactionKeys } from './transaction-keys.ts';

const NAME = /^[A-Za-z0-9%_-]{1,127}$/;
const HOST = /^[A-Za-z0-9._:-]{1,253}$/;

/** Who the broker is in the cluster. */
const identityKeys = {
  brokerClusterName: textKey({
    default: 'DefaultCluster',
    accepts: '1…127 letters, digits, "_", "-" or "%"',
    pattern: NAME,
    description: 'Cluster that the broker belongs to.',
  }),
  brokerName: textKey({
    default: NAME.test(hostname()) ? hostname() : 'DEFAULT_BROKER',
    defaultText: 'name of the host',
    accepts: '1…127 letters, digits, "_", "-" or "%"',
    pattern: NAME,
    description: 'Name of the shard. A master and its slaves share it; two masters never do.',
  }),
  brokerId: wholeNumber({
    default: 0,
    min: 0,
    max: 1_000,
    description: 'Place in the shard: 0 is the master, others are its slaves. With a coordinator any of them may lead.',
  }),
  brokerRole: choice({
    default: 'ASYNC_MASTER',
    words: ['ASYNC_MASTER', 'SYNC_MASTER', 'SLAVE'],
    description:
      'What the broker is in its shard. ASYNC_MASTER answers a send when it has stored it, SYNC_MASTER when all slaves in sync have. SLAVE needs a brokerId above 0; with a coordinator, say of every member which kind of master it would be.',
  }),
} as const;

/** Where the broker is reached, and whom it reaches. */
const networkKeys = {
  namesrvAddr: addressList({
    description:
      'Name servers that the broker registers with, `host:port` separated by `;`. All of them are kept informed.',
  }),
  listenPort: wholeNumber({
    default: 10911,
    min: 3,
    max: 65_535,
    description: 'Port for clients: gRPC in plain and over TLS, told apart by the first byte.',
  }),
  bindAddress: textKey({
    default: '0.0.0.0',
    accepts: 'an IP address',
    pattern: HOST,
    description: 'Address on which the client port listens.',
  }),
  brokerIP1: textKey({
    default: localAddress(),
    defaultText: 'first address of this machine that is no loopback',
    accepts: 'a host name or an IP address',
    pattern: HOST,
    description: 'Address that clients dial: what routes say.',
  }),
  adminListenPort: optionalPort({
    defaultText: 'listenPort − 2',
    description: 'Port of the admin API, as mqadmin uses it.',
  }),
  adminBindAddress: textKey({
    default: '127.0.0.1',
    accepts: 'an IP address',
    pattern: HOST,
    description:
      'Address on which the admin API listens. It is not authenticated yet: keep it where only operators reach it.',
  }),
  tlsCertPath: optionalPath({
    description:
      'Certificate chain of the client port, PEM. It and its key are read again when they change. Without it, the broker makes a self-signed pair under `storePathRootDir/tls` at its first start.',
  }),
  tlsKeyPath: optionalPath({ description: 'Private key to `tlsCertPath`, PEM.' }),
  rpcEngine: choice({
    default: RPC_ENGINE_DEFAULT,
    words: RPC_ENGINES,
    description:
      'What carries the calls of clients, and our own to other members: `native`, HTTP/2 of our own, or `grpc-js`, which costs several times the CPU.',
  }),
} as const;

/** Disk: where, how durable, how long. */
const storageKeys = {
  storePathRootDir: path({
    default: '~/store',
    description: 'Directory that holds everything the broker keeps. One process at a time owns it.',
  }),
  storePathCommitLog: optionalPath({
    description:
      'Where the log lies: `storePathRootDir/commitlog`, and nowhere else; another value is refused. Put `storePathRootDir` on the disk that is meant for the log.',
  }),
  flushDiskType: choice({
    default: 'ASYNC_FLUSH',
    words: ['ASYNC_FLUSH', 'SYNC_FLUSH'],
    description:
      'When a send is answered: ASYNC_FLUSH when it is written (survives the end of the process), SYNC_FLUSH when it is on the disk (survives power loss).',
  }),
  flushIntervalCommitLog: wholeNumber({
    default: 500,
    min: 10,
    max: 60_000,
    unit: 'ms',
    description: 'Longest time between two flushes under ASYNC_FLUSH.',
  }),
  mappedFileSizeCommitLog: wholeNumber({
    default: 256 * MIB,
    min: 64 * KIB,
    max: 2 * GIB,
    unit: 'bytes',
    description: 'Size of a segment of the log, a multiple of 4096; retention deletes whole segments.',
  }),
  fileReservedTime: wholeNumber({
    default: 72,
    min: 1,
    max: 87_600,
    unit: 'hours',
    description: 'Age at which messages may be deleted; topics may say otherwise.',
  }),
  commitLogSizeMax: wholeNumber({
    default: 0,
    min: 0,
    max: 2 ** 50,
    unit: 'bytes',
    description: 'Size at which the oldest segments are deleted whatever their age; 0 = no limit.',
  }),
  cleanResourceInterval: wholeNumber({
    default: 10_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    description: 'How often retention and the room on the disk are checked.',
  }),
  cleanFileForciblyEnable: flag({
    default: true,
    description:
      'Delete the oldest segments before their time when the disk is fuller than `diskSpaceCleanForciblyRatio`, as far as every group of their topics has consumed them.',
  }),
  scrubBytesPerSecond: wholeNumber({
    default: 8 * MIB,
    min: 0,
    max: GIB,
    unit: 'bytes/s',
    description:
      'How fast sealed segments are read again in the background to find what has turned on the disk; 0 = never.',
  }),
  scrubInterval: wholeNumber({
    default: 24 * 3_600_000,
    min: 1_000,
    max: 2 ** 31 - 1,
    unit: 'ms',
    description: 'Rest between two such rounds through the log; the first begins a minute after the start, or sooner.',
  }),
  diskSpaceCleanForciblyRatio: wholeNumber({
    default: 85,
    min: 10,
    max: 99,
    unit: 'percent',
    description: 'Use of the disk beyond which the oldest consumed segments are deleted before their time.',
  }),
  diskSpaceWarningLevelRatio: wholeNumber({
    default: 90,
    min: 10,
    max: 99,
    unit: 'percent',
    description:
      'Use of the disk beyond which sends are refused; receives and acks go on, and sends resume by themselves.',
  }),
} as const;

/** What clients may do. */
const messagingKeys = {
  autoCreateTopicEnable: flag({
    default: true,
    description: 'The first message to an unknown topic makes it. Turn it off in production.',
  }),
  copyTopicsOnJoin: choice({
    default: 'all',
    words: ['all', 'unordered', 'none'],
    description:
      'What a new broker takes over from a cluster that has topics: those that all other brokers hold, with the groups made by name. `unordered` leaves out topics of type FIFO and MIXED, so that no message group changes its broker.',
  }),
  provisionFile: optionalPath({
    description:
      'JSON file with topics and groups that are made and kept as it says, at the start and whenever it changes; nothing is deleted. See operating/topics.md.',
  }),
  autoCreateSubscriptionGroup: flag({
    default: true,
    description: 'A consumer group is made when its first client appears.',
  }),
  enablePropertyFilter: flag({
    default: true,
    description: 'Consumers may subscribe with SQL92 expressions over the properties of messages.',
  }),
  refuseDifferentSubscriptions: flag({
    default: true,
    description:
      'A client whose expression for a topic differs from that of the living clients of its group is refused; ' +
      'what one client does not want is passed over for its whole group.',
  }),
  messageIndexEnable: flag({
    default: true,
    description:
      'Messages can be looked up by their ids and keys, by an index on the disk that follows the log. Off: such queries are refused; the index is made later for what the log then holds when it is turned on again.',
  }),
  timerMaxDelaySec: wholeNumber({
    default: 0,
    min: 0,
    max: 2 ** 48,
    unit: 's',
    description: 'How far ahead the delivery time of a message may be; 0 = no limit.',
  }),
  dedupWindowMs: wholeNumber({
    default: 600_000,
    min: 0,
    max: 86_400_000,
    unit: 'ms',
    description:
      'A message whose id, or whose user property `ORBITMQ_DEDUP_KEY`, was sent to its topic on this broker within this time is stored once, and each send of it is answered like the first; 0 = it is stored each time.',
  }),
  dedupCountMax: wholeNumber({
    default: 1_000_000,
    min: 0,
    max: 50_000_000,
    unit: 'sends',
    description:
      'Sends that are remembered for `dedupWindowMs`, 40 bytes of memory each; the oldest are forgotten first.',
  }),
  timerPendingMax: wholeNumber({
    default: 2_000_000,
    min: 1,
    max: 100_000_000,
    description:
      'Timed messages that may wait for their time, 44 bytes of memory each; sends of more are refused with TOO_MANY_REQUESTS.',
  }),
  recallMessageEnable: flag({
    default: true,
    description: 'Producers may cancel timed messages that have not been delivered yet.',
  }),
  priorityOrderAsc: flag({
    default: false,
    description: 'Receives of a priority topic begin at its lowest queue, so that 0 is the highest priority.',
  }),
  defaultTopicQueueNums: wholeNumber({
    default: 8,
    min: 1,
    max: 1024,
    description: 'Queues of a topic that its first message makes.',
  }),
  maxMessageSize: wholeNumber({
    default: 4 * MIB,
    min: KIB,
    max: 64 * MIB,
    unit: 'bytes',
    description: 'Largest message body.',
  }),
  brokerPermission: wholeNumber({
    default: 6,
    min: 0,
    max: 6,
    description: 'What clients may do on this broker: 2 write, 4 read, 6 both.',
  }),
} as const;

/** What operators see. */
const observationKeys = {
  metricsPromExporterPort: port({ default: 5557, description: 'HTTP port of /metrics, /healthz and /readyz.' }),
  metricsPromExporterHost: textKey({
    default: '0.0.0.0',
    accepts: 'an IP address',
    pattern: HOST,
    description: 'Address on which the HTTP port listens.',
  }),
  metricsOtelCardinalityLimit: wholeNumber({
    default: 50_000,
    min: 100,
    max: 1_000_000,
    unit: 'series',
    description: 'Series of one metric; what comes later is summed up under the label value `other`.',
  }),
  logLevel: choice({ default: 'info', words: LOG_LEVELS, description: 'Least level of lines in the log.' }),
} as const;

/** Every key of a broker that does something. Names, types and units are RocketMQ's where it has the key. */
export const brokerKeys = {
  ...identityKeys,
  ...networkKeys,
  ...rpcPortKeys,
  ...storageKeys,
  ...messagingKeys,
  ...transactionKeys,
  ...liteKeys,
  ...replicationKeys,
  ...observationKeys,
} as const;
