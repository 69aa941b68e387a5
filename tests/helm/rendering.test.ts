import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from '@orbitmq/tools';
import { load } from 'js-yaml';
import { goldenText } from './golden.ts';
import { CHART, EXAMPLES, helm, helmSkip, objectOf, render, renderedText } from './helm.ts';

it('the chart has the version of the programs', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const chart = load(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as Readonly<Record<string, unknown>>;
  assert.deepEqual([chart['version'], chart['appVersion']], [version, version]);
});

describe('the chart', { skip: helmSkip }, () => {
  it('has an example for each case, and all are tested', () => {
    assert.deepEqual(readdirSync(join(CHART, 'examples')).sort(), EXAMPLES.map((name) => `${name}.yaml`).sort());
  });

  it('is clean by itself', () => {
    const { code, stdout } = helm('lint', '--strict', CHART);
    assert.equal(code, 0, stdout);
  });

  for (const example of EXAMPLES) {
    it(`is clean with the values of ${example}, and renders to what is recorded`, () => {
      const { code, stdout } = helm('lint', '--strict', CHART, '-f', join(CHART, 'examples', `${example}.yaml`));
      assert.equal(code, 0, stdout);
      assert.equal(
        renderedText({ example }),
        goldenText(example),
        'if this is meant, run: node --conditions=@orbitmq/source tests/helm/golden.ts',
      );
    });
  }

  it('ends an install with commands that fit the values', () => {
    const notesOf = (example: string): string =>
      helm('install', 'mq', CHART, '-n', 'demo', '--dry-run=client', '-f', join(CHART, 'examples', `${example}.yaml`))
        .stdout.split('NOTES:')[1]!
        .replaceAll('kubectl -n demo exec deploy/mq-admin -- mqadmin', 'mqadmin');
    const production = notesOf('production');
    for (const command of [
      'kubectl -n demo wait pod -l app.kubernetes.io/instance=mq --for=condition=Ready --timeout=5m',
      'mqadmin updateTopic -c DefaultCluster -t HelloTopic',
      'mqadmin updateSubGroup -c DefaultCluster -g HelloGroup',
      'mqadmin sendMessage -t HelloTopic -p hello',
      'mqadmin consumeMessage -t HelloTopic -g HelloGroup -c 1',
      'kubectl -n demo port-forward svc/mq 8081',
    ]) {
      assert.ok(production.includes(`  ${command}\n`), `${command} in ${production}`);
    }
    assert.match(production, /With fewer than 2 of 3 copies in sync, sends are refused/);
    const dev = notesOf('dev');
    assert.doesNotMatch(dev, /updateTopic|updateSubGroup/);
    assert.match(dev, /There is no slave: no failover/);
    assert.match(notesOf('load-balancer'), /port-forward svc\/mq 8081:443\n/);
    assert.match(notesOf('node-port'), /WARNING: .* set tls\.existingSecret/);
    assert.match(notesOf('ingress'), /Clients outside dial +mq\.example\.com:443/);
  });

  it('merges what it has no value for, on every kind of object', () => {
    const objects = render({
      set: {
        'broker.merge.statefulSet.spec.revisionHistoryLimit': 3,
        'broker.merge.podTemplate.spec.hostAliases': [{ ip: '10.0.0.1', hostnames: ['a'] }],
        'broker.merge.container.stdin': true,
        'nameServer.merge.service.spec.internalTrafficPolicy': 'Local',
        commonLabels: { team: 'queues' },
        commonAnnotations: { owner: 'me' },
        extraObjects: [
          '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"of-{{ .Release.Name }}","labels":{"team":"queues"},"annotations":{"owner":"me"}}}',
        ],
      },
    });
    const { spec } = objectOf(objects, 'StatefulSet', 'mq-broker-a');
    assert.equal(spec.revisionHistoryLimit, 3);
    assert.deepEqual(spec.template.spec.hostAliases, [{ ip: '10.0.0.1', hostnames: ['a'] }]);
    assert.equal(spec.template.spec.containers[0].stdin, true);
    assert.equal(spec.template.spec.containers[0].name, 'broker', 'what is merged replaces nothing else');
    assert.equal(objectOf(objects, 'Service', 'mq')['spec'].internalTrafficPolicy, 'Local');
    objectOf(objects, 'ConfigMap', 'of-mq');
    for (const { kind, metadata } of objects) {
      assert.equal(metadata.labels['team'], 'queues', `${kind} ${metadata.name}`);
      assert.equal(metadata.annotations?.['owner'], 'me', `${kind} ${metadata.name}`);
    }
  });

  it('adds variables, volumes and containers to pods', () => {
    const extras = {
      extraEnv: [{ name: 'ORBITMQ_LOG_LEVEL', value: 'debug' }],
      extraVolumes: [{ name: 'more', emptyDir: {} }],
      extraVolumeMounts: [{ name: 'more', mountPath: '/more' }],
      extraContainers: [{ name: 'side', image: 'side:1' }],
      initContainers: [{ name: 'before', image: 'before:1' }],
      podLabels: { extra: 'label' },
      podAnnotations: { 'of-release': '{{ .Release.Name }}' },
    };
    const objects = render({ set: { broker: extras, nameServer: extras, admin: extras } });
    const workloads = [
      ['StatefulSet', 'mq-broker-a'],
      ['StatefulSet', 'mq-broker-a-s'],
      ['StatefulSet', 'mq-namesrv'],
      ['Deployment', 'mq-admin'],
    ] as const;
    for (const [kind, name] of workloads) {
      const { metadata, spec } = objectOf(objects, kind, name)['spec'].template;
      assert.equal(metadata.labels.extra, 'label', name);
      assert.equal(metadata.annotations['of-release'], 'mq', name);
      assert.ok(
        spec.containers[0].env.some((each: { name: string }) => each.name === 'ORBITMQ_LOG_LEVEL'),
        name,
      );
      assert.ok(
        spec.containers[0].volumeMounts.some((each: { name: string }) => each.name === 'more'),
        name,
      );
      assert.equal(spec.containers[1].name, 'side', name);
      assert.equal(spec.initContainers[0].name, 'before', name);
      assert.ok(
        spec.volumes.some((each: { name: string }) => each.name === 'more'),
        name,
      );
    }
  });
});
