import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { MessagingServiceDefinition } from '@orbitmq/protocol/apache.rocketmq.v2';
import { createRpcClient } from '@orbitmq/rpc';

/** One line of h2abuse's report. */
interface AttackReport {
  readonly attack: string;
  readonly alive: boolean;
  /** Longest a well-behaved client waited for its PING meanwhile. */
  readonly neighbourWorstMs: number;
  readonly neighbourFails: number;
  readonly rssUpMiB: number;
  readonly rssKeptMiB: number;
  readonly error?: string;
}

const ATTACK_TOOL = join(import.meta.dirname, '../faults/h2abuse/h2abuse.mjs');
const NEIGHBOUR_WAIT_MAX_MS = 1_000;
const MEMORY_KEPT_MAX_MIB = 64;
const MEMORY_PEAK_MAX_MIB = 256;
const PATH = `/${MessagingServiceDefinition.fullName}/QueryRoute`;

describe('a port under known HTTP/2 attacks', () => {
  let server: ChildProcess;
  let port: number;
  let complaints = '';

  before(async () => {
    server = fork(join(import.meta.dirname, 'h2abuse-server.ts'), {
      execArgv: ['--conditions=@orbitmq/source'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    server.stderr!.on('data', (text) => {
      complaints += text;
    });
    [port] = (await once(server, 'message')) as [number];
  });

  after(() => {
    server.kill('SIGKILL');
  });

  it('stays alive, keeps no memory and lets neighbours through', { timeout: 180_000 }, async () => {
    const tool = spawn(
      process.execPath,
      [ATTACK_TOOL, 'all', '127.0.0.1', `${port}`, '--path', PATH, '--pid', `${server.pid}`],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let attackCount = 0;
    for await (const line of createInterface({ input: tool.stdout })) {
      const report: AttackReport = JSON.parse(line);
      attackCount++;
      assert.ok(report.alive, line);
      assert.equal(report.neighbourFails, 0, line);
      assert.ok(report.neighbourWorstMs <= NEIGHBOUR_WAIT_MAX_MS, line);
      assert.ok(report.rssKeptMiB <= MEMORY_KEPT_MAX_MIB, line);
      assert.ok(report.rssUpMiB <= MEMORY_PEAK_MAX_MIB, line);
      assert.equal(report.error, undefined, line);
    }
    assert.ok(attackCount >= 15, `only ${attackCount} attacks were made`);
  });

  it('serves afterwards as before, and stops without a word in its log', async () => {
    const client = createRpcClient({ addresses: [`127.0.0.1:${port}`], tls: undefined });
    const request = { topic: undefined, endpoints: undefined };
    const answer = await client.unary(MessagingServiceDefinition, 'queryRoute', request, { timeoutMs: 5_000 });
    assert.deepEqual(answer.messageQueues, []);
    client.close();
    server.send('stop');
    assert.deepEqual(await once(server, 'exit'), [0, null]);
    assert.equal(complaints, '');
  });
});
