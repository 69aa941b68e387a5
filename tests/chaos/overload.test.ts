import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Cluster, startCluster } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { shimEnv } from '../faults/powerloss/powerloss.mjs';
import { waitUntil } from '../interop/child.ts';
import { History } from './history.ts';
import { MemoryLimit, memoryLimitSkip, peakMemoryOf } from './memory-limit.ts';
import { powerlossSkip } from './powerloss.ts';

const TARGET = { topic: 'Flooded', group: 'flood-readers' };
const LIMIT_BYTES = 512 << 20;
const BODY_BYTES = 1 << 20;
/** Sends at one time: 112 MiB, where the broker lets 64 MiB wait for the disk; what is refused comes again at once. */
const SENDERS = 112;
const CLIENTS = 8;
/** A flush takes so long: enough for all these sends to come, also on a machine that has other things to do. */
const SYNC_MS = 15_000;
/** The flood ends when so many sends have been refused. */
const REFUSED_COUNT = 50;
const OVERLOAD_MS_MAX = 60_000;
/** The last slow flush, and the 5 s that are promised from then on, with room for a machine that has other things to do. */
const RECOVERED_MS_MAX = SYNC_MS + 15_000;
const INVISIBLE_MS = 30_000;
/** A client is polite enough to wait so long before it repeats what was refused. */
const PAUSE_MS = 20;
const TIMEOUT_MS = 60_000;
const DRAIN_MS_MAX = 60_000;

it('a broker within 512 MiB refuses what the disk does not take, keeps what it has acknowledged, and recovers', {
  skip: memoryLimitSkip || powerlossSkip,
}, async (context) => {
  const home = mkdtempSync(join(tmpdir(), 'orbitmq-overload-'));
  const limit = new MemoryLimit(`orbitmq-overload-${process.pid}`, LIMIT_BYTES);
  try {
    context.diagnostic(await flood(home, limit));
  } finally {
    limit.remove();
    rmSync(home, { recursive: true, force: true });
  }
});

/** @returns what it came to */
async function flood(home: string, limit: MemoryLimit): Promise<string> {
  const [root, rules] = [join(home, 'data'), join(home, 'rules')];
  mkdirSync(root);
  writeFileSync(rules, '');
  await using cluster = await startCluster({
    environment: shimEnv({ root, rules }, {}) as Record<string, string>,
    brokerProperties: { storePathRootDir: root, flushDiskType: 'SYNC_FLUSH' },
  });
  const broker = cluster.brokers[0]!;
  await broker.stop();
  limit.within(() => broker.start());
  await broker.waitReady();
  await cluster.waitForRoutes();
  const { pid } = broker;

  const history = new History([TARGET.group]);
  writeFileSync(rules, `op=fdatasync path=commitlog act=delay:${SYNC_MS}\n`);
  const senders = new Senders(cluster, history);
  try {
    await waitUntil('sends are refused', OVERLOAD_MS_MAX, () => history.countOf('send', 'fail') >= REFUSED_COUNT);
  } finally {
    writeFileSync(rules, '');
    senders.stop();
  }
  const recoveredMs = await timeToAccept(cluster, history);
  await senders.ended();
  const peakBytes = peakMemoryOf(pid!);
  await drain(cluster, history);

  const counts = (['ok', 'fail', 'info'] as const).map((outcome) => history.countOf('send', outcome));
  const figures = `${counts.join(' / ')} stored / refused / unknown, peak ${peakBytes >> 20} MiB, taken again after ${recoveredMs.toFixed()} ms`;
  assert.deepEqual(history.broken(), [], figures);
  assert.equal(limit.killedCount(), 0, figures);
  assert.ok(broker.running && broker.pid === pid, `the broker has ended: ${figures}`);
  assert.ok(peakBytes > 0 && peakBytes < LIMIT_BYTES, figures);
  assert.ok(recoveredMs < RECOVERED_MS_MAX, figures);
  return figures;
}

/** Send as much as they can, and what is refused at once again. */
class Senders {
  readonly #history: History;
  readonly #clients: readonly MessagingClient[];
  readonly #senders: Promise<void>[];
  #sending = true;

  constructor(cluster: Cluster, history: History) {
    this.#history = history;
    this.#clients = Array.from({ length: CLIENTS }, (_, index) => connect(cluster, `flood-${index}`));
    this.#senders = Array.from({ length: SENDERS }, (_, index) => this.#send(index));
  }

  stop(): void {
    this.#sending = false;
  }

  /** Settles when the last answer is there. */
  async ended(): Promise<void> {
    await Promise.all(this.#senders);
    for (const client of this.#clients) client[Symbol.dispose]();
  }

  async #send(sender: number): Promise<void> {
    const client = this.#clients[sender % CLIENTS]!;
    for (let index = 0; this.#sending; index++) {
      const isStored = await this.#history.send(client, TARGET, `${sender}-${index}`, undefined, BODY_BYTES);
      if (!isStored) await pause(PAUSE_MS);
    }
  }
}

/** Milliseconds until the first of ten sends in a row is taken. */
async function timeToAccept(cluster: Cluster, history: History): Promise<number> {
  using client = connect(cluster, 'afterwards');
  const startedMs = performance.now();
  let acceptedMs = startedMs;
  for (let [inRow, index] = [0, 0]; inRow < 10; index++) {
    if (await history.send(client, TARGET, `afterwards-${index}`)) {
      if (inRow++ === 0) acceptedMs = performance.now();
      continue;
    }
    inRow = 0;
    await pause(50);
    assert.ok(performance.now() - startedMs < TIMEOUT_MS, 'sends are refused long after the overload');
  }
  return acceptedMs - startedMs;
}

/** Receives until nothing comes any more and all that was acknowledged has come. */
async function drain(cluster: Cluster, history: History): Promise<void> {
  using client = connect(cluster, 'reader');
  const fields = { ...TARGET, brokerName: 'broker-a', invisibleMs: INVISIBLE_MS };
  const endMs = performance.now() + DRAIN_MS_MAX;
  while ((await history.receive(client, fields)) > 0 || (history.broken().length > 0 && performance.now() < endMs));
}

function connect(cluster: Cluster, name: string): MessagingClient {
  return new MessagingClient(cluster.brokers[0]!.endpoint, name, TIMEOUT_MS);
}
