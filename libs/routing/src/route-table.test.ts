import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MessageType, Permission } from '@orbitmq/protocol/apache.rocketmq.v2';
import {
  type BrokerIdentity,
  type BrokerStatus,
  Role,
  type Topic,
  TopicType,
} from '@orbitmq/protocol/orbitmq.route.v1';
import { RegistrationError } from './registration-error.ts';
import type { Route } from './route.ts';
import { RouteTable } from './route-table.ts';

const OPTIONS = { silenceMs: 5000, graceMs: 1000, brokerCountMax: 10 };

function identityOf(brokerName: string, changes: Partial<BrokerIdentity> = {}): BrokerIdentity {
  return {
    cluster: 'DefaultCluster',
    brokerName,
    brokerId: 0,
    epoch: 1n,
    incarnation: 1n,
    role: Role.ROLE_MASTER,
    clientEndpoints: { scheme: 1, addresses: [{ host: '127.0.0.1', port: 10911 }] },
    adminAddress: '',
    replicationAddress: '',
    acting: false,
    version: '',
    ...changes,
  };
}

function topicOf(name: string, changes: Partial<Topic> = {}): Topic {
  const type = TopicType.TOPIC_TYPE_NORMAL;
  return { name, readQueueCount: 4, writeQueueCount: 4, permission: 6, type, autoCreated: false, ...changes };
}

const CLOSED: BrokerStatus = { permission: 6, autoCreate: undefined };
const OPEN: BrokerStatus = {
  permission: 6,
  autoCreate: { enabled: true, queueCount: 8, messageTypes: [MessageType.NORMAL, MessageType.FIFO] },
};

function add(table: RouteTable, identity: BrokerIdentity, status: BrokerStatus, ...topics: Topic[]): object {
  const owner = {};
  const byName = new Map(topics.map((topic) => [topic.name, topic]));
  table.register({ identity, status, topics: byName, version: 1n }, owner, 0);
  return owner;
}

/** `broker:ids` for each broker of a route. */
function shape(route: Route): string[] {
  const brokers = Map.groupBy(route.queues, (queue) => queue.broker?.name);
  return [...brokers].map(([name, queues]) => `${name}:${queues.map((queue) => queue.id).join(',')}`);
}

describe('RouteTable routes', () => {
  it('shows a slave that stands in for its master as long as that is away, that of the lowest id', () => {
    const table = new RouteTable(OPTIONS);
    const readable: BrokerStatus = { ...CLOSED, permission: 4 };
    const slave = { role: Role.ROLE_SLAVE, acting: true, epoch: 3n };
    add(table, identityOf('broker-a', { ...slave, brokerId: 2, epoch: 4n }), readable, topicOf('orders'));
    add(table, identityOf('broker-a', { ...slave, brokerId: 1, acting: false }), CLOSED);
    assert.equal(table.masterOf('broker-a')?.identity.brokerId, 2);
    add(table, identityOf('broker-a', { ...slave, brokerId: 1 }), readable, topicOf('orders'));
    assert.equal(table.masterOf('broker-a')?.identity.brokerId, 1);
    const { queues } = table.routeOf('orders');
    assert.deepEqual(
      queues.map(({ id, permission, broker }) => [id, permission, broker?.id]),
      [0, 1, 2, 3].map((id) => [id, Permission.READ, 0]),
    );
    add(table, identityOf('broker-a', { epoch: 2n }), CLOSED, topicOf('orders'));
    assert.equal(table.masterOf('broker-a')?.identity.brokerId, 0);
    assert.equal(table.routeOf('orders').queues[0]?.permission, Permission.READ_WRITE);
  });

  it('shows it in the place of a master whose stream has ended, too', () => {
    const table = new RouteTable(OPTIONS);
    const owner = {};
    const [identity, topics] = [identityOf('broker-a'), new Map([['orders', topicOf('orders')]])];
    table.register({ identity, status: CLOSED, dialled: '', topics, version: 1n }, owner, 0);
    const slave = { role: Role.ROLE_SLAVE, acting: true, brokerId: 1 };
    add(table, identityOf('broker-a', slave), { ...CLOSED, permission: 4 }, topicOf('orders'));
    assert.equal(table.masterOf('broker-a')?.identity.brokerId, 0);
    table.disconnect(table.owned(identity, owner)!, 1);
    add(table, identityOf('broker-a', slave), { ...CLOSED, permission: 4 }, topicOf('orders'));
    assert.equal(table.masterOf('broker-a')?.identity.brokerId, 1);
    assert.equal(table.routeOf('orders').queues[0]?.permission, Permission.READ);
  });

  it('shows the queues of all masters that have the topic, by broker name', () => {
    const table = new RouteTable(OPTIONS);
    add(table, identityOf('broker-b'), CLOSED, topicOf('orders', { readQueueCount: 2, writeQueueCount: 2 }));
    add(table, identityOf('broker-a'), CLOSED, topicOf('orders', { readQueueCount: 3, writeQueueCount: 3 }));
    add(table, identityOf('broker-c'), CLOSED, topicOf('other'));
    const route = table.routeOf('orders');
    assert.equal(route.exists, true);
    assert.deepEqual(shape(route), ['broker-a:0,1,2', 'broker-b:0,1']);
    const order = route.queues.map((queue) => `${queue.broker?.name}/${queue.id}`);
    assert.deepEqual(order, ['broker-a/0', 'broker-b/0', 'broker-a/1', 'broker-b/1', 'broker-a/2']);
    assert.ok(route.queues.every((queue) => queue.permission === Permission.READ_WRITE && queue.broker?.id === 0));
  });

  it('knows nothing of an unknown topic where nobody would make it', () => {
    const table = new RouteTable(OPTIONS);
    add(table, identityOf('broker-a'), CLOSED);
    assert.deepEqual(table.routeOf('orders'), { exists: false, queues: [] });
  });

  it('shows would-be queues of an unknown topic where its first message would make it', () => {
    const table = new RouteTable(OPTIONS);
    add(table, identityOf('broker-a'), OPEN);
    add(table, identityOf('broker-b'), CLOSED);
    const route = table.routeOf('orders');
    assert.equal(route.exists, false);
    assert.deepEqual(shape(route), ['broker-a:0,1,2,3,4,5,6,7']);
    assert.deepEqual(route.queues[0]?.acceptMessageTypes, [MessageType.NORMAL, MessageType.FIFO]);
  });

  it('never shows would-be queues for names of the system or illegal ones', () => {
    const table = new RouteTable(OPTIONS);
    add(table, identityOf('broker-a'), OPEN);
    for (const name of ['%RETRY%group', '%DLQ%group', 'TBW102', 'rmq_sys_x', '', 'a b', '../x', 'x'.repeat(128)]) {
      assert.deepEqual(table.routeOf(name).queues, [], name);
    }
    assert.equal(table.routeOf('x'.repeat(127)).queues.length, 8);
  });

  it('widens a topic that first messages made, with its own type, but not one that was made by name', () => {
    const table = new RouteTable(OPTIONS);
    const fifo = { type: TopicType.TOPIC_TYPE_FIFO };
    add(table, identityOf('broker-a'), OPEN, topicOf('by-message', { autoCreated: true, ...fifo }), topicOf('by-name'));
    add(table, identityOf('broker-b'), OPEN);
    assert.deepEqual(shape(table.routeOf('by-message')), ['broker-a:0,1,2,3', 'broker-b:0,1,2,3,4,5,6,7']);
    assert.deepEqual(table.routeOf('by-message').queues.at(-1)?.acceptMessageTypes, [MessageType.FIFO]);
    assert.deepEqual(shape(table.routeOf('by-name')), ['broker-a:0,1,2,3']);
  });

  it('shows only queues that are read and written while the numbers differ', () => {
    const table = new RouteTable(OPTIONS);
    add(table, identityOf('broker-a'), CLOSED, topicOf('orders', { readQueueCount: 8, writeQueueCount: 2 }));
    assert.deepEqual(shape(table.routeOf('orders')), ['broker-a:0,1']);
  });

  it('takes the permission of topic and broker together, and leaves out what can be neither read nor written', () => {
    const table = new RouteTable(OPTIONS);
    add(table, identityOf('broker-a'), { permission: 4, autoCreate: undefined }, topicOf('orders'));
    add(
      table,
      identityOf('broker-b'),
      CLOSED,
      topicOf('orders', { permission: 0 }),
      topicOf('closed', { permission: 0 }),
    );
    assert.deepEqual(shape(table.routeOf('orders')), ['broker-a:0,1,2,3']);
    assert.equal(table.routeOf('orders').queues[0]?.permission, Permission.READ);
    assert.equal(table.routeOf('closed').queues[0]?.permission, Permission.NONE);
  });

  it('tells the message types, never an unspecified one', () => {
    const table = new RouteTable(OPTIONS);
    const types = new Map([
      [TopicType.TOPIC_TYPE_UNSPECIFIED, [MessageType.NORMAL]],
      [TopicType.TOPIC_TYPE_FIFO, [MessageType.FIFO]],
      [TopicType.TOPIC_TYPE_MIXED, [MessageType.NORMAL, MessageType.FIFO, MessageType.DELAY, MessageType.TRANSACTION]],
    ]);
    for (const [type, accepted] of types) {
      add(table, identityOf('broker-a'), CLOSED, topicOf('orders', { type }));
      assert.deepEqual(table.routeOf('orders').queues[0]?.acceptMessageTypes, accepted);
    }
  });

  it('shows the newest master of a broker name only, as id 0, and no slave', () => {
    const table = new RouteTable(OPTIONS);
    add(table, identityOf('broker-a', { epoch: 1n }), CLOSED, topicOf('orders'));
    add(table, identityOf('broker-a', { brokerId: 2, role: Role.ROLE_SLAVE }), CLOSED, topicOf('orders'));
    const promoted = identityOf('broker-a', { brokerId: 1, epoch: 2n });
    add(table, promoted, CLOSED, topicOf('orders', { readQueueCount: 2 }));
    assert.deepEqual(shape(table.routeOf('orders')), ['broker-a:0,1']);
    assert.equal(table.masterOf('broker-a')?.identity, promoted);
    assert.equal(table.routeOf('orders').queues[0]?.broker?.id, 0);
    assert.equal(table.placementsOf('orders').length, 3);
  });
});

describe('RouteTable life of a broker', () => {
  it('takes out a broker that is silent', () => {
    const table = new RouteTable(OPTIONS);
    const identity = identityOf('broker-a');
    const owner = add(table, identity, CLOSED, topicOf('orders'));
    table.heard(table.owned(identity, owner)!, 3000);
    for (let nowMs = 3000; nowMs < 8000; nowMs += 500) assert.deepEqual(table.expire(nowMs), []);
    assert.equal(table.expire(8000).length, 1);
    assert.deepEqual(table.routeOf('orders').queues, []);
  });

  it('takes nobody out after it stood still itself', () => {
    const table = new RouteTable(OPTIONS);
    add(table, identityOf('broker-a'), CLOSED);
    assert.deepEqual(table.expire(100), []);
    assert.deepEqual(table.expire(60_000), []);
    for (let nowMs = 60_500; nowMs < 65_000; nowMs += 500) assert.deepEqual(table.expire(nowMs), []);
    assert.equal(table.expire(65_000).length, 1);
  });

  it('tells of each change', () => {
    const table = new RouteTable(OPTIONS);
    let changes = 0;
    const stop = table.onChange(() => changes++);
    const identity = identityOf('broker-a');
    const owner = add(table, identity, CLOSED, topicOf('orders'));
    table.changeTopics(table.owned(identity, owner)!, [topicOf('new')], ['orders'], 2n);
    assert.equal(changes, 2);
    assert.equal(changes, table.version);
    stop();
    table.remove(table.owned(identity, owner)!);
    assert.equal(changes, 2);
  });

  it('keeps a broker whose stream ended for the grace', () => {
    const table = new RouteTable(OPTIONS);
    const identity = identityOf('broker-a');
    const owner = add(table, identity, CLOSED, topicOf('orders'));
    table.disconnect(table.owned(identity, owner)!, 10);
    assert.deepEqual(table.expire(10), []);
    assert.deepEqual(table.expire(1009), []);
    assert.equal(table.routeOf('orders').queues.length, 4);
    assert.equal(table.expire(1010).length, 1);
  });

  it('lets the higher epoch win, then the higher incarnation', () => {
    const table = new RouteTable(OPTIONS);
    add(table, identityOf('broker-a', { epoch: 2n, incarnation: 5n }), CLOSED);
    const older = [
      identityOf('broker-a', { epoch: 1n, incarnation: 9n }),
      identityOf('broker-a', { epoch: 2n, incarnation: 4n }),
    ];
    for (const identity of older) {
      assert.throws(
        () => add(table, identity, CLOSED),
        (error: unknown) => error instanceof RegistrationError && error.fault === 'superseded',
      );
    }
    add(table, identityOf('broker-a', { epoch: 2n, incarnation: 5n }), CLOSED);
    add(table, identityOf('broker-a', { epoch: 2n, incarnation: 6n }), CLOSED);
    add(table, identityOf('broker-a', { epoch: 3n, incarnation: 1n }), CLOSED);
  });

  it('takes a lower incarnation once the stream of the higher one has ended, as after a clock set back', () => {
    const table = new RouteTable(OPTIONS);
    const identity = identityOf('broker-a', { incarnation: 9n });
    const owner = add(table, identity, CLOSED);
    table.disconnect(table.owned(identity, owner)!, 10);
    const restarted = identityOf('broker-a', { incarnation: 2n });
    const newOwner = add(table, restarted, CLOSED);
    assert.ok(table.owned(restarted, newOwner));
    assert.equal(table.owned(identity, owner), undefined);
  });

  it('takes no more brokers than it may', () => {
    const table = new RouteTable({ ...OPTIONS, brokerCountMax: 1 });
    add(table, identityOf('broker-a'), CLOSED);
    assert.throws(() => add(table, identityOf('broker-b'), CLOSED), /takes no more/);
  });
});
