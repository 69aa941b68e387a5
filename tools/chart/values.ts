import { nameServerConfigSpec } from '@orbitmq/namesrv/config';
import { brokerConfigSpec } from '@orbitmq/node';
import type { ConfigKeys, ConfigSpec } from '@orbitmq/runtime';
import { access } from './access-values.ts';
import { configSchema } from './config-schema.ts';
import { metrics } from './metrics-values.ts';
import { merging, placement, podExtras, probes, resources } from './pod-values.ts';
import { declared } from './topic-values.ts';
import {
  amount,
  flag,
  type Group,
  group,
  listOf,
  matching,
  oneOf,
  only,
  over,
  part,
  parts,
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
/** Keys of a name server that follow from other values. */
const NAME_SERVER_KEYS_OF_CHART = [
  'listenPort',
  'grpcServerPort',
  'tlsCertPath',
  'tlsKeyPath',
  'metricsPromExporterPort',
  'clusterAddresses',
];
const OBJECT_NAME = '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$';

const naming = {
  nameOverride: value('', matching(OBJECT_NAME), 'Appended to the name of the release to name all objects.'),
  fullnameOverride: value('', matching(OBJECT_NAME), 'Names all objects, in place of the name of the release.'),
  clusterDomain: value('cluster.local', text, 'DNS domain of the Kubernetes cluster.'),
  clusterName: value(
    'DefaultCluster',
    matching('^[A-Za-z0-9%_-]{1,127}$'),
    "RocketMQ's name of the cluster: brokerClusterName.",
  ),
  commonLabels: value({}, texts, 'Labels of all objects and pods.'),
  commonAnnotations: value({}, texts, 'Annotations of all objects.'),
};

const image = group('The image of all programs.', {
  registry: value('', text, 'Registry, with its port.'),
  repository: value('orbitmq', text, 'Name of the image.'),
  tag: value('', text, 'Tag; the appVersion of the chart when empty.'),
  digest: value('', matching('^(sha256:[0-9a-f]{64})?$'), 'Digest; wins over the tag.'),
  pullPolicy: value('IfNotPresent', oneOf('Always', 'IfNotPresent', 'Never'), 'When the image is pulled.'),
});

const nameServer = group('Name servers: the access point of clients. They keep nothing on disk.', {
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

const broker = group(
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
      name: value(
        '',
        matching(OBJECT_NAME),
        'With create off: the one of all brokers. It is given the right to their Leases.',
      ),
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

function brokerSchema() {
  const schema = configSchema(brokerConfigSpec as ConfigSpec<ConfigKeys>, BROKER_KEYS_OF_CHART);
  const properties = schema['properties'] as Record<string, object>;
  // Who is slave is settled by the Lease: the key says what kind of master each member would be.
  properties['brokerRole'] = { ...properties['brokerRole'], enum: ['ASYNC_MASTER', 'SYNC_MASTER'] };
  return schema;
}

const admin = group('A pod for operators, with mqadmin: kubectl exec deploy/NAME-admin -- mqadmin', {
  enabled: value(true, flag, 'Run it.'),
  resources: resources({ requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } }),
  ...placement({}),
  ...podExtras,
  ...merging(['deployment', 'podTemplate', 'container']),
});

const secrets = {
  tls: group(
    'Certificate of the client ports. Without one, servers make self-signed ones. The same port serves plain text, too.',
    {
      existingSecret: value('', text, 'Secret with tls.crt and tls.key. Pods read it when they start.'),
      certManager: group('Have cert-manager make the Secret.', {
        enabled: value(false, flag, 'Make a Certificate.'),
        issuerRef: value({}, only({ name: text, kind: text, group: text }), 'Issuer.'),
        dnsNames: value([], listOf(text), 'More names, such as the one that clients from outside use.'),
        duration: value('2160h', text, 'Validity.'),
        renewBefore: value('720h', text, 'When it is renewed.'),
        merge: over,
      }),
    },
  ),
  replication: group('Between the members of a shard.', {
    accessKey: group('Key that members show to each other: haAccessKey.', {
      existingSecret: value(
        '',
        text,
        'Secret that holds it. Without one, the chart makes a key once, and keeps it. Tools that render charts without a cluster need one.',
      ),
      key: value('haAccessKey', text, 'Key within the Secret.'),
    }),
  }),
};

const networkPolicy = group('Who may connect to what. It takes a network plugin that knows policies.', {
  enabled: value(true, flag, 'Make the policies.'),
  clients: value(
    [],
    parts,
    'From where clients come, as "from" of a NetworkPolicy; empty: from anywhere. Add the ingress controller.',
  ),
  admin: value(
    [],
    parts,
    'From where else the admin ports are reached, which are not authenticated. Pods labelled orbitmq.io/admin-client=true in this namespace always may.',
  ),
  metrics: value([], parts, 'From where metrics are read; empty: from anywhere.'),
});

const security = {
  podSecurityContext: value(
    {
      runAsNonRoot: true,
      runAsUser: 10_001,
      runAsGroup: 10_001,
      fsGroup: 10_001,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    part,
    'Security context of all pods. It meets the restricted Pod Security Standard.',
  ),
  containerSecurityContext: value(
    { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    part,
    'Security context of all containers.',
  ),
};

/** All values of the chart, in the order of the file. */
export const values: Group = group('', {
  ...naming,
  image,
  imagePullSecrets: value([], listOf({ type: ['string', 'object'] }), 'Secrets for the registry, by name.'),
  priorityClassName: value('', text, 'Priority class of all pods.'),
  shards: value(
    2,
    whole(1, 200),
    'Shards: broker-a, broker-b, … Each has a master and its slaves. More take a part of the queues of all topics; fewer are drained first.',
  ),
  nameServer,
  broker,
  admin,
  ...declared,
  ...access,
  ...secrets,
  networkPolicy,
  metrics,
  ...security,
  extraObjects: value([], listOf({ type: ['string', 'object'] }), 'More objects. They may hold templates.'),
});
