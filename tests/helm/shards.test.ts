import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { helmSkip, type KubernetesObject, objectOf, render } from './helm.ts';

const shardsOf = (objects: readonly KubernetesObject[]): string[] =>
  objects
    .filter(({ kind, metadata }) => kind === 'StatefulSet' && metadata.labels['orbitmq.io/place'] === 'master')
    .map(({ metadata }) => metadata.labels['orbitmq.io/broker-name']!);

function variables(object: KubernetesObject): Readonly<Record<string, { value?: string; valueFrom?: object }>> {
  const { env } = object['spec'].template.spec.containers[0];
  return Object.fromEntries(env.map((each: { name: string }) => [each.name, each]));
}

describe('shards', { skip: helmSkip }, () => {
  it('are named as in RocketMQ, beyond z, too', () => {
    const names = shardsOf(render({ set: { shards: 54, 'networkPolicy.enabled': false } }));
    assert.equal(names.length, 54);
    assert.equal(new Set(names).size, 54);
    for (const name of ['broker-a', 'broker-z', 'broker-aa', 'broker-az', 'broker-ba', 'broker-bb']) {
      assert.ok(names.includes(name), `${name} in ${names}`);
    }
  });

  it('are the same when there are more of them', () => {
    const [one, three] = [render({ set: { shards: 1 } }), render({ set: { shards: 3 } })];
    assert.deepEqual(shardsOf(one), ['broker-a']);
    assert.deepEqual(shardsOf(three), ['broker-a', 'broker-b', 'broker-c']);
    for (const name of ['mq-broker-a', 'mq-broker-a-s']) {
      assert.deepEqual(objectOf(three, 'StatefulSet', name), objectOf(one, 'StatefulSet', name), name);
    }
  });

  it('have a master of id 0 and slaves whose ids are the numbers of their pods, from 1', () => {
    const objects = render({ set: { 'broker.slaves.replicas': 2 } });
    const master = objectOf(objects, 'StatefulSet', 'mq-broker-b');
    assert.equal(master['spec'].replicas, 1);
    assert.equal(variables(master)['ORBITMQ_BROKER_ID']!.value, '0');
    assert.equal(variables(master)['ORBITMQ_BROKER_NAME']!.value, 'broker-b');
    assert.equal(variables(master)['ORBITMQ_LEASE_NAME']!.value, 'mq-broker-b');
    assert.equal(variables(master)['ORBITMQ_BROKER_IP1']!.value, '$(POD_NAME).mq-broker.demo.svc.cluster.local');
    const slaves = objectOf(objects, 'StatefulSet', 'mq-broker-b-s');
    assert.equal(slaves['spec'].replicas, 2);
    assert.deepEqual(slaves['spec'].ordinals, { start: 1 });
    assert.deepEqual(variables(slaves)['ORBITMQ_BROKER_ID']!.valueFrom, {
      fieldRef: { fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']" },
    });
  });

  it('keep their members apart, and masters from masters', () => {
    const softly = objectOf(render(), 'StatefulSet', 'mq-broker-a-s')['spec'].template.spec.affinity.podAntiAffinity;
    const [members, places] = softly.preferredDuringSchedulingIgnoredDuringExecution;
    assert.equal(members.podAffinityTerm.labelSelector.matchLabels['orbitmq.io/broker-name'], 'broker-a');
    assert.equal(places.podAffinityTerm.labelSelector.matchLabels['orbitmq.io/place'], 'slave');
    assert.ok(members.weight > places.weight);
    const hard = objectOf(render({ set: { 'broker.antiAffinity.mode': 'hard' } }), 'StatefulSet', 'mq-broker-a');
    const required = hard['spec'].template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution;
    assert.equal(required[0].labelSelector.matchLabels['orbitmq.io/broker-name'], 'broker-a');
    const none = objectOf(render({ set: { 'broker.antiAffinity.mode': 'none' } }), 'StatefulSet', 'mq-broker-a');
    assert.equal(none['spec'].template.spec.affinity, undefined);
  });

  it('have no slaves, disruption budgets and hand-over where there is nobody to take over', () => {
    const objects = render({ set: { 'broker.slaves.replicas': 0 } });
    assert.ok(!objects.some(({ metadata }) => metadata.name === 'mq-broker-a-s'));
    assert.ok(!objects.some(({ kind, metadata }) => kind === 'PodDisruptionBudget' && metadata.name === 'mq-broker-a'));
    const master = objectOf(objects, 'StatefulSet', 'mq-broker-a');
    assert.equal(master['spec'].template.spec.containers[0].lifecycle, undefined);
  });

  it('have roles for good and no business with the API server when there is no coordinator', () => {
    const objects = render({ set: { 'broker.coordinator': 'none' } });
    assert.ok(!objects.some(({ kind }) => kind === 'Role' || kind === 'RoleBinding'));
    const slaves = objectOf(objects, 'StatefulSet', 'mq-broker-a-s');
    assert.equal(variables(slaves)['ORBITMQ_BROKER_ROLE']!.value, 'SLAVE');
    assert.equal(slaves['spec'].template.spec.automountServiceAccountToken, false);
  });

  it('are registered with each name server', () => {
    const objects = render({ set: { 'nameServer.replicas': 3 } });
    const properties = objectOf(objects, 'ConfigMap', 'mq-broker')['data']['broker.properties'];
    const [, addresses] = /^namesrvAddr=(.*)$/m.exec(properties)!;
    assert.deepEqual(
      addresses!.split(';'),
      [0, 1, 2].map((index) => `mq-namesrv-${index}.mq-namesrv.demo.svc.cluster.local:9876`),
    );
  });

  it('have names that Kubernetes takes, however long that of the release is', () => {
    const release = 'a-release-whose-name-has-fifty-three-characters-abcde';
    for (const { metadata, kind } of render({ release, set: { shards: 27 } })) {
      // A StatefulSet's pods carry its name and ten more characters in a label of 63.
      assert.ok(metadata.name.length <= (kind === 'StatefulSet' ? 52 : 63), `${kind} ${metadata.name}`);
    }
  });
});
