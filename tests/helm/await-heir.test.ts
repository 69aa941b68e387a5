import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CHART } from './helm.ts';

interface Gauges {
  readonly leading: number;
  readonly in_sync_members: number;
  readonly lease_unreachable: number;
}

const SETTLED: Gauges = { leading: 1, in_sync_members: 2, lease_unreachable: 0 };

/** Runs the hook against a member that answers with these values in turn, the last one for good. @returns looks that it took */
async function looksOf(answers: readonly Gauges[], settledSeconds: number, waitSeconds = 60): Promise<number> {
  let looks = 0;
  const server = createServer((_, response) => {
    const gauges = answers[Math.min(looks, answers.length - 1)]!;
    looks += 1;
    const lines = Object.entries(gauges).map(
      ([name, value]) => `orbitmq_replication_${name}{node_id="broker-a"} ${value}`,
    );
    response.end(`${lines.join('\n')}\n`);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const script = join(CHART, 'files', 'await-heir.mjs');
  const words = [waitSeconds, settledSeconds, port].map(String);
  const child = spawn(process.execPath, [script, ...words], { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = await once(child, 'exit');
  server.close();
  server.closeAllConnections();
  assert.equal(code, 0);
  return looks;
}

describe('before a member is stopped', () => {
  it('one that follows is not held', async () => {
    assert.equal(await looksOf([{ ...SETTLED, leading: 0 }], 1000), 1);
  });

  it('one that leads is held until a copy has been in sync for a while', async () => {
    const alone = { ...SETTLED, in_sync_members: 1 };
    const looks = await looksOf([SETTLED, alone, alone, SETTLED], 0.5);
    assert.ok(looks >= 5, `a copy that is about to go counts for nothing: ${looks} looks`);
  });

  it('one that leads is not held when nobody can take over', async () => {
    const leaseless = { leading: 1, in_sync_members: 1, lease_unreachable: 1 };
    assert.ok((await looksOf([leaseless], 1000)) > 2);
  });

  it('one that leads is not held for longer than it is said', async () => {
    assert.ok((await looksOf([{ ...SETTLED, in_sync_members: 1 }], 1000, 0.5)) >= 1);
  });

  it('one that does not answer is not held', async () => {
    const script = join(CHART, 'files', 'await-heir.mjs');
    const child = spawn(process.execPath, [script, '60', '5', '1'], { stdio: 'inherit' });
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});
