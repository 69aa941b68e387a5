import { crc32 } from 'node:zlib';
import type { Vfs } from '@orbitmq/vfs';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { writeWhole } from '../whole-file.ts';

/*
 * All views at one position of the log. Little-endian.
 *
 *   offset  size  field
 *   0       4     magic
 *   4       2     format version
 *   6       2     number of sections (n)
 *   8       6     physical offset of the first record that is not in it
 *   14      16 n  sections, each u16 id · u16 version · u48 length · u32 CRC-32 of its bytes · u16 0
 *           4     CRC-32 of everything before
 *           …     the sections' bytes, one behind the other
 */
const MAGIC = 0x5353_514f;
const VERSION = 1;
const HEADER_BYTES = 14;
const SECTION_BYTES = 16;
const SECTION_COUNT_MAX = 64;

/** One view's part of a snapshot. */
export interface SnapshotSection {
  readonly id: number;
  /** Version of the view's own format. */
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** State of all views before the record at `position`. */
export interface Snapshot {
  readonly position: number;
  readonly sections: readonly SnapshotSection[];
}

/** Bytes that are not a snapshot as it was written, or one of a later format. */
export class SnapshotDamage extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'SnapshotDamage';
  }
}

/** The bytes of a snapshot, in parts to be written one behind the other. */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array[] {
  const header = new ByteWriter(HEADER_BYTES + snapshot.sections.length * SECTION_BYTES + 4);
  header.u32(MAGIC);
  header.u16(VERSION);
  header.u16(snapshot.sections.length);
  header.u48(snapshot.position);
  for (const section of snapshot.sections) {
    header.u16(section.id);
    header.u16(section.version);
    header.u48(section.bytes.length);
    header.u32(crc32(section.bytes));
    header.u16(0);
  }
  header.u32(crc32(header.view()));
  return [header.view(), ...snapshot.sections.map((section) => section.bytes)];
}

/**
 * The snapshot in `bytes`; its sections are views of them.
 * @throws SnapshotDamage
 */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  if (bytes.length < HEADER_BYTES + 4) throw new SnapshotDamage(`is too short with ${bytes.length} bytes`);
  const reader = new ByteReader(bytes);
  if (reader.u32() !== MAGIC) throw new SnapshotDamage('does not begin as a snapshot');
  const version = reader.u16();
  const sectionCount = reader.u16();
  const position = reader.u48();
  const headerBytes = HEADER_BYTES + sectionCount * SECTION_BYTES;
  if (sectionCount > SECTION_COUNT_MAX || bytes.length < headerBytes + 4) throw new SnapshotDamage('is cut short');
  const table = Array.from({ length: sectionCount }, () => {
    const facts = { id: reader.u16(), version: reader.u16(), length: reader.u48(), crc: reader.u32() };
    reader.u16();
    return facts;
  });
  if (reader.u32() !== crc32(bytes.subarray(0, headerBytes))) throw new SnapshotDamage('has a damaged header');
  if (version !== VERSION) throw new SnapshotDamage(`has format version ${version}, known is ${VERSION}`);
  const sections = table.map(({ id, version: sectionVersion, length, crc }) => {
    if (length > reader.remaining) throw new SnapshotDamage(`ends in the middle of section ${id}`);
    const content = reader.bytes(length);
    if (crc32(content) !== crc) throw new SnapshotDamage(`has a damaged section ${id}`);
    return { id, version: sectionVersion, bytes: content };
  });
  if (reader.remaining > 0) throw new SnapshotDamage(`has ${reader.remaining} bytes too many`);
  return { position, sections };
}

const NAME = /^(\d{20})\.snapshot$/;
/** The newest, and one more in case that it gets damaged. */
const SNAPSHOTS_KEPT = 2;

function nameOf(position: number): string {
  return `${position.toString().padStart(20, '0')}.snapshot`;
}

/**
 * Stores a snapshot as a whole (temporary file, fsync, rename, fsync of the directory) and removes all but the two
 * newest. The log up to its position must be durable.
 */
export async function writeSnapshot(vfs: Vfs, directory: string, snapshot: Snapshot): Promise<void> {
  const path = `${directory}/${nameOf(snapshot.position)}`;
  await writeWhole(vfs, directory, path, async (file) => {
    await file.write(encodeSnapshot(snapshot), 0);
  });
  const names = (await vfs.list(directory)).filter((name) => NAME.test(name));
  for (const name of names.slice(0, -SNAPSHOTS_KEPT)) await vfs.remove(`${directory}/${name}`);
}

/** Which snapshots can serve, and who hears of the others. */
export interface SnapshotSearch {
  /** First byte of the log: an older snapshot has lost its continuation. */
  readonly positionMin: number;
  /** End of the durable log: a later snapshot tells of what never was. */
  readonly positionMax: number;
  /** Tries to take the snapshot over. @throws SnapshotDamage when a section is not understood */
  accept(snapshot: Snapshot): void;
  onIgnored(path: string, reason: string): void;
}

/**
 * Finds the newest snapshot that serves. Those that reach past the log are removed: the log may grow past their
 * position again, and then they would be believed.
 */
export async function findSnapshot(vfs: Vfs, directory: string, search: SnapshotSearch): Promise<Snapshot | undefined> {
  let found: Snapshot | undefined;
  let removed = false;
  for (const name of (await vfs.list(directory)).reverse()) {
    const path = `${directory}/${name}`;
    const position = NAME.test(name) ? Number.parseInt(name, 10) : undefined;
    if (position === undefined || position > search.positionMax) {
      if (position !== undefined) search.onIgnored(path, `reaches past the end of the log at ${search.positionMax}`);
      await vfs.remove(path);
      removed = true;
    } else if (found === undefined && position >= search.positionMin) {
      found = await tryOne(vfs, path, position, search);
    }
  }
  if (removed) await vfs.syncDirectory(directory);
  return found;
}

async function tryOne(vfs: Vfs, path: string, position: number, search: SnapshotSearch): Promise<Snapshot | undefined> {
  try {
    const snapshot = decodeSnapshot(await readWhole(vfs, path));
    if (snapshot.position !== position) throw new SnapshotDamage(`is of position ${snapshot.position}`);
    search.accept(snapshot);
    return snapshot;
  } catch (error) {
    search.onIgnored(path, error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function readWhole(vfs: Vfs, path: string): Promise<Uint8Array> {
  const stat = await vfs.stat(path);
  const bytes = new Uint8Array(stat?.sizeBytes ?? 0);
  const file = await vfs.open(path, 'read');
  try {
    const count = await file.read(bytes, 0);
    return bytes.subarray(0, count);
  } finally {
    await file.close();
  }
}
