import { flag, type Group, group, listOf, only, over, part, parts, text, value } from './value.ts';

/** Certificates and keys. */
export const secrets: Group['children'] = {
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

/** Who may connect. */
export const networkPolicy = group('Who may connect to what. It takes a network plugin that knows policies.', {
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

/** What pods may do on their nodes. */
export const security: Group['children'] = {
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
