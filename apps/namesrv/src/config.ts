import { KIB, MIB } from '@orbitmq/base';
import { ROUTE_MODES } from '@orbitmq/relay';
import { limitProblems, RPC_ENGINE_DEFAULT, RPC_ENGINES, rpcPortKeys } from '@orbitmq/rpc';
import {
  type ConfigOf,
  type ConfigSpec,
  choice,
  flag,
  LOG_LEVELS,
  optionalPath,
  port,
  textKey,
  wholeNumber,
} from '@orbitmq/runtime';

const HOST = /^[A-Za-z0-9._:-]{1,253}$/;

const networkKeys = {
  listenPort: port({
    default: 9876,
    description: 'Port for members of the cluster and for operators: brokers register here, mqadmin asks here.',
  }),
  grpcServerPort: port({
    default: 8081,
    description: 'Port for clients, their access point: gRPC in plain and over TLS, told apart by the first byte.',
  }),
  bindAddress: textKey({
    default: '0.0.0.0',
    accepts: 'an IP address',
    pattern: HOST,
    description: 'Address on which both ports listen.',
  }),
  tlsCertPath: optionalPath({
    description:
      'Certificate chain of the client port, PEM. It and its key are read again when they change. Without it, the name server makes a self-signed pair at each start and keeps it in memory.',
  }),
  tlsKeyPath: optionalPath({ description: 'Private key to `tlsCertPath`, PEM.' }),
  rpcEngine: choice({
    default: RPC_ENGINE_DEFAULT,
    words: RPC_ENGINES,
    description:
      'What carries the calls of clients, and those that are passed on to brokers: `native`, HTTP/2 of our own, or `grpc-js`, which costs several times the CPU.',
  }),
  maxMessageSize: wholeNumber({
    default: 4 * MIB,
    min: KIB,
    max: 64 * MIB,
    unit: 'bytes',
    description:
      'Largest message body that clients may send through this name server: what the brokers are given, too.',
  }),
} as const;

/** One host with or without a port, IPv6 in brackets. */
const CLUSTER_ADDRESS = String.raw`\s*(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?\s*`;

const accessKeys = {
  routeMode: choice({
    default: 'auto',
    words: ROUTE_MODES,
    description:
      'Where routes send clients: `direct` to the brokers, `relay` back to this name server, by the address that they dialled; `auto` to the brokers when that address is one of the cluster, and back here when it is anything else, such as a forwarded port or a load balancer.',
  }),
  clusterAddresses: textKey({
    default: '',
    accepts: 'hosts, each with or without a port, separated by ";", IPv6 in brackets',
    pattern: new RegExp(`^(?:${CLUSTER_ADDRESS}(?:;${CLUSTER_ADDRESS})*;?\\s*)?$`),
    description:
      'Names and addresses by which clients inside the network of the brokers reach the name servers, for example those of a service; without a port, any. Whoever dials one of them talks to the brokers directly. Addresses and the name of this host need not be listed.',
  }),
} as const;

const routeKeys = {
  brokerNotActiveTimeoutMillis: wholeNumber({
    default: 5000,
    min: 2000,
    max: 600_000,
    unit: 'ms',
    description: 'A broker that says nothing for so long is taken out of the routes. Brokers speak each second.',
  }),
  brokerReconnectMillis: wholeNumber({
    default: 1500,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'A broker whose connection ended is taken out of the routes after so long, unless it comes back.',
  }),
  maxBrokers: wholeNumber({
    default: 1000,
    min: 1,
    max: 10_000,
    description: 'Brokers that may register; more are refused.',
  }),
  needWaitForService: flag({
    default: false,
    description: 'After a start, be ready only when `waitSecondsForService` have passed.',
  }),
  waitSecondsForService: wholeNumber({
    default: 45,
    min: 1,
    max: 3600,
    unit: 's',
    description: 'Time for brokers to register when `needWaitForService` is on.',
  }),
} as const;

const observationKeys = {
  metricsPromExporterPort: port({ default: 5556, description: 'HTTP port of /metrics, /healthz and /readyz.' }),
  metricsPromExporterHost: textKey({
    default: '0.0.0.0',
    accepts: 'an IP address',
    pattern: HOST,
    description: 'Address on which the HTTP port listens.',
  }),
  logLevel: choice({ default: 'info', words: LOG_LEVELS, description: 'Least level of lines in the log.' }),
} as const;

const nameServerKeys = { ...networkKeys, ...rpcPortKeys, ...accessKeys, ...routeKeys, ...observationKeys } as const;

/** A name server's configuration. */
export type NameServerConfig = ConfigOf<typeof nameServerKeys>;

/** RocketMQ's keys that a name server accepts and that change nothing here, by the reason. */
const KEYS_BY_REASON: readonly (readonly [reason: string, keys: string])[] = [
  ['a name server keeps nothing on disk', 'kvConfigPath configStorePath productEnvName rocketmqHome'],
  ['there are no ordered topics by name server configuration', 'orderMessageEnable returnOrderTopicConfigToBroker'],
  [
    'requests are not handled by thread pools, and there is no Netty',
    `clientRequestThreadPoolNums clientRequestThreadPoolQueueCapacity defaultThreadPoolNums
     defaultThreadPoolQueueCapacity unRegisterBrokerQueueCapacity serverWorkerThreads serverCallbackExecutorThreads
     serverSelectorThreads serverOnewaySemaphoreValue serverAsyncSemaphoreValue serverChannelMaxIdleTimeSeconds
     serverSocketSndBufSize serverSocketRcvBufSize serverSocketBacklog serverPooledByteBufAllocatorEnable
     useEpollNativeSelector writeBufferHighWaterMark writeBufferLowWaterMark`,
  ],
  ['brokers are watched all the time', 'scanNotActiveBrokerInterval'],
  ['who is master is settled by the brokers', 'supportActingMaster notifyMinBrokerIdChanged enableControllerInNamesrv'],
  [
    'topics are always listed, and follow their brokers at once',
    'enableAllTopicList enableTopicList deleteTopicWithBrokerRegistration',
  ],
  ['configuration is not changed at run time', 'configBlackList'],
];

/** Everything that may be said to `mqnamesrv`. */
export const nameServerConfigSpec: ConfigSpec<typeof nameServerKeys> = {
  program: 'mqnamesrv',
  keys: nameServerKeys,
  withoutEffect: new Map(
    KEYS_BY_REASON.flatMap(([reason, keys]) => keys.split(/\s+/).map((key): [string, string] => [key, reason])),
  ),
  check: checkRelations,
};

function checkRelations(config: NameServerConfig): string[] {
  const problems: string[] = limitProblems(config);
  if ((config.tlsCertPath === undefined) !== (config.tlsKeyPath === undefined)) {
    problems.push('tlsCertPath and tlsKeyPath belong together: set both, or none for a self-signed pair');
  }
  const { listenPort, grpcServerPort, metricsPromExporterPort } = config;
  const ports = [listenPort, grpcServerPort, metricsPromExporterPort].filter((value) => value !== 0);
  if (new Set(ports).size < ports.length) {
    problems.push(
      `listenPort (${listenPort}), grpcServerPort (${grpcServerPort}) and metricsPromExporterPort (${metricsPromExporterPort}) must differ`,
    );
  }
  return problems;
}
