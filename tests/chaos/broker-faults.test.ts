import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '@orbitmq/base';
import { AdminClient } from '@orbitmq/client';
import { type Cluster, startCluster } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { History } from './history.ts';
import { PowerlossLab, powerlossSkip } from './powerloss.ts';

const SEED = Number(process.env.SEED ?? 1);
const ROUNDS = Number(process.env.KILLS ?? 10);
const PLAIN = { topic: 'Plain', group: 'plain-readers' };
const ORDERLY = { topic: 'Orderly', group: 'orderly-readers' };
const MESSAGE_GROUPS = 6;
const INVISIBLE_MS = 10_000;

describe('a broker that is killed again and again', () => {
  for (const flushDiskType of ['SYNC_FLUSH', 'ASYNC_FLUSH']) {
    it(`${flushDiskType}: breaks no promise over ${ROUNDS} lives (seed ${SEED})`, async () => {
      const random = seededRandom(SEED);
      await using cluster = await startCluster({
        brokerProperties: { flushDiskType, mappedFileSizeCommitLog: 1 << 20, maxMessageSize: 65536 },
      });
      await makeOrderlyGroup(cluster);
      const history = new History([PLAIN.group, ORDERLY.group]);
      const load = new Load(cluster, history);
      for (let round = 0; round < ROUNDS; round++) {
        await pause(100 + random.below(400));
        await cluster.brokers[0]!.kill();
        cluster.brokers[0]!.start();
        await cluster.brokers[0]!.waitReady();
      }
      await load.stopSending();
      await load.drain();
      assert.ok(load.storedCount > ROUNDS * 20, `only ${load.storedCount} messages were stored`);
      assert.deepEqual(history.broken(), []);
    });
  }
});

describe('a broker whose disk fails', { skip: powerlossSkip }, () => {
  for (const rule of [
    'op=fdatasync path=commitlog act=EIO after=40 count=1',
    'op=write path=commitlog act=EIO after=60 count=1',
  ]) {
    it(`ends at the first failure and acknowledges nothing afterwards: ${rule}`, async () => {
      const lab = new PowerlossLab('broker-faults');
      try {
        lab.setRules([rule]);
        await using cluster = await startCluster({
          environment: lab.environment() as Record<string, string>,
          brokerProperties: { storePathRootDir: lab.root, flushDiskType: 'SYNC_FLUSH' },
        });
        await makeOrderlyGroup(cluster);
        const history = new History([PLAIN.group, ORDERLY.group]);
        const load = new Load(cluster, history);
        const { code } = await cluster.brokers[0]!.ended;
        assert.notEqual(code, 0, 'the broker ended as if all were well');
        assert.ok(load.storedCount > 0);
        lab.setRules([]);
        cluster.brokers[0]!.start();
        await cluster.brokers[0]!.waitReady();
        await load.stopSending();
        await load.drain();
        assert.deepEqual(history.broken(), []);
      } finally {
        lab.dispose();
      }
    });
  }
});

/** Producers and consumers that go on whatever happens to the broker, until they are told to stop. */
class Load {
  readonly #cluster: Cluster;
  readonly #history: History;
  readonly #producers: Promise<void>[] = [];
  readonly #consumers: Promise<void>[] = [];
  #sending = true;
  #receiving = true;
  storedCount = 0;

  constructor(cluster: Cluster, history: History) {
    this.#cluster = cluster;
    this.#history = history;
    for (let index = 0; index < 4; index++) this.#producers.push(this.#produce(`plain-${index}`, PLAIN));
    for (let index = 0; index < MESSAGE_GROUPS; index++) {
      this.#producers.push(this.#produce(`orderly-${index}`, ORDERLY, `key-${index}`));
    }
    for (const target of [PLAIN, PLAIN, ORDERLY, ORDERLY]) this.#consumers.push(this.#consume(target));
  }

  async stopSending(): Promise<void> {
    this.#sending = false;
    await Promise.all(this.#producers);
  }

  /** Receives until nothing has come for longer than a message stays invisible. */
  async drain(): Promise<void> {
    this.#receiving = false;
    await Promise.all(this.#consumers);
    await Promise.all([PLAIN, ORDERLY].map((target) => this.#drain(target)));
  }

  async #drain(target: typeof PLAIN): Promise<void> {
    using client = this.#connect();
    let quietSinceMs = performance.now();
    while (performance.now() - quietSinceMs < INVISIBLE_MS + 3_000) {
      if ((await this.#receive(client, target)) > 0) quietSinceMs = performance.now();
    }
  }

  /** One message after the other; a message of a group follows only when the one before is stored for certain. */
  async #produce(name: string, target: typeof PLAIN, messageGroup?: string): Promise<void> {
    using client = this.#connect();
    for (let index = 0; this.#sending; index++) {
      if (await this.#history.send(client, target, `${name}-${index}`, messageGroup)) this.storedCount++;
      else await pause(20);
    }
  }

  async #consume(target: typeof PLAIN): Promise<void> {
    using client = this.#connect();
    while (this.#receiving) if ((await this.#receive(client, target)) === 0) await pause(20);
  }

  #receive(client: MessagingClient, target: typeof PLAIN): Promise<number> {
    return this.#history.receive(client, { ...target, brokerName: 'broker-a', invisibleMs: INVISIBLE_MS });
  }

  #connect(): MessagingClient {
    return new MessagingClient(this.#cluster.brokers[0]!.endpoint, `chaos-${Math.random()}`);
  }
}

async function makeOrderlyGroup(cluster: Cluster): Promise<void> {
  const admin = new AdminClient({ address: `127.0.0.1:${cluster.brokers[0]!.adminPort}` });
  try {
    await admin.putGroup({
      name: ORDERLY.group,
      consumeMessageOrderly: true,
      retryPolicy: undefined,
      attributesPut: new Map(),
      attributesRemoved: [],
    });
  } finally {
    admin.close();
  }
}
