import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CHART, helmSkip, objectOf, render, template } from './helm.ts';

function refusalOf(set: Readonly<Record<string, unknown>>): string {
  const { code, stderr } = template({ set });
  assert.notEqual(code, 0, `${JSON.stringify(set)} is taken`);
  return stderr;
}

/** What Helm says of each place in the values: all at once. */
function complaintsOf(set: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  const complaints = [...refusalOf(set).matchAll(/^\s*- at '([^']*)': (?!validation failed)(.*)$/gm)];
  return new Map(complaints.map(([, place, complaint]) => [place!.slice(1).replaceAll('/', '.'), complaint!]));
}

describe('values', { skip: helmSkip }, () => {
  it('are refused with their name when there is no such value, at every level', () => {
    const unknown: Readonly<Record<string, unknown>> = {
      shard: 3,
      'image.tags': 'x',
      'nameServer.replica': 3,
      'nameServer.config.listenPrt': 1,
      'broker.slave': 1,
      'broker.slaves.replica': 1,
      'broker.persistence.retention.whenScale': 'Retain',
      'broker.config.flushDiskTyp': 'SYNC_FLUSH',
      'broker.merge.statefulset': {},
      'service.nodeport': 1,
      'tls.certManager.issuer': 'x',
      'metrics.podMonitor.enable': true,
      'networkPolicy.client': [],
      topics: [{ name: 'a', queues: 3 }],
      groups: [{ name: 'a', retryMax: 3 }],
    };
    const complaints = complaintsOf(unknown);
    for (const path of Object.keys(unknown).filter((key) => key !== 'topics' && key !== 'groups')) {
      const [place, name] = [path.split('.').slice(0, -1).join('.'), path.split('.').at(-1)];
      assert.equal(complaints.get(place), `additional properties '${name}' not allowed`, path);
    }
    assert.equal(complaints.get('topics.0'), "additional properties 'queues' not allowed");
    assert.equal(complaints.get('groups.0'), "additional properties 'retryMax' not allowed");
  });

  it('are refused when they are of another kind, or out of their limits', () => {
    const wrong: Readonly<Record<string, unknown>> = {
      shards: 0,
      'nameServer.replicas': '3',
      'broker.slaves.replicas': -1,
      'broker.config.maxMessageSize': 1,
      'broker.config.fileReservedTime': '3 d',
      'broker.config.autoCreateTopicEnable': 'yes',
      'broker.config.flushDiskType': 'SYNC',
      'broker.config.brokerRole': 'SLAVE',
      'broker.antiAffinity.mode': 'strict',
      'broker.resources.limits.memory': '256 MiB',
      'service.type': 'ExternalName',
      'image.digest': 'latest',
      topics: [{ queueNums: 1 }, { name: 'a b' }],
    };
    const complaints = complaintsOf(wrong);
    for (const path of [...Object.keys(wrong).slice(0, -1), 'topics.0', 'topics.1.name']) {
      assert.ok(complaints.has(path), `${path} in ${[...complaints.keys()]}`);
    }
  });

  it('are refused when they do not fit together', () => {
    const both = { 'metrics.podMonitor.enabled': true, 'metrics.serviceMonitor.enabled': true };
    assert.match(refusalOf(both), /scrape everything twice/);
    assert.match(refusalOf({ 'ingress.enabled': true }), /ingress\.hosts must name what clients dial/);
    assert.match(refusalOf({ 'grpcRoute.enabled': true }), /grpcRoute\.parentRefs must name a gateway/);
    assert.match(refusalOf({ 'tls.certManager.enabled': true }), /issuerRef\.name must name an issuer/);
    assert.match(refusalOf({ 'broker.serviceAccount.create': false }), /serviceAccount\.name must be set/);
    assert.match(refusalOf({ 'broker.config.minInSyncReplicas': 3 }), /is 3 and a shard has 2 member/);
    assert.match(refusalOf({ 'broker.slaves.replicas': 0, 'broker.config.minInSyncReplicas': 0 }), /refuses all sends/);
    const alone = { 'broker.slaves.replicas': 0, 'broker.persistence.enabled': false };
    assert.match(refusalOf(alone), /set broker\.coordinator=none/);
    assert.ok(render({ set: { ...alone, 'broker.coordinator': 'none' } }).length > 0);
    assert.match(refusalOf({ 'broker.handOver.waitSeconds': 80 }), /must be at least 100/);
    assert.match(refusalOf({ 'nameServer.drainSeconds': 20 }), /must be at least 35/);
    assert.match(refusalOf({ 'broker.heapMiB': 256 }), /broker\.heapMiB is 256, .* limit of memory, 256Mi/);
  });

  it('give every key of the programs but those that the chart sets', () => {
    const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8'));
    const { broker, nameServer } = schema.properties;
    const ofChart = ['brokerName', 'brokerId', 'namesrvAddr', 'haAccessKey', 'coordinator', 'provisionFile'];
    for (const key of ofChart) assert.equal(broker.properties.config.properties[key], undefined, key);
    const said = complaintsOf({ 'broker.config': Object.fromEntries(ofChart.map((key) => [key, 'x'])) });
    for (const key of ofChart) assert.match(said.get('broker.config') ?? '', new RegExp(`'${key}'.* not allowed`), key);
    assert.ok(broker.properties.config.properties.fileReservedTime);
    assert.ok(nameServer.properties.config.properties.routeMode);
  });

  it('reach the properties files as they were meant', () => {
    const objects = render({
      set: {
        'broker.config': {
          mappedFileSizeCommitLog: 1_073_741_824,
          commitLogSizeMax: 1_125_899_906_842_624,
          autoCreateTopicEnable: false,
          brokerRole: 'SYNC_MASTER',
          logLevel: 'warn',
          sendMessageThreadPoolNums: 8,
        },
        'nameServer.config': { routeMode: 'relay', maxConnections: 1_000_000 },
        clusterName: 'C1',
      },
    });
    const broker: string = objectOf(objects, 'ConfigMap', 'mq-broker')['data']['broker.properties'];
    for (const line of [
      'mappedFileSizeCommitLog=1073741824',
      'commitLogSizeMax=1125899906842624',
      'autoCreateTopicEnable=false',
      'logLevel=warn',
      'sendMessageThreadPoolNums=8',
      'brokerClusterName=C1',
      'coordinator=kubernetes',
    ]) {
      assert.ok(broker.split('\n').includes(line), `${line} in\n${broker}`);
    }
    const nameServer: string = objectOf(objects, 'ConfigMap', 'mq-namesrv')['data']['namesrv.properties'];
    const lines = nameServer.split('\n');
    assert.ok(lines.includes('routeMode=relay') && lines.includes('maxConnections=1000000'), nameServer);
    for (const name of ['mq', 'mq.demo', 'mq.demo.svc.cluster.local', 'mq-namesrv-1.mq-namesrv.demo']) {
      assert.match(nameServer, new RegExp(`^clusterAddresses=.*(?<=[=;])${name}(?=;|$)`, 'm'), name);
    }
  });

  it('declare topics without a new start of the brokers', () => {
    const topics = [{ name: 'orders', queueNums: 4, messageType: 'FIFO', attributes: { 'reserve.time': 86_400_000 } }];
    const groups = [{ name: 'billing', consumeMessageOrderly: true }];
    const [before, after] = [render(), render({ set: { topics, groups } })];
    const file = objectOf(after, 'ConfigMap', 'mq-declared')['data']['declared.json'];
    assert.deepEqual(JSON.parse(file), { topics, groups });
    assert.deepEqual(objectOf(after, 'StatefulSet', 'mq-broker-a'), objectOf(before, 'StatefulSet', 'mq-broker-a'));
  });

  it('that change a configuration change the pods that read it, and no others', () => {
    const [before, after] = [render(), render({ set: { 'broker.config.fileReservedTime': 24 } })];
    assert.notDeepEqual(objectOf(after, 'StatefulSet', 'mq-broker-a'), objectOf(before, 'StatefulSet', 'mq-broker-a'));
    assert.deepEqual(objectOf(after, 'StatefulSet', 'mq-namesrv'), objectOf(before, 'StatefulSet', 'mq-namesrv'));
  });
});
