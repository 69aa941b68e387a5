import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Vfs, VfsError } from '@orbitmq/vfs';

/** A file system to be tested: `directory` exists and is empty. */
export interface VfsUnderTest {
  readonly vfs: Vfs;
  readonly directory: string;
  dispose?(): Promise<void>;
}

/** What every implementation of `Vfs` must do; `make` gives a fresh one for each test. */
export function vfsContract(name: string, make: () => Promise<VfsUnderTest>): void {
  const test = (what: string, body: (vfs: Vfs, directory: string) => Promise<void>): void => {
    it(what, async () => {
      const made = await make();
      try {
        await body(made.vfs, made.directory);
      } finally {
        await made.dispose?.();
      }
    });
  };
  describe(`vfs contract: ${name}`, () => {
    contentTests(test);
    nameTests(test);
    lockTests(test);
  });
}

type Test = (what: string, body: (vfs: Vfs, directory: string) => Promise<void>) => void;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function readText(vfs: Vfs, path: string): Promise<string> {
  const stat = await vfs.stat(path);
  const target = new Uint8Array(stat!.sizeBytes);
  const file = await vfs.open(path, 'read');
  try {
    assert.equal(await file.read(target, 0), target.length);
  } finally {
    await file.close();
  }
  return new TextDecoder().decode(target);
}

async function writeText(vfs: Vfs, path: string, value: string): Promise<void> {
  const file = await vfs.open(path, 'create');
  await file.write([text(value)], 0);
  await file.sync();
  await file.close();
}

function failsWith(code: string, action: Promise<unknown>): Promise<void> {
  return assert.rejects(action, (error) => error instanceof VfsError && error.code === code);
}

function contentTests(test: Test): void {
  test('writes parts one behind the other and reads them back', async (vfs, directory) => {
    const file = await vfs.open(`${directory}/a`, 'create');
    await file.write([text('one '), text(''), text('two '), text('three')], 3);
    await file.sync();
    const target = new Uint8Array(20);
    assert.equal(await file.read(target, 0), 16);
    assert.equal(new TextDecoder().decode(target.subarray(0, 16)), '\0\0\0one two three');
    await file.close();
  });

  test('writes more parts than one system call takes', async (vfs, directory) => {
    const parts = Array.from({ length: 3000 }, (_, index) => Uint8Array.of(index & 0xff, index >> 8));
    const file = await vfs.open(`${directory}/a`, 'create');
    await file.write(parts, 0);
    const target = new Uint8Array(6000);
    assert.equal(await file.read(target, 0), 6000);
    assert.deepEqual(target, Uint8Array.from(parts.flatMap((part) => [...part])));
    await file.close();
  });

  test('writes nothing when there is nothing to write', async (vfs, directory) => {
    const file = await vfs.open(`${directory}/a`, 'create');
    await file.write([], 5);
    await file.write([text('')], 5);
    assert.equal((await vfs.stat(`${directory}/a`))?.sizeBytes, 0);
    await file.close();
  });

  test('reads less only at the end of the file', async (vfs, directory) => {
    await writeText(vfs, `${directory}/a`, 'abcdef');
    const file = await vfs.open(`${directory}/a`, 'read');
    assert.equal(await file.read(new Uint8Array(4), 4), 2);
    assert.equal(await file.read(new Uint8Array(4), 6), 0);
    assert.equal(await file.read(new Uint8Array(4), 100), 0);
    await file.close();
  });

  test('truncate cuts and extends with zeros', async (vfs, directory) => {
    const file = await vfs.open(`${directory}/a`, 'create');
    await file.write([text('abcdef')], 0);
    await file.truncate(3);
    await file.truncate(5);
    assert.equal(await readText(vfs, `${directory}/a`), 'abc\0\0');
    assert.equal((await vfs.stat(`${directory}/a`))?.sizeBytes, 5);
    await file.close();
  });

  test('a file opened for reading takes no writes, and a closed one nothing', async (vfs, directory) => {
    await writeText(vfs, `${directory}/a`, 'abc');
    const file = await vfs.open(`${directory}/a`, 'read');
    await failsWith('EBADF', file.write([text('x')], 0));
    await file.close();
    await file.close();
    await failsWith('EBADF', file.read(new Uint8Array(1), 0));
    await failsWith('EBADF', file.sync());
  });

  test('writes to different places may overlap in time', async (vfs, directory) => {
    const file = await vfs.open(`${directory}/a`, 'create');
    await Promise.all([file.write([text('aaaa')], 0), file.write([text('bbbb')], 4), file.write([text('cc')], 8)]);
    assert.equal(await readText(vfs, `${directory}/a`), 'aaaabbbbcc');
    await file.close();
  });
}

function nameTests(test: Test): void {
  test('makes directories with what is missing above, twice without complaint', async (vfs, directory) => {
    await vfs.makeDirectory(`${directory}/b/c/d`);
    await vfs.makeDirectory(`${directory}/b/c/d`);
    assert.deepEqual(await vfs.list(`${directory}/b/c`), ['d']);
  });

  test('lists names sorted, of an absent directory none', async (vfs, directory) => {
    for (const name of ['c', 'a', 'b']) await writeText(vfs, `${directory}/${name}`, name);
    await vfs.syncDirectory(directory);
    assert.deepEqual(await vfs.list(directory), ['a', 'b', 'c']);
    assert.deepEqual(await vfs.list(`${directory}/absent`), []);
  });

  test('open for reading and writing needs the file, create refuses it', async (vfs, directory) => {
    await failsWith('ENOENT', vfs.open(`${directory}/a`, 'read'));
    await failsWith('ENOENT', vfs.open(`${directory}/a`, 'write'));
    await failsWith('ENOENT', vfs.open(`${directory}/absent/a`, 'create'));
    await writeText(vfs, `${directory}/a`, 'abc');
    await failsWith('EEXIST', vfs.open(`${directory}/a`, 'create'));
    const file = await vfs.open(`${directory}/a`, 'write');
    await file.write([text('X')], 1);
    await file.close();
    assert.equal(await readText(vfs, `${directory}/a`), 'aXc');
  });

  test('rename replaces the target as a whole', async (vfs, directory) => {
    await writeText(vfs, `${directory}/a`, 'new');
    await writeText(vfs, `${directory}/b`, 'older');
    await vfs.rename(`${directory}/a`, `${directory}/b`);
    assert.equal(await readText(vfs, `${directory}/b`), 'new');
    assert.equal(await vfs.stat(`${directory}/a`), undefined);
    await failsWith('ENOENT', vfs.rename(`${directory}/a`, `${directory}/b`));
  });

  test('removes files, absent ones too; an open one can still be read', async (vfs, directory) => {
    await writeText(vfs, `${directory}/a`, 'abc');
    const file = await vfs.open(`${directory}/a`, 'read');
    await vfs.remove(`${directory}/a`);
    await vfs.remove(`${directory}/a`);
    assert.equal(await file.read(new Uint8Array(3), 0), 3);
    await file.close();
    assert.deepEqual(await vfs.list(directory), []);
  });

  test('errors name the operation and the path', async (vfs, directory) => {
    await assert.rejects(
      vfs.open(`${directory}/absent`, 'read'),
      (error) => error instanceof VfsError && error.operation === 'open' && error.path === `${directory}/absent`,
    );
  });

  test('says how much room there is', async (vfs, directory) => {
    const { totalBytes, availableBytes } = await vfs.diskSpace(directory);
    assert.ok(totalBytes > 0 && availableBytes >= 0 && availableBytes <= totalBytes);
  });
}

function lockTests(test: Test): void {
  test('gives a directory to one owner at a time', async (vfs, directory) => {
    const lock = await vfs.lock(directory);
    await failsWith('LOCKED', vfs.lock(directory));
    await lock.release();
    await lock.release();
    await (await vfs.lock(directory)).release();
    assert.deepEqual(await vfs.list(directory), []);
  });

  test('of many that want a directory at once at most one gets it', async (vfs, directory) => {
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => vfs.lock(directory)));
    const owners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    assert.ok(owners.length <= 1, `${owners.length} owners`);
    for (const owner of owners) await owner.value.release();
    await (await vfs.lock(directory)).release();
  });
}
