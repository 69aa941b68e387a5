import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@orbitmq/base';
import { memoryVfs, nodeVfs } from '@orbitmq/vfs';
import { SimClock } from './sim-clock.ts';
import { SimDisk } from './sim-disk.ts';
import { vfsContract } from './vfs-contract.ts';

vfsContract('node', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'orbitmq-vfs-'));
  return { vfs: nodeVfs, directory, dispose: () => rm(directory, { recursive: true }) };
});

vfsContract('memory', async () => {
  const vfs = memoryVfs();
  await vfs.makeDirectory('/data');
  return { vfs, directory: '/data' };
});

vfsContract('simulated', async () => {
  const vfs = new SimDisk({ clock: new SimClock(), random: seededRandom(1), latencyMs: 0, syncLatencyMs: 0 });
  await vfs.makeDirectory('/data');
  return { vfs, directory: '/data' };
});
