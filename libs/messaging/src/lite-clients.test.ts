import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LiteClients } from './lite-clients.ts';
import { Session } from './session.ts';
import { TestBroker } from './test-broker.ts';

let broker: TestBroker;
const TOPICS = ['one', 'two'];

before(async () => {
  broker = await TestBroker.start();
  for (const name of TOPICS) {
    await broker.makeTopic(name, 'LITE', 1);
    await broker.makeGroup(name, { attributes: new Map([['lite.bind.topic', name]]) });
  }
});

after(() => broker.stop());

/** A client, and how many hear of its end. */
class CountingSession extends Session {
  listeners = 0;

  override onEnd(listener: () => void): () => void {
    this.listeners++;
    return super.onEnd(listener);
  }
}

function clients(): LiteClients {
  return new LiteClients(broker.shard, broker.clock, {
    liteSubscriptionCheckMs: 60_000,
    liteSubscriptionTimeoutMs: 60_000,
  } as ConstructorParameters<typeof LiteClients>[2]);
}

test('a client that goes to and fro between groups leaves nothing behind', () => {
  const lite = clients();
  const session = new CountingSession({ clientId: 'restless', language: 'java', version: '5' } as never, 0);
  for (let turn = 0; turn < 100; turn++) {
    const name = TOPICS[turn % 2]!;
    const [group, topic] = [broker.shard.metadata.group(name)!, broker.shard.metadata.topic(name)!];
    lite.obtain(session, group, topic, false).subscribe(`lite-${turn}`, turn);
  }
  assert.equal(session.listeners, 1);
  assert.equal(lite.count, 1);
  assert.equal(broker.shard.liteSubscriptionCount, 1);
  session.end();
  assert.equal(lite.count, 0);
  assert.equal(broker.shard.liteSubscriptionCount, 0);
  lite.stop();
});

test('a receive that finds its client gone makes no subscriber of it', () => {
  const lite = clients();
  const session = new Session({ clientId: 'gone', language: 'java', version: '5' } as never, 0);
  session.end();
  const [group, topic] = [broker.shard.metadata.group('one')!, broker.shard.metadata.topic('one')!];
  assert.throws(() => lite.obtain(session, group, topic, true), { code: 'FORBIDDEN' });
  assert.equal(lite.count, 0);
  lite.stop();
});
