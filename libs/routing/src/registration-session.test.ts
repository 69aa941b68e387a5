import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BrokerIdentity, RegisterRequest, Role, type Topic, TopicType } from '@orbitmq/protocol/orbitmq.route.v1';
import fc from 'fast-check';
import { RegistrationSession } from './registration-session.ts';
import { RouteTable } from './route-table.ts';

const IDENTITY: BrokerIdentity = {
  cluster: 'DefaultCluster',
  brokerName: 'broker-a',
  brokerId: 0,
  epoch: 1n,
  incarnation: 1n,
  role: Role.ROLE_MASTER,
  clientEndpoints: { scheme: 1, addresses: [{ host: '127.0.0.1', port: 10911 }] },
  adminAddress: '127.0.0.1:10909',
  replicationAddress: '',
  acting: false,
  version: '0.1.0',
};
const STATUS = { permission: 6, autoCreate: undefined };

function topicOf(name: string, queueCount = 4): Topic {
  const counts = { readQueueCount: queueCount, writeQueueCount: queueCount };
  return { name, ...counts, permission: 6, type: TopicType.TOPIC_TYPE_NORMAL, autoCreated: false };
}

function begin(identity: Partial<BrokerIdentity> = {}): RegisterRequest {
  return requestOf({ begin: { identity: { ...IDENTITY, ...identity }, status: STATUS } });
}

function topics(put: Topic[], options: { removed?: string[]; before?: bigint; version?: bigint; more?: boolean } = {}) {
  return requestOf({
    topics: {
      put,
      removed: options.removed ?? [],
      versionBefore: options.before ?? 0n,
      version: options.version ?? 1n,
      more: options.more ?? false,
    },
  });
}

function requestOf(content: Partial<RegisterRequest>): RegisterRequest {
  return { ...RegisterRequest.decode(new Uint8Array()), ...content };
}

function setUp(): { table: RouteTable; session: RegistrationSession } {
  const table = new RouteTable({ silenceMs: 5000, graceMs: 1000, brokerCountMax: 4 });
  return { table, session: new RegistrationSession(table, 'namesrv-1') };
}

describe('RegistrationSession', () => {
  it('knows by which address a broker has come, and refuses what is none', () => {
    const { table, session } = setUp();
    const content = { identity: IDENTITY, status: STATUS };
    session.handle(requestOf({ begin: { ...content, dialled: 'names:9876' } }), 0);
    session.handle(topics([]), 0);
    assert.deepEqual(
      Array.from(table.brokers(), ({ dialled }) => dialled),
      ['names:9876'],
    );
    const long = requestOf({ begin: { ...content, dialled: 'x'.repeat(300) } });
    assert.throws(() => session.handle(long, 0), { name: 'RegistrationError', fault: 'invalid' });
  });

  it('shows a broker once its last topic has come, and not before', () => {
    const { table, session } = setUp();
    assert.equal(session.handle(begin(), 0), undefined);
    assert.equal(session.handle(topics([topicOf('one')], { more: true }), 0), undefined);
    assert.equal(table.routeOf('one').queues.length, 0);
    const reply = session.handle(topics([topicOf('two')], { version: 7n }), 0);
    assert.deepEqual(reply, { nameServerId: 'namesrv-1', version: 7n, registerAgain: false });
    assert.deepEqual(table.topicNames(), ['one', 'two']);
  });

  it('keeps the earlier registration while a later one comes in', () => {
    const { table, session } = setUp();
    session.handle(begin(), 0);
    session.handle(topics([topicOf('one')]), 0);
    const later = new RegistrationSession(table, 'namesrv-1');
    later.handle(begin({ incarnation: 2n }), 1);
    later.handle(topics([topicOf('two')], { more: true }), 1);
    assert.deepEqual(table.topicNames(), ['one']);
    later.handle(topics([]), 1);
    assert.deepEqual(table.topicNames(), ['two']);
    session.close(2);
    assert.deepEqual(table.expire(4000), []);
    assert.throws(() => session.handle(requestOf({ heartbeat: { version: 1n } }), 3), /is refused/);
  });

  it('takes changes that follow from what it shows, and asks for all when they do not', () => {
    const { table, session } = setUp();
    session.handle(begin(), 0);
    session.handle(topics([topicOf('one'), topicOf('two')], { version: 3n }), 0);
    const change = topics([topicOf('three')], { removed: ['one'], before: 3n, version: 4n });
    assert.equal(session.handle(change, 1)?.version, 4n);
    assert.deepEqual(table.topicNames(), ['three', 'two']);
    assert.equal(session.handle(change, 1)?.registerAgain, true);
    assert.equal(session.handle(requestOf({ heartbeat: { version: 4n } }), 1)?.registerAgain, false);
    assert.equal(session.handle(requestOf({ heartbeat: { version: 5n } }), 1)?.registerAgain, true);
  });

  it('asks for all when the broker was taken out for its silence', () => {
    const { table, session } = setUp();
    session.handle(begin(), 0);
    session.handle(topics([topicOf('one')]), 0);
    table.expire(5000);
    assert.equal(session.handle(requestOf({ heartbeat: { version: 1n } }), 5001)?.registerAgain, true);
    session.handle(begin(), 5002);
    session.handle(topics([topicOf('one')]), 5002);
    assert.equal(table.routeOf('one').queues.length, 4);
  });

  it('takes a broker out at once when it says so', () => {
    const { table, session } = setUp();
    session.handle(begin(), 0);
    session.handle(topics([topicOf('one')]), 0);
    session.handle(requestOf({ unregister: {} }), 1);
    assert.equal([...table.brokers()].length, 0);
    session.close(2);
  });

  it('refuses what no route may show, naming the value', () => {
    const refused: Partial<BrokerIdentity>[] = [
      { brokerName: '' },
      { role: Role.ROLE_UNSPECIFIED },
      { clientEndpoints: undefined },
      { clientEndpoints: { scheme: 0, addresses: [{ host: 'x', port: 1 }] } },
      { clientEndpoints: { scheme: 1, addresses: [{ host: 'x', port: 0 }] } },
      { clientEndpoints: { scheme: 1, addresses: [{ host: 'x\ny', port: 1 }] } },
      { clientEndpoints: { scheme: 1, addresses: [{ host: 'x\0', port: 1 }] } },
      {
        clientEndpoints: {
          scheme: 3,
          addresses: [
            { host: 'x', port: 1 },
            { host: 'y', port: 1 },
          ],
        },
      },
    ];
    for (const identity of refused) assert.throws(() => setUp().session.handle(begin(identity), 0), /refused/);
    assert.throws(() => setUp().session.handle(requestOf({ heartbeat: { version: 1n } }), 0), /must begin/);
    const { session } = setUp();
    session.handle(begin(), 0);
    assert.throws(() => session.handle(topics([topicOf('x', 0)]), 0), /queue count of topic/);
    assert.throws(() => session.handle(topics(Array.from({ length: 1001 }, (_, n) => topicOf(`t${n}`))), 0), /1000/);
  });

  it('shows the same after any chain of changes as after one full registration', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const step = fc.record({ put: fc.array(name, { maxLength: 3 }), removed: fc.array(name, { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const { table, session } = setUp();
        session.handle(begin(), 0);
        session.handle(topics([], { version: 0n }), 0);
        const model = new Map<string, number>();
        for (const [index, { put, removed }] of steps.entries()) {
          const stay = removed.filter((each) => !put.includes(each));
          for (const each of stay) model.delete(each);
          for (const each of put) model.set(each, index + 1);
          const changed = put.map((each) => topicOf(each, index + 1));
          session.handle(topics(changed, { removed: stay, before: BigInt(index), version: BigInt(index + 1) }), index);
        }
        assert.deepEqual(table.topicNames(), [...model.keys()].sort());
        for (const [topic, count] of model) assert.equal(table.routeOf(topic).queues.length, count);
      }),
    );
  });
});
