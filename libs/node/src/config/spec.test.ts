import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MIB } from '@orbitmq/base';
import { ConfigError, loadConfig } from '@orbitmq/runtime';
import { adminPort, brokerConfigSpec, copyBehindBytes, replicationPort } from './spec.ts';

const SAMPLES = new URL('../../../../deploy/conf/', import.meta.url);

function load(text: string, flags: Readonly<Record<string, string>> = {}) {
  return loadConfig(brokerConfigSpec, {
    file: { name: 'broker.properties', text },
    environment: new Map(),
    flags: new Map(Object.entries(flags)),
  });
}

function problemsOf(text: string): string {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
  return '';
}

test('the samples that come along are taken without a warning', () => {
  for (const [layout, count] of [
    ['2m-noslave', 2],
    ['2m-2s-async', 4],
    ['2m-2s-sync', 4],
  ] as const) {
    const names = readdirSync(new URL(layout, SAMPLES));
    assert.equal(names.length, count, layout);
    const loaded = names.map((name) => load(readFileSync(new URL(`${layout}/${name}`, SAMPLES), 'utf8')));
    assert.deepEqual(
      loaded.flatMap(({ warnings }) => warnings),
      [],
    );
    const ports = loaded.flatMap(({ config }) => [config.listenPort, adminPort(config), replicationPort(config)]);
    assert.equal(new Set(ports).size, 3 * count, layout);
  }
});

test('a properties file of a RocketMQ broker is taken; what makes no sense here is named once', () => {
  const { config, warnings } = load(
    [
      'brokerClusterName = DefaultCluster',
      'brokerName=broker-a',
      'brokerId=0',
      'namesrvAddr=10.0.0.1:9876;10.0.0.2:9876',
      'defaultTopicQueueNums=4',
      'autoCreateTopicEnable=false',
      'listenPort=30911',
      'deleteWhen=04',
      'fileReservedTime=120',
      'mapedFileSizeConsumeQueue=300000',
      'diskMaxUsedSpaceRatio=88',
      'maxMessageSize=65536',
      'sendMessageThreadPoolNums=128',
      'brokerRole=ASYNC_MASTER',
      'flushDiskType=SYNC_FLUSH',
    ].join('\n'),
  );
  assert.deepEqual(config.namesrvAddr, ['10.0.0.1:9876', '10.0.0.2:9876']);
  assert.equal(config.flushDiskType, 'SYNC_FLUSH');
  assert.equal(adminPort(config), 30909);
  assert.equal(warnings.length, 1);
  for (const key of ['deleteWhen', 'mapedFileSizeConsumeQueue', 'diskMaxUsedSpaceRatio', 'sendMessageThreadPoolNums']) {
    assert.ok(warnings[0]!.includes(key), key);
  }
});

test('a role that does not fit its place in the shard is refused', () => {
  assert.match(problemsOf('brokerRole=SLAVE'), /brokerRole SLAVE does not fit brokerId 0/);
  assert.match(problemsOf('brokerId=1'), /brokerRole ASYNC_MASTER does not fit brokerId 1/);
  assert.match(problemsOf('brokerId=1\nbrokerRole=SLAVE\ncoordinator=kubernetes'), /SLAVE with a coordinator/);
  assert.match(problemsOf('leaderSuspicion=4000'), /leaderSuspicion \(4000\) must not be above leaseDuration/);
  assert.match(problemsOf('coordinator=kubernetes\nhaSendHeartbeatInterval=600'), /at most half of leaderSuspicion/);
});

test('slaves read for their master only where a distance is set, as a share of memory that may have a fraction', () => {
  const behindBytes = (text: string): number => copyBehindBytes(load(text).config, 1000 * MIB);
  assert.equal(behindBytes(''), Number.POSITIVE_INFINITY);
  assert.equal(behindBytes('accessMessageInMemoryMaxRatio=40'), 400 * MIB);
  assert.equal(behindBytes('accessMessageInMemoryMaxRatio=0.5'), 5 * MIB);
  assert.equal(behindBytes('accessMessageInMemoryMaxRatio=40\nslaveReadEnable=false'), Number.POSITIVE_INFINITY);
  for (const value of ['101', '-1', '4e1', 'all', '']) {
    assert.match(problemsOf(`accessMessageInMemoryMaxRatio=${value}`), /must be number, 0…100/);
  }
});

test('a misspelt key is refused with the nearest one', () => {
  assert.match(problemsOf('flushDiskTyp=SYNC_FLUSH'), /"flushDiskTyp" .*did you mean flushDiskType\?/);
  assert.match(problemsOf('sendMessageThreadPoolNum=1'), /did you mean sendMessageThreadPoolNums\?/);
});

test('relations between keys are checked', () => {
  assert.match(problemsOf('mappedFileSizeCommitLog=65536'), /mappedFileSizeCommitLog \(65536\) must hold two/);
  assert.match(problemsOf('mappedFileSizeCommitLog=268435457'), /multiple of 4096/);
  assert.match(problemsOf('commitLogSizeMax=1000'), /commitLogSizeMax \(1000\) must be 0 or at least two segments/);
  assert.match(problemsOf('tlsCertPath=/tmp/certificate'), /tlsCertPath and tlsKeyPath belong together/);
  assert.match(problemsOf('haSendHeartbeatInterval=2000'), /at most half of haHousekeepingInterval \(3000\)/);
  assert.match(problemsOf('diskSpaceWarningLevelRatio=50'), /diskSpaceCleanForciblyRatio \(85\)/);
  assert.match(problemsOf('metricsPromExporterPort=10911'), /must differ/);
  assert.match(problemsOf('brokerPermission=3'), /brokerPermission must be 0, 2/);
});

test('a place for the log that is not in the data directory is refused, not passed over', () => {
  const refused = problemsOf('storePathRootDir=/data/store\nstorePathCommitLog=/fast/commitlog');
  assert.match(
    refused,
    /storePathCommitLog \(\/fast\/commitlog\) must be \/data\/store\/commitlog .* set storePathRootDir/,
  );
  assert.equal(problemsOf('storePathRootDir=/data/store\nstorePathCommitLog=/data/store/commitlog/'), '');
});

test('no key is both used and without effect', () => {
  const both = [...brokerConfigSpec.withoutEffect.keys()].filter((key) => key in brokerConfigSpec.keys);
  assert.deepEqual(both, []);
});
