import { brokerConfigSpec } from '@orbitmq/node';
import type { ConfigKeys, ConfigSpec } from '@orbitmq/runtime';
import { configSchema } from './config-schema.ts';
import { merging, placement, podExtras, probes, resources } from './pod-values.ts';
import {
  amount,
  flag,
  group,
  listOf,
  objectName,
  oneOf,
  part,
  type Schema,
  text,
  texts,
  value,
  whole,
} from './value.ts';

/** Keys of a broker that follow from other values or from the pod. */
const BROKER_KEYS_OF_CHART = [
  'brokerClusterName',
  'brokerName',
  'brokerId',
  'namesrvAddr',
  'listenPort',
  'brokerIP1',
  'adminListenPort',
  'adminBindAddress',
  'tlsCertPath',
  'tlsKeyPath',
  'storePathRootDir',
  'storePathCommitLog',
  'haListenPort',
  'haMasterAddress',
  'haAccessKey',
  'coordinator',
  'leaseName',
  'leaseNamespace',
  'leaseKubeconfig',
  'metricsPromExporterPort',
  'provisionFile',
];

const persistence = group('Volumes of the brokers, one each.', {
  enabled: value(true, flag, 'Off: data is gone with the pod. For trying only.'),
  size: value('8Gi', amount, 'Size of each volume. The log may take up to 85 % of it.'),
  storageClass: value('', text, 'Storage class; the default one of the cluster when empty.'),
  accessModes: value(
    ['ReadWriteOnce'],
    listOf(text),
    'Access modes. ReadWriteOncePod is stricter, where the driver knows it.',
  ),
  labels: value({}, texts, 'Labels of the claims. They can not be changed later.'),
  annotations: value({}, texts, 'Annotations of the claims. They can not be changed later.'),
  claim: value({}, part, 'Merged over the spec of the claims: dataSource, selector, volumeMode and so on.'),
  retention: group('What becomes of the claims.', {
    whenDeleted: value('Retain', oneOf('Retain', 'Delete'), 'When the release is uninstalled, or the shard removed.'),
    whenScaled: value('Retain', oneOf('Retain', 'Delete'), 'When slaves.replicas becomes smaller.'),
  }),
});

/** Values of the brokers. */
export const broker = group(
  'Brokers: the members of each shard, a master and its slaves. Which of them leads is settled by a Lease.',
  {
    config: value(
      {
        brokerRole: 'SYNC_MASTER',
        flushDiskType: 'SYNC_FLUSH',
        minInSyncReplicas: 1,
        autoCreateTopicEnable: true,
        mappedFileSizeCommitLog: 67_108_864,
      },
      brokerSchema(),
      'Keys of mqbroker by name: docs/reference/config.md. The defaults: an answer means that all copies in sync have the message on disk, and a shard that is down to one copy goes on with it (minInSyncReplicas 1; 2 refuses sends instead).',
    ),
    coordinator: value(
      'kubernetes',
      oneOf('kubernetes', 'none'),
      'kubernetes: a Lease for each shard, so that a slave in sync takes over. none: the first member of a shard is its master for good; there is no failover, and no Lease to ask for.',
    ),
    slaves: group('Slaves of each shard.', {
      replicas: value(1, whole(0, 8), 'Copies besides the first one. 0: no failover.'),
    }),
    heapMiB: value(128, whole(48, 262_144), 'Heap of the process, within the limit of memory: raise both. MiB.'),
    resources: resources({ requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '256Mi' } }),
    persistence,
    antiAffinity: group('Keeps the members of a shard apart, and masters from masters.', {
      mode: value(
        'soft',
        oneOf('soft', 'hard', 'none'),
        'soft: where there is a choice; hard: a member waits for a node without another member of its shard.',
      ),
      topologyKey: value('kubernetes.io/hostname', text, 'Label of nodes that are told apart.'),
    }),
    handOver: group(
      'What the member that leads does before it stops: it waits for a copy that can go on, and hands the lead over.',
      {
        waitSeconds: value(60, whole(0, 3600), 'So long at most. 0: it stops at once.'),
        settledSeconds: value(
          5,
          whole(0, 600),
          'A copy has to be in sync for so long. So a member is not handed the lead that is about to stop itself.',
        ),
      },
    ),
    terminationGracePeriodSeconds: value(
      90,
      whole(1, 7200),
      'Time from the wish that a pod ends to its end by force: handOver.waitSeconds and 20 s at least.',
    ),
    ...probes({
      startup: { periodSeconds: 1, failureThreshold: 3600 },
      readiness: { periodSeconds: 2 },
      liveness: { periodSeconds: 10, failureThreshold: 6 },
    }),
    minReadySeconds: value(
      5,
      whole(0, 3600),
      'When there are several slaves, the next one is not replaced before the last was ready for so long.',
    ),
    scaleIn: group('When shards becomes smaller: before the upgrade, the brokers that leave are drained.', {
      drain: value(true, flag, 'Off: their messages stay in their volumes, and nobody gets them.'),
      ignoreTopics: value([], listOf(text), 'Topics whose messages may be lost by it.'),
      ignoreGroups: value([], listOf(text), 'Groups that need not have all their messages.'),
      timeoutSeconds: value(
        240,
        whole(1, 86_400),
        'The upgrade fails when they are not empty by then. helm --timeout must be longer.',
      ),
    }),
    podDisruptionBudget: group('At most one member of each shard is evicted at a time.', {
      enabled: value(true, flag, 'Make it, when there are slaves.'),
      unhealthyPodEvictionPolicy: value(
        'AlwaysAllow',
        oneOf('AlwaysAllow', 'IfHealthyBudget'),
        'May members be evicted that are not ready?',
      ),
    }),
    serviceAccount: group('Brokers reach the API server for the Lease of their shard, and nothing else.', {
      create: value(true, flag, 'Make one for each shard, which may use the Lease of that shard only.'),
      name: value('', objectName, 'With create off: the one of all brokers. It is given the right to their Leases.'),
      annotations: value({}, texts, 'Annotations.'),
    }),
    ...placement({}),
    ...podExtras,
    ...merging([
      'statefulSet',
      'podTemplate',
      'container',
      'headlessService',
      'configMap',
      'podDisruptionBudget',
      'networkPolicy',
      'serviceAccount',
      'role',
      'roleBinding',
      'secret',
      'declared',
    ]),
  },
);

function brokerSchema(): Schema {
  const schema = configSchema(brokerConfigSpec as ConfigSpec<ConfigKeys>, BROKER_KEYS_OF_CHART);
  const properties = schema['properties'] as Record<string, object>;
  // Who is slave is settled by the Lease: the key says what kind of master each member would be.
  properties['brokerRole'] = { ...properties['brokerRole'], enum: ['ASYNC_MASTER', 'SYNC_MASTER'] };
  return schema;
}
