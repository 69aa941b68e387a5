import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { seededRandom } from '@orbitmq/base';
import { checkLog, readNotes } from './log-notes.ts';
import { PowerlossLab, powerlossSkip } from './powerloss.ts';

const WRITER = join(import.meta.dirname, 'log-writer.ts');
const SEED = Number(process.env.SEED ?? 1);
const STATES = Number(process.env.POWERLOSS_STATES ?? 300);
const KILLS = Number(process.env.KILLS ?? 15);
const END_OF_TIME_NS = 2n ** 62n;

describe('commit log of a real process', { skip: powerlossSkip }, () => {
  for (const [writers, records] of [
    [1, 150],
    [8, 500],
    [64, 1500],
  ] as const) {
    it(`holds what ${writers} writers had stored after a loss of power at any moment`, async () => {
      await withLab(async (lab, notesPath) => {
        const ended = await lab.record(writerArgs(lab, notesPath, writers, records));
        assert.equal(ended.code, 0, ended.stderr);
        lab.checkComplete();
        const notes = readNotes(notesPath);
        assert.ok(notes.stored.length >= records);
        for (const names of ['strict', 'ext4'] as const) {
          const { tried } = await lab.explore({ max: STATES / 2, seed: SEED, names }, (directory, { deadline }) =>
            checkLog(directory, notes, deadline),
          );
          assert.ok(tried >= STATES / 2);
        }
      });
    });
  }

  for (const rule of [
    'op=fdatasync path=commitlog act=EIO after=30 count=1',
    'op=write path=commitlog act=ENOSPC after=60',
  ]) {
    it(`stops at once: ${rule}`, async () => {
      await withLab(async (lab, notesPath) => {
        lab.setRules([rule]);
        const ended = await lab.record(writerArgs(lab, notesPath, 8, 2000));
        assert.equal(ended.code, 3, ended.stderr);
        const notes = readNotes(notesPath);
        assert.ok(notes.stored.length > 0);
        await lab.explore({ max: STATES / 2, seed: SEED, names: 'strict' }, (directory, { deadline }) =>
          checkLog(directory, notes, deadline),
        );
        await checkLog(lab.root, notes, END_OF_TIME_NS);
      });
    });
  }

  it('completes short and interrupted writes', async () => {
    await withLab(async (lab, notesPath) => {
      lab.setRules(['op=write path=commitlog act=short prob=30', 'op=write path=commitlog act=EINTR prob=10']);
      const ended = await lab.record(writerArgs(lab, notesPath, 8, 500));
      assert.equal(ended.code, 0, ended.stderr);
      await checkLog(lab.root, readNotes(notesPath), END_OF_TIME_NS);
    });
  });

  for (const operation of ['write', 'fdatasync', 'fsync', 'open', 'truncate', 'unlink']) {
    it(`survives being killed right before ${operation}`, async () => {
      await withLab(async (lab, notesPath) => {
        const random = seededRandom(SEED + operation.length);
        for (let round = 0; round < 2; round++) {
          lab.setRules([`op=${operation} path=commitlog act=kill after=${1 + random.below(8)}`]);
          const ended = await lab.record(writerArgs(lab, notesPath, 8, 2000));
          assert.equal(ended.signal, 'SIGKILL', ended.stderr);
          await checkLog(lab.root, readNotes(notesPath), END_OF_TIME_NS);
        }
      });
    });
  }
});

describe('commit log of a real process that is killed', () => {
  for (const flushDiskType of ['SYNC_FLUSH', 'ASYNC_FLUSH']) {
    it(`${flushDiskType}: holds what was stored, over ${KILLS} lives`, async () => {
      const home = mkdtempSync(join(tmpdir(), 'orbitmq-kill-'));
      const notesPath = join(home, 'notes');
      const random = seededRandom(SEED);
      try {
        for (let life = 0; life < KILLS; life++) {
          await killWriter(
            [join(home, 'data'), notesPath, '16', '1000000', flushDiskType],
            notesPath,
            random.below(60),
          );
          await checkLog(join(home, 'data'), readNotes(notesPath), END_OF_TIME_NS);
        }
      } finally {
        rmSync(home, { recursive: true });
      }
    });
  }
});

function writerArgs(lab: PowerlossLab, notesPath: string, writers: number, records: number): string[] {
  return [WRITER, lab.root, notesPath, String(writers), String(records), 'SYNC_FLUSH'];
}

async function withLab(body: (lab: PowerlossLab, notesPath: string) => Promise<void>): Promise<void> {
  const lab = new PowerlossLab('powerloss');
  try {
    await body(lab, join(lab.home, 'notes'));
  } finally {
    lab.dispose();
  }
}

/** Starts a writer and kills it `afterMs` after it has stored something. */
async function killWriter(args: readonly string[], notesPath: string, afterMs: number): Promise<void> {
  const storedBefore = readNotes(notesPath).stored.length;
  const child = spawn(process.execPath, ['--conditions=@orbitmq/source', WRITER, ...args], { stdio: 'inherit' });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('close', (_, signal) => resolve(signal)));
  while (readNotes(notesPath).stored.length === storedBefore && child.exitCode === null) await wait(5);
  await wait(afterMs);
  child.kill('SIGKILL');
  assert.equal(await ended, 'SIGKILL');
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
