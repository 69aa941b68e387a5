import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryVfs, VfsError } from '@orbitmq/vfs';
import fc from 'fast-check';
import { decodeSnapshot, encodeSnapshot, findSnapshot, SnapshotDamage, writeSnapshot } from './file.ts';
import { FrozenBytes } from './frozen-bytes.ts';

const sections = fc.array(
  fc.record({ id: fc.nat(100), version: fc.nat(9), bytes: fc.uint8Array({ maxLength: 200 }) }),
  { maxLength: 5 },
);

test('a snapshot comes back as it was, and any change of a byte is noticed', () => {
  fc.assert(
    fc.property(
      fc.nat(2 ** 40),
      sections,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (position, content, at, mask) => {
        const bytes = Buffer.concat(encodeSnapshot({ position, sections: content }));
        const decoded = decodeSnapshot(bytes);
        assert.equal(decoded.position, position);
        assert.deepEqual(
          decoded.sections.map((section) => ({ ...section, bytes: Uint8Array.from(section.bytes) })),
          content.map((section) => ({ ...section, bytes: Uint8Array.from(section.bytes) })),
        );
        const flipped = Buffer.from(bytes);
        flipped[at % flipped.length]! ^= mask;
        assert.throws(() => decodeSnapshot(flipped), SnapshotDamage);
        assert.throws(() => decodeSnapshot(bytes.subarray(0, at % bytes.length)), SnapshotDamage);
      },
    ),
  );
});

test('the newest snapshot that serves is found; two are kept; what reaches past the log is removed', async () => {
  const vfs = memoryVfs();
  await vfs.makeDirectory('/s');
  for (const position of [8, 16, 24]) {
    await writeSnapshot(vfs, '/s', { position, sections: [{ id: 1, version: 1, bytes: Buffer.from([position]) }] });
  }
  assert.equal((await vfs.list('/s')).length, 2);
  const ignored: string[] = [];
  const search = {
    positionMin: 0,
    positionMax: 100,
    accept: () => {},
    onIgnored: (_: string, reason: string) => ignored.push(reason),
  };
  assert.equal((await findSnapshot(vfs, '/s', search))?.position, 24);
  const refuse = {
    ...search,
    accept: ({ position }: { position: number }) => assert.ok(position < 24, 'too new a format'),
  };
  assert.equal((await findSnapshot(vfs, '/s', refuse))?.position, 16);
  assert.deepEqual(ignored, ['too new a format']);
  assert.equal(await findSnapshot(vfs, '/s', { ...search, positionMin: 25 }), undefined);
  assert.equal((await findSnapshot(vfs, '/s', { ...search, positionMax: 23 }))?.position, 16);
  assert.deepEqual(await vfs.list('/s'), ['00000000000000000016.snapshot']);
});

test('a snapshot that finds no room leaves nothing behind', async () => {
  const vfs = memoryVfs();
  await vfs.makeDirectory('/snapshots');
  const full = {
    ...vfs,
    rename: (path: string) => Promise.reject(new VfsError('ENOSPC', 'rename', path)),
  };
  await assert.rejects(writeSnapshot(full, '/snapshots', { position: 8, sections: [] }), { code: 'ENOSPC' });
  assert.deepEqual(await vfs.list('/snapshots'), []);
});

test('a large snapshot is written in parts, as it was when it was taken, and is the same file', async () => {
  const vfs = memoryVfs();
  await vfs.makeDirectory('/s');
  const memory = Uint8Array.from({ length: 700_000 }, (_, index) => index % 251);
  const plain = Uint8Array.from({ length: 300_000 }, (_, index) => index % 13);
  const taken = [memory.slice(), plain].map((bytes, id) => ({ id, version: 1, bytes }));
  const frozen = new FrozenBytes([memory.subarray(0, 9), memory.subarray(9)]);
  let writeCount = 0;
  const watched = {
    ...vfs,
    open: async (path: string, mode: Parameters<typeof vfs.open>[1]) => {
      const file = await vfs.open(path, mode);
      const write = file.write.bind(file);
      file.write = async (parts, position) => {
        assert.ok(parts.reduce((sum, part) => sum + part.length, 0) <= 256 * 1024);
        if (++writeCount === 2) {
          frozen.keep();
          memory.fill(0xee);
        }
        await write(parts, position);
      };
      return file;
    },
  };
  const sections = [{ ...taken[0]!, bytes: frozen }, taken[1]!];
  await writeSnapshot(watched, '/s', { position: 64, sections });
  assert.equal(writeCount, 6);
  const file = await vfs.open('/s/00000000000000000064.snapshot', 'read');
  const wanted = Buffer.concat(encodeSnapshot({ position: 64, sections: taken }));
  const written = Buffer.alloc(wanted.length + 1);
  assert.equal(await file.read(written, 0), wanted.length);
  assert.deepEqual(written.subarray(0, wanted.length), wanted);
});
