import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { MessagingServiceDefinition } from '@orbitmq/protocol/apache.rocketmq.v2';

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
const ATTACKS_MIN = 15;
const PATH = `/${MessagingServiceDefinition.fullName}/QueryRoute`;

/**
 * Makes every attack on a port of loopback: its process stays alive, keeps no memory and lets neighbours through.
 * @param pid of the process that listens
 */
export async function assertWithstandsAttacks(port: number, pid: number): Promise<void> {
  const target = ['127.0.0.1', `${port}`, '--path', PATH, '--pid', `${pid}`];
  const tool = spawn(process.execPath, [ATTACK_TOOL, 'all', ...target], { stdio: ['ignore', 'pipe', 'inherit'] });
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
  assert.ok(attackCount >= ATTACKS_MIN, `only ${attackCount} attacks were made`);
}
