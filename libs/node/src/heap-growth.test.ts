import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GIB, MIB } from '@orbitmq/base';
import { SimClock } from '@orbitmq/testkit';
import { HeapGrowth } from './heap-growth.ts';

describe('HeapGrowth', () => {
  const LAZY = '--heap-growing-percent=200';
  const DEFAULT = '--heap-growing-percent=0';

  class TestProcess {
    readonly clock = new SimClock();
    readonly flags: string[] = [];
    copiedBytes: number | undefined;
    readonly growth: HeapGrowth;

    constructor(memoryBytes: number) {
      this.growth = new HeapGrowth({
        copiedBytes: () => this.copiedBytes,
        memoryBytes,
        clock: this.clock,
        setFlag: (flag) => this.flags.push(flag),
      });
    }

    /** Copies for some seconds. */
    async copy(seconds: number, bytesPerSecond: number): Promise<void> {
      for (let look = 0; look < seconds * 4; look++) {
        this.copiedBytes = (this.copiedBytes ?? 0) + bytesPerSecond / 4;
        await this.clock.advance(250);
      }
    }
  }

  it('is lazy while a log is copied, and a little longer', async () => {
    const process = new TestProcess(GIB);
    await process.growth.start();
    await process.clock.advance(1_000);
    await process.copy(2, 20 * MIB);
    assert.deepEqual(process.flags, [], 'what a master sends its slave all day is no copy');
    await process.copy(2, 100 * MIB);
    assert.deepEqual(process.flags, [LAZY]);
    await process.copy(1, 0);
    await process.copy(1, 100 * MIB);
    assert.deepEqual(process.flags, [LAZY], 'a pause is not the end');
    await process.copy(2, 0);
    assert.deepEqual(process.flags, [LAZY, DEFAULT]);
    process.copiedBytes = 0;
    await process.copy(1, 0);
    process.copiedBytes = undefined;
    await process.clock.advance(1_000);
    process.copiedBytes = GIB;
    await process.clock.advance(1_000);
    assert.deepEqual(process.flags, [LAZY, DEFAULT], 'another log, and what was there before, are no copies');
    await process.growth.stop();
    await process.copy(2, 100 * MIB);
    assert.equal(process.flags.length, 2);
  });

  it('leaves it to V8 where there is little memory', async () => {
    const process = new TestProcess(GIB - 1);
    await process.growth.start();
    await process.copy(2, 100 * MIB);
    assert.deepEqual(process.flags, []);
  });
});
