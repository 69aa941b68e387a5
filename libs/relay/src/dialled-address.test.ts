import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MqError } from '@orbitmq/base';
import { AddressScheme, type Endpoints } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type BrokerIdentity, Role } from '@orbitmq/protocol/orbitmq.route.v1';
import { RouteTable } from '@orbitmq/routing';
import fc from 'fast-check';
import { DialledAddress, type DialledAddressOptions } from './dialled-address.ts';
import { hostOfPeer, isLoopback, plainHost } from './dialled-host.ts';

const CLIENT_PORT = 8081;

function tableOf(hosts: readonly string[]): RouteTable {
  const table = new RouteTable({ silenceMs: 60_000, graceMs: 60_000, brokerCountMax: 10 });
  for (const [index, host] of hosts.entries()) {
    const identity: BrokerIdentity = {
      cluster: 'DefaultCluster',
      brokerName: `broker-${index}`,
      brokerId: 0,
      epoch: 1n,
      incarnation: 1n,
      role: Role.ROLE_MASTER,
      clientEndpoints: { scheme: AddressScheme.IPv4, addresses: [{ host, port: 10_911 }] },
      adminAddress: '',
      replicationAddress: '',
      acting: false,
      version: '',
    };
    const status = { permission: 6, autoCreate: undefined };
    const dialled = index === 0 ? 'names.queues:9876' : undefined;
    table.register({ identity, status, dialled, topics: new Map(), version: 1n }, {}, 0);
  }
  return table;
}

/** `a:1;b:2` as official clients make endpoints of it. */
function endpointsOf(text: string): Endpoints {
  const addresses = text.split(';').map((part) => {
    const colon = part.lastIndexOf(':');
    return { host: part.slice(0, colon), port: Number(part.slice(colon + 1)) };
  });
  const isIpv4 = addresses.every(({ host }) => /^[\d.]+$/.test(host));
  const isIpv6 = addresses.every(({ host }) => host.includes(':'));
  return { scheme: isIpv4 ? 1 : isIpv6 ? 2 : 3, addresses };
}

interface Case {
  readonly dialled: string;
  readonly peer?: string;
  readonly brokers?: readonly string[];
}

const OPTIONS: DialledAddressOptions = {
  mode: 'auto',
  clusterAddresses: [
    { host: 'mq-orbitmq', port: undefined },
    { host: 'mq-orbitmq.queues.svc', port: 8081 },
  ],
  hostName: 'Node-7',
  hostAddresses: () => ['127.0.0.1', '::1', '10.0.0.7', 'fd00::7'],
  clientPort: () => CLIENT_PORT,
};
/** In the network of the cluster, but another machine than the name server's. */
const NEIGHBOUR = '10.0.0.20:40001';
const ELSEWHERE = ['10.0.0.8', '10.0.0.9'];

function isRelayed({ dialled, peer = NEIGHBOUR, brokers = ELSEWHERE }: Case, options = OPTIONS): boolean {
  const endpoints = endpointsOf(dialled);
  const found = new DialledAddress(tableOf(brokers), options).relayedEndpoints(endpoints, peer);
  if (found !== undefined) assert.equal(found, endpoints, 'given back to the letter');
  return found !== undefined;
}

const LOCAL = '127.0.0.1:40001';

const DIRECT: readonly (readonly [string, Case])[] = [
  ['an address of this host', { dialled: '10.0.0.7:8081' }],
  ['one of several addresses', { dialled: '10.0.0.6:8081;10.0.0.7:8081' }],
  ['its IPv6 address, however it is written', { dialled: 'FD00:0:0:0:0:0:0:7:8081' }],
  ['its IPv6 address in brackets', { dialled: '[fd00::7]:8081' }],
  ['its IPv4 address in IPv6', { dialled: '::ffff:10.0.0.7:8081' }],
  ['the name of this host', { dialled: 'node-7:8081' }],
  ['the name with a final dot', { dialled: 'NODE-7.:8081' }],
  ['the address of a broker, as a route has named it', { dialled: '10.0.0.9:10911' }],
  ['a URL', { dialled: 'http://10.0.0.7:8081' }],
  ['a name that a broker has dialled', { dialled: 'names.queues:8081' }],
  ['a name of the cluster', { dialled: 'mq-orbitmq:80' }],
  ['a name of the cluster with its port', { dialled: 'mq-orbitmq.queues.svc:8081' }],
  ['loopback, where all is on this machine', { dialled: '127.0.0.1:8081', peer: LOCAL, brokers: ['127.0.0.1'] }],
  ['loopback, where brokers name this host', { dialled: 'localhost:8081', peer: LOCAL, brokers: ['10.0.0.7'] }],
  ['loopback in IPv6', { dialled: '[::1]:8081', peer: '[::1]:40001', brokers: ['node-7', '::1'] }],
  [
    'two name servers of a laptop',
    { dialled: '127.0.0.1:8082;127.0.0.1:8081', peer: LOCAL, brokers: ['127.0.0.1', '127.0.0.1'] },
  ],
  [
    'an address of this host from this host, with brokers on loopback',
    { dialled: '10.0.0.7:8081', peer: '10.0.0.7:40001', brokers: ['127.0.0.1'] },
  ],
];

const RELAYED: readonly (readonly [string, Case])[] = [
  ['a forwarded port', { dialled: '127.0.0.1:18081', peer: LOCAL }],
  ['a forwarded port of the same number', { dialled: '127.0.0.1:8081', peer: LOCAL }],
  ['a forwarded port by name', { dialled: 'localhost:8081', peer: LOCAL }],
  [
    'a forwarded port to where some brokers are',
    { dialled: 'localhost:8081', peer: LOCAL, brokers: ['::1', '10.0.0.8'] },
  ],
  [
    'the published port of a container that holds all',
    { dialled: '127.0.0.1:8081', peer: '172.17.0.1:40001', brokers: ['127.0.0.1', '10.0.0.7'] },
  ],
  ['another port of a machine where all is', { dialled: '127.0.0.1:18081', peer: LOCAL, brokers: ['127.0.0.1'] }],
  ['an address that is not of this host', { dialled: '192.168.1.7:8081' }],
  ['a node port', { dialled: '10.0.0.7:30081' }],
  ['a load balancer', { dialled: '203.0.113.9:8081' }],
  ['an ingress', { dialled: 'mq.example.com:443' }],
  ['a broker at another port', { dialled: '10.0.0.9:10912' }],
  ['a longer name than that of this host', { dialled: 'node-7.example.com:8081' }],
  ['a name that a broker has dialled at another port', { dialled: 'names.queues:443' }],
  ['the name of this host at another port', { dialled: 'node-7:443' }],
  ['a name of the cluster at another port', { dialled: 'mq-orbitmq.queues.svc:443' }],
  ['a laptop from outside', { dialled: '10.0.0.7:8081', brokers: ['127.0.0.1', '127.0.0.1'] }],
  ['what is like loopback', { dialled: '127.0.0.1.example.com:8081', peer: LOCAL, brokers: ['127.0.0.1'] }],
];

describe('what a client dialled', () => {
  for (const [name, given] of DIRECT) it(`leads to the brokers: ${name}`, () => assert.equal(isRelayed(given), false));
  for (const [name, given] of RELAYED) it(`leads back here: ${name}`, () => assert.equal(isRelayed(given), true));

  it('decides nothing when the operator has', () => {
    for (const [, given] of RELAYED) assert.equal(isRelayed(given, { ...OPTIONS, mode: 'direct' }), false);
    for (const [, given] of DIRECT) assert.equal(isRelayed(given, { ...OPTIONS, mode: 'relay' }), true);
  });

  it('is looked at again when brokers or interfaces change', () => {
    const table = tableOf(['10.0.0.7']);
    let addresses = ['10.0.0.7'];
    const rule = new DialledAddress(table, { ...OPTIONS, hostAddresses: () => addresses });
    const isRelayedNow = (dialled: string, peer: string): boolean =>
      rule.relayedEndpoints(endpointsOf(dialled), peer) !== undefined;
    assert.equal(isRelayedNow('127.0.0.1:8081', LOCAL), false);
    addresses = ['10.0.0.70'];
    assert.equal(isRelayedNow('127.0.0.1:8081', LOCAL), true);
    assert.equal(isRelayedNow('10.0.0.70:8081', NEIGHBOUR), false);
    for (const entry of [...table.brokers()]) table.remove(entry);
    assert.equal(isRelayedNow('127.0.0.1:8081', LOCAL), false);
  });

  it('may be left unsaid, and then leads to the brokers', () => {
    for (const mode of ['auto', 'relay'] as const) {
      const rule = new DialledAddress(tableOf(ELSEWHERE), { ...OPTIONS, mode });
      assert.equal(rule.relayedEndpoints(undefined, NEIGHBOUR), undefined);
      assert.equal(rule.relayedEndpoints({ scheme: 1, addresses: [] }, NEIGHBOUR), undefined);
    }
  });

  it('gets the scheme that it lacks', () => {
    const rule = new DialledAddress(tableOf(ELSEWHERE), OPTIONS);
    for (const [host, scheme] of [
      ['192.0.2.1', AddressScheme.IPv4],
      ['2001:db8::1', AddressScheme.IPv6],
      ['mq.example.com', AddressScheme.DOMAIN_NAME],
    ] as const) {
      const addresses = [{ host, port: 1 }];
      for (const wrong of [0, 77]) {
        const found = rule.relayedEndpoints({ scheme: wrong as AddressScheme, addresses }, NEIGHBOUR);
        assert.deepEqual(found, { scheme, addresses });
      }
    }
  });

  it('is refused when nobody can dial it, or it is too long to be repeated', () => {
    const rule = new DialledAddress(tableOf(ELSEWHERE), OPTIONS);
    const address = { host: '192.0.2.1', port: 8081 };
    for (const addresses of [
      [{ ...address, port: 0 }],
      [{ ...address, port: -1 }],
      [{ ...address, port: 65_536 }],
      [{ ...address, host: '' }],
      [{ ...address, host: 'a b' }],
      [{ ...address, host: 'a\0b' }],
      [{ ...address, host: 'x'.repeat(256) }],
      new Array(17).fill(address),
      new Array(16).fill({ ...address, host: 'x'.repeat(70) }),
    ]) {
      assert.throws(
        () => rule.relayedEndpoints({ scheme: AddressScheme.IPv4, addresses }, NEIGHBOUR),
        (error: MqError) =>
          error instanceof MqError && error.code === 'ILLEGAL_ACCESS_POINT' && error.message.length < 500,
      );
    }
  });

  it('never gives back more than it allows, whatever is said', () => {
    const rule = new DialledAddress(tableOf(ELSEWHERE), OPTIONS);
    const address = fc.record({
      host: fc.string({ unit: 'binary', maxLength: 300 }),
      port: fc.integer({ min: -1, max: 70_000 }),
    });
    const endpoints = fc.record({
      scheme: fc.integer({ min: 0, max: 5 }),
      addresses: fc.array(address, { maxLength: 20 }),
    });
    fc.assert(
      fc.property(endpoints, fc.string(), (said, peer) => {
        try {
          const found = rule.relayedEndpoints(said as Endpoints, peer);
          if (found) assert.ok(found.addresses.reduce((sum, { host }) => sum + host.length, 0) <= 1024);
        } catch (error) {
          assert.ok(error instanceof MqError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('hosts', () => {
  it('are compared in one form', () => {
    for (const [text, plain] of [
      ['Example.COM.', 'example.com'],
      ['[2001:DB8::0:1]', '2001:db8::1'],
      ['fe80::1%eth0', 'fe80::1'],
      ['::ffff:127.0.0.1', '127.0.0.1'],
      ['https://mq', 'mq'],
      ['dns:///mq', 'mq'],
      ['not:an:address', 'not:an:address'],
    ] as const) {
      assert.equal(plainHost(text), plain);
    }
    assert.equal(hostOfPeer('[::1]:80'), '::1');
    assert.equal(hostOfPeer('unknown'), '');
  });

  it('are loopback or not', () => {
    for (const host of ['localhost', 'a.localhost', '127.3.2.1', '::1', '0.0.0.0', '::']) assert.ok(isLoopback(host));
    for (const host of ['', '128.0.0.1', 'localhost.example.com', '10.127.0.1']) assert.ok(!isLoopback(host));
  });
});
