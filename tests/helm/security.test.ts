import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EXAMPLES, helmSkip, type KubernetesObject, objectOf, podSpecs, render } from './helm.ts';

const renderings = (): readonly (readonly [string, readonly KubernetesObject[]])[] => [
  ['the defaults', render()],
  ['volumes that go', render({ set: { 'broker.persistence.retention.whenDeleted': 'Delete' } })],
  ...EXAMPLES.map((example) => [example, render({ example })] as const),
];

describe('security', { skip: helmSkip }, () => {
  it('makes all pods meet the restricted Pod Security Standard', () => {
    for (const [name, objects] of renderings()) {
      assert.ok(podSpecs(objects).length >= 4, name);
      for (const { of, spec } of podSpecs(objects)) {
        const at = `${of} of ${name}`;
        assert.equal(spec.securityContext.runAsNonRoot, true, at);
        assert.ok(spec.securityContext.runAsUser > 0, at);
        assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault', at);
        for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) assert.equal(spec[field], undefined, at);
        for (const volume of spec.volumes ?? []) assert.equal(volume.hostPath, undefined, at);
        for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
          const { securityContext } = container;
          assert.equal(securityContext.allowPrivilegeEscalation, false, at);
          assert.equal(securityContext.readOnlyRootFilesystem, true, at);
          assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] }, at);
          assert.ok(container.resources.limits.memory, `${at} has no limit of memory`);
          for (const { hostPort } of container.ports ?? []) assert.equal(hostPort, undefined, at);
        }
      }
    }
  });

  it('gives a token of the API server to those only who need a Lease', () => {
    const objects = render({ set: { 'broker.persistence.retention.whenDeleted': 'Delete' } });
    const withToken = podSpecs(objects).filter(({ spec }) => spec.automountServiceAccountToken !== false);
    assert.deepEqual(withToken.map(({ of }) => of).sort(), [
      'Job mq-forget-leases-post-delete',
      'StatefulSet mq-broker-a',
      'StatefulSet mq-broker-a-s',
      'StatefulSet mq-broker-b',
      'StatefulSet mq-broker-b-s',
    ]);
    for (const { kind, metadata, ...rest } of objects) {
      if (kind === 'ServiceAccount') assert.equal(rest['automountServiceAccountToken'], false, metadata.name);
    }
  });

  it('lets each shard use its own Lease, and nothing else', () => {
    const objects = render();
    const kinds = new Set(objects.map(({ kind }) => kind));
    assert.ok(!kinds.has('ClusterRole') && !kinds.has('ClusterRoleBinding'));
    for (const letter of ['a', 'b']) {
      const name = `mq-broker-${letter}`;
      assert.deepEqual(objectOf(objects, 'Role', name)['rules'], [
        { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: [name], verbs: ['get', 'update'] },
        { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
      ]);
      assert.deepEqual(objectOf(objects, 'RoleBinding', name)['subjects'], [
        { kind: 'ServiceAccount', name, namespace: 'demo' },
      ]);
      assert.equal(objectOf(objects, 'StatefulSet', name)['spec'].template.spec.serviceAccountName, name);
      assert.equal(objectOf(objects, 'StatefulSet', `${name}-s`)['spec'].template.spec.serviceAccountName, name);
    }
    assert.equal(objects.filter(({ kind }) => kind === 'Role').length, 2);
  });

  it('keeps secrets in Secrets', () => {
    for (const [name, objects] of renderings()) {
      const text = JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret'));
      assert.doesNotMatch(text, /haAccessKey=|PRIVATE KEY/, name);
      for (const { spec } of podSpecs(objects)) {
        for (const { name: variable, value } of spec.containers[0].env ?? []) {
          if (/KEY|SECRET|PASSWORD/.test(variable)) assert.equal(value, undefined, variable);
        }
      }
    }
    const given = render({ set: { 'replication.accessKey': { existingSecret: 'ours', key: 'k' } } });
    assert.ok(!given.some(({ kind }) => kind === 'Secret'));
    const { env } = objectOf(given, 'StatefulSet', 'mq-broker-a')['spec'].template.spec.containers[0];
    assert.deepEqual(env.find(({ name }: { name: string }) => name === 'ORBITMQ_HA_ACCESS_KEY').valueFrom, {
      secretKeyRef: { name: 'ours', key: 'k' },
    });
  });

  it('admits to the ports of the cluster only who belongs there', () => {
    const objects = render();
    const rules = (name: string): Map<string, object[] | undefined> =>
      new Map(
        objectOf(objects, 'NetworkPolicy', name)['spec'].ingress.map(
          (rule: { ports: { port: string }[]; from?: object[] }) => [rule.ports[0]!.port, rule.from],
        ),
      );
    const ofBroker = {
      'app.kubernetes.io/component': 'broker',
      'app.kubernetes.io/instance': 'mq',
      'app.kubernetes.io/name': 'orbitmq',
    };
    const brokers = { podSelector: { matchLabels: ofBroker } };
    const admins = { podSelector: { matchLabels: { 'orbitmq.io/admin-client': 'true' } } };
    const broker = rules('mq-broker-b');
    assert.deepEqual([...broker.keys()], ['grpc', 'replication', 'admin', 'metrics']);
    assert.equal(broker.get('grpc'), undefined);
    assert.deepEqual(broker.get('replication'), [
      { podSelector: { matchLabels: { ...ofBroker, 'orbitmq.io/broker-name': 'broker-b' } } },
    ]);
    assert.deepEqual(broker.get('admin'), [brokers, admins]);
    const nameServer = rules('mq-namesrv');
    assert.deepEqual([...nameServer.keys()], ['grpc', 'namesrv', 'metrics']);
    assert.deepEqual(nameServer.get('namesrv'), [brokers, admins]);
    const clients = [{ podSelector: { matchLabels: { app: 'shop' } } }];
    const closed = render({ set: { 'networkPolicy.clients': clients } });
    const fromOf = (name: string): object[] =>
      objectOf(closed, 'NetworkPolicy', name)['spec'].ingress.find(
        ({ ports }: { ports: { port: string }[] }) => ports[0]!.port === 'grpc',
      ).from;
    assert.deepEqual(fromOf('mq-namesrv'), [admins, ...clients]);
    const nameServers = { podSelector: { matchLabels: { ...ofBroker, 'app.kubernetes.io/component': 'name-server' } } };
    assert.deepEqual(fromOf('mq-broker-a'), [nameServers, brokers, admins, ...clients]);
    const labels = objectOf(objects, 'Deployment', 'mq-admin')['spec'].template.metadata.labels;
    assert.equal(labels['orbitmq.io/admin-client'], 'true');
  });
});
