import { flag, type Group, group, listOf, oneOf, only, over, parts, text, texts, value, whole } from './value.ts';

/** Ways in for clients. Routes give back the address that a client dialled, whichever way it came: nothing else is to be configured. */
export const access: Group['children'] = {
  service: group('The Service of clients, named as the release: the access point.', {
    type: value('ClusterIP', oneOf('ClusterIP', 'NodePort', 'LoadBalancer'), 'How it is reached.'),
    port: value(8081, whole(1, 65_535), 'Its port.'),
    nodePort: value(0, { anyOf: [{ const: 0 }, whole(1, 65_535)] }, 'Port of the nodes; 0: Kubernetes chooses one.'),
    annotations: value({}, texts, 'Annotations, as cloud providers want them.'),
    labels: value({}, texts, 'Labels.'),
    loadBalancerClass: value('', text, 'Kind of load balancer.'),
    loadBalancerSourceRanges: value([], listOf(text), 'Networks that may use the load balancer.'),
    externalTrafficPolicy: value('', { enum: ['', 'Cluster', 'Local'] }, 'Local keeps the addresses of clients.'),
    trafficDistribution: value('', text, 'PreferClose: clients are sent to name servers in their zone.'),
  }),
  ingress: group('An Ingress, for controllers that pass on gRPC.', {
    enabled: value(false, flag, 'Make it.'),
    className: value('', text, 'Class of the controller.'),
    annotations: value(
      { 'nginx.ingress.kubernetes.io/backend-protocol': 'GRPC' },
      texts,
      'Annotations: what tells the controller that this is gRPC.',
    ),
    labels: value({}, texts, 'Labels.'),
    hosts: value([], listOf(text), 'Names that clients dial.'),
    merge: over,
    tls: value(
      [],
      listOf(only({ hosts: listOf(text), secretName: text })),
      'Certificates. gRPC through an ingress nearly always takes TLS.',
    ),
  }),
  grpcRoute: group('A GRPCRoute of the Gateway API.', {
    enabled: value(false, flag, 'Make it.'),
    parentRefs: value([], parts, 'Gateways.'),
    hostnames: value([], listOf(text), 'Names that clients dial.'),
    labels: value({}, texts, 'Labels.'),
    annotations: value({}, texts, 'Annotations.'),
    merge: over,
  }),
};
