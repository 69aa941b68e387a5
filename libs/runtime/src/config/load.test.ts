import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandLine } from './command-line.ts';
import { describeConfig } from './document.ts';
import { addressList, choice, flag, optionalText, path, port, textKey, wholeNumber } from './key.ts';
import { loadConfig } from './load.ts';
import { ConfigError, type ConfigSpec } from './spec.ts';

const keys = {
  listenPort: port({ default: 10911, description: 'Client port.' }),
  namesrvAddr: addressList({ description: 'Name servers.' }),
  brokerName: textKey({ default: 'broker-a', accepts: 'letters', pattern: /^[a-z-]+$/, description: 'Name.' }),
  flushDiskType: choice({ default: 'ASYNC_FLUSH', words: ['ASYNC_FLUSH', 'SYNC_FLUSH'], description: 'Flush.' }),
  maxMessageSize: wholeNumber({ default: 4, min: 1, max: 100, unit: 'bytes', description: 'Largest.' }),
  segmentSize: wholeNumber({ default: 8, min: 1, max: 100, unit: 'bytes', description: 'Segment.' }),
  autoCreateTopicEnable: flag({ default: true, description: 'Auto.' }),
  storePathRootDir: path({ default: '~/store', description: 'Store.' }),
  password: optionalText({ accepts: 'text', secret: true, description: 'Secret.' }),
} as const;
const spec: ConfigSpec<typeof keys> = {
  program: 'mqtest',
  keys,
  withoutEffect: new Map([['sendMessageThreadPoolNums', 'there are no thread pools']]),
  check: (config) =>
    config.segmentSize >= 2 * config.maxMessageSize ? [] : ['segmentSize must be at least twice maxMessageSize'],
};
const nothing = { environment: new Map<string, string>(), flags: new Map<string, string>() };

function problemsOf(action: () => unknown): readonly string[] {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('later sources win: default, file, environment, flag', () => {
  const file = { name: 'a.conf', text: 'listenPort=1\nbrokerName=file\nflushDiskType=sync_flush' };
  const { config, sources } = loadConfig(spec, {
    file,
    environment: new Map([
      ['ORBITMQ_LISTEN_PORT', '2'],
      ['ORBITMQ_BROKER_NAME', 'environment'],
      ['NAMESRV_ADDR', 'a:1;[::1]:2'],
    ]),
    flags: new Map([['listenPort', '3']]),
  });
  assert.equal(config.listenPort, 3);
  assert.equal(config.brokerName, 'environment');
  assert.equal(config.flushDiskType, 'SYNC_FLUSH');
  assert.deepEqual(config.namesrvAddr, ['a:1', '[::1]:2']);
  assert.equal(sources.listenPort, 'flag');
  assert.equal(sources.flushDiskType, 'file');
  assert.equal(sources.maxMessageSize, 'default');
  assert.ok(Object.isFrozen(config));
});

test('names everything that is wrong at once, with place, value and the nearest key', () => {
  const file = {
    name: 'a.conf',
    text: 'listenPort=70000\nbrokerNam=x\nflushDiskType=maybe\nautoCreateTopicEnable=yes\nnamesrvAddr=a\nmaxMessageSize=1e3\nlistenPort=1',
  };
  const problems = problemsOf(() => loadConfig(spec, { ...nothing, file }));
  assert.match(problems.join('\n'), /"brokerNam" \(a\.conf line 2\); did you mean brokerName\?/);
  assert.match(
    problems.join('\n'),
    /flushDiskType must be ASYNC_FLUSH or SYNC_FLUSH; found "maybe" \(a\.conf line 3\)/,
  );
  assert.match(problems.join('\n'), /autoCreateTopicEnable must be true or false; found "yes"/);
  assert.match(problems.join('\n'), /namesrvAddr must be host:port pairs separated by ";"; found "a"/);
  assert.match(problems.join('\n'), /maxMessageSize must be whole number, 1…100; found "1e3"/);
  assert.match(problems.join('\n'), /"listenPort" is set twice in a\.conf, on lines 1 and 7/);
  assert.equal(problems.length, 6);
});

test('checks relations between values', () => {
  const flags = new Map([['maxMessageSize', '5']]);
  assert.deepEqual(
    problemsOf(() => loadConfig(spec, { ...nothing, flags })),
    ['segmentSize must be at least twice maxMessageSize'],
  );
});

test('keys without effect give one warning, unknown variables another, service links none', () => {
  const { warnings } = loadConfig(spec, {
    file: { name: 'a.conf', text: 'sendMessageThreadPoolNums=4' },
    environment: new Map([
      ['ORBITMQ_LISTEN_PROT', '1'],
      ['ORBITMQ_SERVICE_HOST', '10.0.0.1'],
      ['ORBITMQ_PORT_8081_TCP_ADDR', 'x'],
    ]),
    flags: new Map(),
  });
  assert.equal(warnings.length, 2);
  assert.match(warnings[0]!, /ORBITMQ_LISTEN_PROT sets nothing; did you mean ORBITMQ_LISTEN_PORT\?/);
  assert.match(warnings[1]!, /sendMessageThreadPoolNums \(there are no thread pools\)/);
});

test('prints the configuration and never a secret', () => {
  const flags = new Map([['password', 'canary']]);
  const text = describeConfig(spec, loadConfig(spec, { ...nothing, flags }));
  assert.match(text, /^password=\*{6}$/m);
  assert.match(text, /^listenPort=10911$/m);
  assert.doesNotMatch(text, /canary/);
});

test('keys named like members of objects are unknown keys', () => {
  for (const key of ['__proto__', 'constructor', 'toString']) {
    const problems = problemsOf(() => loadConfig(spec, { ...nothing, flags: new Map([[key, '1']]) }));
    assert.equal(problems.length, 1, key);
  }
});

test('reads command lines as RocketMQ users write them', () => {
  const none = new Map<string, string>();
  const run = parseCommandLine(spec, ['-n', '127.0.0.1:9876', '--listenPort', '5', '--brokerName=x'], none);
  assert.ok(run.action === 'run');
  assert.deepEqual(run.loaded.config.namesrvAddr, ['127.0.0.1:9876']);
  assert.equal(run.loaded.config.listenPort, 5);
  const print = parseCommandLine(spec, ['-p', '--listenPort=6'], none);
  assert.ok(print.action === 'print' && print.text.includes('listenPort=6'));
  const help = parseCommandLine(spec, ['-h'], none);
  assert.ok(help.action === 'print' && help.text.startsWith('usage: mqtest'));
  assert.match(
    problemsOf(() => parseCommandLine(spec, ['broker.conf', '-n'], none)).join(),
    /"broker\.conf" is neither.*-n wants a value/s,
  );
  assert.match(problemsOf(() => parseCommandLine(spec, ['-c', '/nowhere/x'], none)).join(), /"\/nowhere\/x".*ENOENT/);
});
