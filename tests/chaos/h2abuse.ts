import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '@orbitmq/base';
import { MessagingServiceDefinition } from '@orbitmq/protocol/apache.rocketmq.v2';
import { endWithThisProcess } from '@orbitmq/tools';
import { readAnonymousBytes } from '../bench/measure.ts';
import type { Member } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { attacks } from '../faults/h2abuse/h2abuse.mjs';
import { type Inspector, inspect } from '../inspector.ts';
import { slowestCallMs } from './neighbour.ts';

/** h2abuse's report of an attack. */
interface AttackReport {
  readonly alive: boolean;
  readonly neighbourFails: number;
  readonly rssUpMiB: number;
  readonly error?: string;
}

const ATTACK_TOOL = join(import.meta.dirname, '../faults/h2abuse/h2abuse.mjs');
const ATTACKS_MIN = 15;
const PATH = `/${MessagingServiceDefinition.fullName}/QueryRoute`;
/** How long neighbours are watched behind an attack whose connections are still there. */
const AFTERMATH_MS = 700;
const NEIGHBOUR_MS_MAX = 200;
const KEPT_BYTES_MAX = 16 * MIB;
const PEAK_MIB_MAX = 256;
/** Who harms neighbours does so each time, and who keeps memory keeps more each time; the machine, and what is only needed once, do not. */
const TRIES = 3;
const SETTLING_MS_MAX = 10_000;
const SETTLING_STEP_MS = 100;

/**
 * Makes every attack on the port for clients of a process that was started with `INSPECTABLE`: it stays alive, keeps no memory and
 * lets neighbours through.
 */
export async function assertWithstandsAttacks(member: Member): Promise<void> {
  const names = Object.keys(attacks);
  assert.ok(names.length >= ATTACKS_MIN, `only ${names.length} attacks are known`);
  const inspector = await inspect(member);
  using client = new MessagingClient(member.endpoint);
  const call = (): Promise<unknown> => client.queryRoute('neighbour');
  try {
    await call(); // the first one connects, and makes the topic
    for (const name of names) await assertWithstands(name, member, call, inspector);
  } finally {
    inspector.close();
  }
}

async function assertWithstands(
  name: string,
  member: Member,
  call: () => Promise<unknown>,
  inspector: Inspector,
): Promise<void> {
  const pid = member.pid!;
  const failures: string[] = [];
  while (failures.length < TRIES) {
    const before = await collectedBytes(pid, inspector);
    let output = '';
    const attack = async (): Promise<void> => {
      output = await attackWith(name, member);
    };
    const slowestMs = await slowestCallMs(call, pid, attack());
    const report: AttackReport = JSON.parse(output);
    const kept = await keptBytes(before, pid, inspector);
    const line = `${member.name}: ${output.trim()}, slowest call ${slowestMs} ms, kept ${kept} bytes`;
    assert.ok(report.alive, line);
    assert.equal(report.error, undefined, line);
    assert.ok(report.rssUpMiB <= PEAK_MIB_MAX, line);
    const isHarmed = slowestMs > NEIGHBOUR_MS_MAX || report.neighbourFails > 0;
    if (!isHarmed && kept <= KEPT_BYTES_MAX) return;
    failures.push(line);
  }
  assert.fail(`neighbours were harmed, or memory was kept, each time:\n${failures.join('\n')}`);
}

/** @returns the line that h2abuse reports */
function attackWith(name: string, member: Member): Promise<string> {
  const target = ['127.0.0.1', `${member.clientPort}`, '--path', PATH, '--pid', `${member.pid}`];
  const tool = spawn(process.execPath, [ATTACK_TOOL, name, ...target, '--settle', `${AFTERMATH_MS}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  endWithThisProcess(tool);
  return text(tool.stdout);
}

/** How much more a process holds than before, but for pages of its program, which the kernel takes and gives. What it gives back a little later is not kept. */
async function keptBytes(before: number, pid: number, inspector: Inspector): Promise<number> {
  const endMs = performance.now() + SETTLING_MS_MAX;
  for (;;) {
    const kept = (await collectedBytes(pid, inspector)) - before;
    if (kept <= KEPT_BYTES_MAX || performance.now() > endMs) return kept;
    await sleep(SETTLING_STEP_MS);
  }
}

async function collectedBytes(pid: number, inspector: Inspector): Promise<number> {
  await inspector.call('HeapProfiler.collectGarbage');
  return readAnonymousBytes(pid);
}
