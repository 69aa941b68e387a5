import { access } from './access-values.ts';
import { broker } from './broker-values.ts';
import { metrics } from './metrics-values.ts';
import { nameServer } from './name-server-values.ts';
import { merging, placement, podExtras, resources } from './pod-values.ts';
import { networkPolicy, secrets, security } from './security-values.ts';
import { declared } from './topic-values.ts';
import { flag, type Group, group, listOf, matching, objectName, oneOf, text, texts, value, whole } from './value.ts';

const naming = {
  nameOverride: value('', objectName, 'Appended to the name of the release to name all objects.'),
  fullnameOverride: value('', objectName, 'Names all objects, in place of the name of the release.'),
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

const admin = group('A pod for operators, with mqadmin: kubectl exec deploy/NAME-admin -- mqadmin', {
  enabled: value(true, flag, 'Run it.'),
  resources: resources({ requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } }),
  ...placement({}),
  ...podExtras,
  ...merging(['deployment', 'podTemplate', 'container']),
});

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
