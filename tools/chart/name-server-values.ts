import { nameServerConfigSpec } from '@orbitmq/namesrv/config';
import type { ConfigKeys, ConfigSpec } from '@orbitmq/runtime';
import { configSchema } from './config-schema.ts';
import { merging, placement, podExtras, probes, resources } from './pod-values.ts';
import { flag, group, listOf, text, value, whole } from './value.ts';

/** Keys of a name server that follow from other values. */
const NAME_SERVER_KEYS_OF_CHART = [
  'listenPort',
  'grpcServerPort',
  'tlsCertPath',
  'tlsKeyPath',
  'metricsPromExporterPort',
  'clusterAddresses',
];

/** Values of the name servers. */
export const nameServer = group('Name servers: the access point of clients. They keep nothing on disk.', {
  replicas: value(2, whole(1, 20), 'How many. Each broker registers with each of them.'),
  config: value(
    {},
    configSchema(nameServerConfigSpec as ConfigSpec<ConfigKeys>, NAME_SERVER_KEYS_OF_CHART),
    'Keys of mqnamesrv by name: docs/reference/config.md.',
  ),
  clusterAddresses: value(
    [],
    listOf(text),
    'More names, with or without a port, by which clients in the cluster dial name servers: an alias, say. Clients that dial any other address have all their calls relayed through it.',
  ),
  heapMiB: value(64, whole(24, 65_536), 'Heap of the process, within the limit of memory. MiB.'),
  resources: resources({ requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '128Mi' } }),
  ...probes({
    startup: { periodSeconds: 1, failureThreshold: 60 },
    readiness: { periodSeconds: 2 },
    liveness: { periodSeconds: 10, failureThreshold: 6 },
  }),
  drainSeconds: value(
    5,
    whole(0, 600),
    'A name server that is to stop goes on for so long, until no new client is sent to it.',
  ),
  terminationGracePeriodSeconds: value(30, whole(1, 3600), 'Time from the wish that a pod ends to its end by force.'),
  podDisruptionBudget: group('At most one name server is evicted at a time.', {
    enabled: value(true, flag, 'Make it, when there is more than one.'),
  }),
  ...placement({ 'kubernetes.io/hostname': { maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' } }),
  ...podExtras,
  ...merging([
    'statefulSet',
    'podTemplate',
    'container',
    'service',
    'headlessService',
    'configMap',
    'podDisruptionBudget',
    'networkPolicy',
    'serviceAccount',
  ]),
});
