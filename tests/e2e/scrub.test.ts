import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import { startCluster } from '../cluster.ts';
import { MessagingClient } from './messaging-client.ts';

const SEGMENT_BYTES = 256 * 1024;
const DAMAGED_BYTE = 100_000;
const PATIENCE_MS = 30_000;

describe('D14: a bit turns in a sealed segment of a running broker', () => {
  it('is logged with file and offset and counted, and sends go on', async () => {
    await using cluster = await startCluster({
      brokerProperties: { mappedFileSizeCommitLog: SEGMENT_BYTES, maxMessageSize: 1_024, scrubInterval: 1_000 },
    });
    const broker = cluster.brokers[0]!;
    using client = new MessagingClient(broker.endpoint);
    const message = { topic: 'scrubbed', body: Buffer.alloc(1_000) };
    for (let batch = 0; batch < 30; batch++) {
      const answer = await client.send(...Array.from({ length: 16 }, () => message));
      assert.equal(answer.status?.code, Code.OK, answer.status?.message);
    }
    const file = join(broker.dataDirectory, 'commitlog', '0'.repeat(20));
    turnBit(file, DAMAGED_BYTE);
    const endMs = performance.now() + PATIENCE_MS;
    // The line travels through a pipe while the count is already there, so each is waited for.
    let told: Record<string, unknown> | undefined;
    while (told === undefined || (await broker.metric('orbitmq_storage_damages_total')) === 0) {
      assert.ok(performance.now() < endMs, 'the damage was not found, or not counted');
      await delay(50);
      told = broker.logLines().find(({ level }) => level === 'error');
    }
    assert.equal(told.file, file);
    const offset = Number(told.physicalOffset);
    assert.ok(offset > DAMAGED_BYTE - 2_048 && offset <= DAMAGED_BYTE, `it was found at ${offset}`);
    assert.equal((await client.send(message)).status?.code, Code.OK);
  });
});

function turnBit(file: string, position: number): void {
  const descriptor = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, position);
  byte[0]! ^= 1;
  writeSync(descriptor, byte, 0, 1, position);
  closeSync(descriptor);
}
