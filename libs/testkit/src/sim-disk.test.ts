import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import { SimClock } from './sim-clock.ts';
import { CRASH_POLICIES, type CrashPolicy } from './sim-crash.ts';
import { SimDisk } from './sim-disk.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function instantDisk(seed = 1): SimDisk {
  return new SimDisk({ clock: new SimClock(), random: seededRandom(seed), latencyMs: 0, syncLatencyMs: 0 });
}

function contentOf(disk: SimDisk, path: string): string | undefined {
  const bytes = disk.image().get(path);
  return bytes && new TextDecoder().decode(bytes);
}

describe('simulated disk', () => {
  it('loses what was not fsynced, and keeps what was', async () => {
    const disk = instantDisk();
    const file = await disk.open('/a', 'create');
    await file.write([text('stored ')], 0);
    await file.sync();
    await disk.syncDirectory('/');
    await file.write([text('volatile')], 7);
    assert.equal(contentOf(disk, '/a'), 'stored volatile');
    assert.equal(contentOf(disk.crash(seededRandom(1), 'none'), '/a'), 'stored ');
  });

  it('loses a name whose directory was not fsynced', async () => {
    const disk = instantDisk();
    const file = await disk.open('/a', 'create');
    await file.write([text('stored')], 0);
    await file.sync();
    assert.equal(contentOf(disk.crash(seededRandom(1), 'none'), '/a'), undefined);
  });

  it('brings a removed and a replaced file back when the directory was not fsynced', async () => {
    const disk = instantDisk();
    for (const name of ['/a', '/b']) {
      const file = await disk.open(name, 'create');
      await file.write([text(name)], 0);
      await file.sync();
    }
    await disk.syncDirectory('/');
    await disk.rename('/a', '/b');
    assert.equal(contentOf(disk, '/b'), '/a');
    const found = disk.crash(seededRandom(1), 'none');
    assert.deepEqual([contentOf(found, '/a'), contentOf(found, '/b')], ['/a', '/b']);
  });

  it('an fsync covers only writes that had ended before it began', async () => {
    const clock = new SimClock();
    const disk = new SimDisk({ clock, random: seededRandom(1), latencyMs: 10, syncLatencyMs: 0.001 });
    const file = await clock.settle(disk.open('/a', 'create'));
    await clock.settle(disk.syncDirectory('/'));
    void file.write([text('late')], 0);
    await clock.settle(file.sync());
    await clock.runUntilIdle();
    assert.equal(contentOf(disk, '/a'), 'late');
    assert.equal(contentOf(disk.crash(seededRandom(1), 'none'), '/a'), '');
  });

  it('after a failed fsync a later one proves nothing, a new write does', async () => {
    const disk = instantDisk();
    const file = await disk.open('/a', 'create');
    await disk.syncDirectory('/');
    await file.write([text('doubtful')], 0);
    disk.inject({ operation: 'sync', error: 'EIO' });
    await assert.rejects(file.sync(), { code: 'EIO' });
    await file.sync();
    const twin = disk.crash(seededRandom(1), 'none');
    assert.equal(contentOf(twin, '/a'), '');
    const again = await twin.open('/a', 'write');
    await again.write([text('certain')], 0);
    await again.sync();
    assert.equal(contentOf(twin.crash(seededRandom(1), 'none'), '/a'), 'certain');
  });

  it('a killed process leaves everything that its calls had ended with, and does nothing more', async () => {
    const disk = instantDisk();
    const file = await disk.open('/a', 'create');
    await file.write([text('written')], 0);
    const after = disk.kill();
    let ended = false;
    void file.write([text('X')], 0).then(() => {
      ended = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(ended, false);
    assert.equal(contentOf(after, '/a'), 'written');
  });

  it('tears, zeroes and picks pages, each policy within what is legal', async () => {
    const seen = new Map<CrashPolicy, Set<string>>();
    for (const policy of CRASH_POLICIES) {
      seen.set(policy, new Set());
      for (let seed = 1; seed <= 40; seed++) {
        const disk = instantDisk(seed);
        const file = await disk.open('/a', 'create');
        await file.write([new Uint8Array(8192).fill(1)], 0);
        await file.sync();
        await disk.syncDirectory('/');
        await file.write([new Uint8Array(8192).fill(2)], 8192);
        const bytes = disk.crash(seededRandom(seed), policy).image().get('/a')!;
        assert.ok(bytes.subarray(0, 8192).every((byte) => byte === 1));
        assert.ok(bytes.subarray(8192).every((byte) => byte === 0 || byte === 2));
        seen.get(policy)!.add(`${bytes.length}:${bytes.indexOf(2)}:${bytes.lastIndexOf(2)}`);
      }
    }
    assert.deepEqual([...seen.get('none')!], ['8192:-1:-1']);
    assert.deepEqual([...seen.get('all')!], ['16384:8192:16383']);
    assert.deepEqual([...seen.get('zeros')!], ['16384:-1:-1']);
    assert.equal(seen.get('prefix')!.size, 2);
    assert.ok(seen.get('torn')!.size > 10);
    assert.ok(seen.get('subset')!.size >= 4);
  });

  it('is full when its capacity is used, and has room again after a removal', async () => {
    const disk = new SimDisk({
      clock: new SimClock(),
      random: seededRandom(1),
      latencyMs: 0,
      syncLatencyMs: 0,
      capacityBytes: 3 * 4096,
    });
    const file = await disk.open('/a', 'create');
    await assert.rejects(file.write([new Uint8Array(4 * 4096).fill(1)], 0), { code: 'ENOSPC' });
    assert.equal((await disk.diskSpace()).availableBytes, 0);
    await disk.remove('/a');
    assert.equal((await disk.diskSpace()).availableBytes, 3 * 4096);
    await (await disk.open('/b', 'create')).write([new Uint8Array(4096)], 0);
  });

  it('does the same for the same seed', async () => {
    const images = [];
    for (let round = 0; round < 2; round++) {
      const clock = new SimClock();
      const disk = new SimDisk({ clock, random: seededRandom(5) });
      const file = await clock.settle(disk.open('/a', 'create'));
      for (let index = 0; index < 20; index++) void file.write([new Uint8Array(600).fill(index)], index * 600);
      await clock.advance(0.1);
      images.push(disk.crash().image());
    }
    assert.deepEqual(images[0], images[1]);
  });
});

describe('simulated clock', () => {
  it('runs timers in order, with what they set off between', async () => {
    const clock = new SimClock();
    const order: string[] = [];
    clock.setTimer(5, () => order.push('5'));
    clock.setTimer(1, () => {
      order.push('1');
      void Promise.resolve().then(() => {
        order.push('1, then');
        clock.setTimer(1, () => order.push('2'));
      });
    });
    clock.setTimer(1, () => order.push('1 again'));
    clock.setTimer(3, () => order.push('never')).cancel();
    await clock.advance(10);
    assert.deepEqual(order, ['1', '1, then', '1 again', '2', '5']);
    assert.equal(clock.monotonicMs(), 10);
    assert.equal(clock.timerCount, 0);
  });

  it('ends the timers of a process with it', async () => {
    const clock = new SimClock();
    const process = clock.process();
    let fired = 0;
    process.setTimer(1, () => fired++);
    clock.setTimer(1, () => fired++);
    process.stop();
    await clock.runUntilIdle();
    assert.equal(fired, 1);
  });

  it('moves the wall clock apart from the monotonic one', async () => {
    const clock = new SimClock();
    const wallMs = clock.wallMs();
    clock.jumpWall(-3_600_000);
    assert.equal(clock.wallMs(), wallMs - 3_600_000);
    assert.equal(clock.monotonicMs(), 0);
  });

  it('says when nothing is left to wait for', async () => {
    await assert.rejects(new SimClock().settle(new Promise(() => {})), /nothing is left to wait for/);
  });
});
