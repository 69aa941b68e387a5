import { amount, type Group, group, only, part, parts, texts, type Value, value } from './value.ts';

/** Resources of a container. */
export function resources(defaultValue: object): Value {
  const amounts = { type: 'object', additionalProperties: amount };
  const schema = only({ requests: amounts, limits: amounts, claims: parts });
  return value(defaultValue, schema, 'Resources of the container.');
}

/** The three questions of the kubelet. What is said here is merged over the path and port that the chart asks at. */
export function probes(defaults: Readonly<Record<'startup' | 'readiness' | 'liveness', object>>): Group['children'] {
  const schema = { type: 'object' };
  return {
    startupProbe: value(
      defaults.startup,
      schema,
      'Has it read its data, and opened its ports (/readyz)? Until then the others are not asked.',
    ),
    readinessProbe: value(defaults.readiness, schema, 'Can it serve (/readyz)?'),
    livenessProbe: value(
      defaults.liveness,
      schema,
      'Does its event loop turn (/healthz)? If not, it is started again.',
    ),
  };
}

/** Where pods run. */
export function placement(topologySpreadConstraints: object): Group['children'] {
  return {
    nodeSelector: value({}, texts, 'Labels of nodes to run on.'),
    tolerations: value([], parts, 'Tolerations.'),
    affinity: value({}, part, 'Affinity, in place of what the chart would set.'),
    topologySpreadConstraints: value(
      topologySpreadConstraints,
      { type: 'object', additionalProperties: { type: 'object' } },
      'Spread over nodes by topology key; the selector is added.',
    ),
  };
}

/** What may be added to pods. */
export const podExtras: Group['children'] = {
  podLabels: value({}, texts, 'Labels of the pods.'),
  podAnnotations: value({}, texts, 'Annotations of the pods. They may hold templates.'),
  extraEnv: value([], parts, 'Variables of the container.'),
  extraEnvFrom: value([], parts, 'Sources of variables of the container.'),
  extraVolumes: value([], parts, 'Volumes of the pods.'),
  extraVolumeMounts: value([], parts, 'Mounts of the container.'),
  initContainers: value([], parts, 'Containers that run first.'),
  extraContainers: value([], parts, 'Containers that run beside.'),
};

/** Objects over which anything may be merged. */
export function merging(objects: readonly string[]): Group['children'] {
  const children = Object.fromEntries(objects.map((name) => [name, value({}, part, '')]));
  return {
    merge: group(
      'Merged over the objects that the chart makes, field by field: whatever has no value of its own.',
      children,
    ),
  };
}
