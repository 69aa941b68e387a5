import { crc32 } from 'node:zlib';
import { KIB } from '@orbitmq/base';
import type { Vfs, VfsFile } from '@orbitmq/vfs';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { writeWhole } from '../whole-file.ts';
import { FrozenBytes } from './frozen-bytes.ts';

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
/** So much of a section is worked on in one turn of the event loop: some 0.1 ms. */
const PART_BYTES = 256 * KIB;

/** One view's part of a snapshot. */
export interface SnapshotSection {
  readonly id: number;
  /** Version of the view's own format. */
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** A section whose bytes may be such as are only copied while they are written. */
export type WritableSection = Omit<SnapshotSection, 'bytes'> & { readonly bytes: Uint8Array | FrozenBytes };

/** State of all views before the record at `position`. */
export interface Snapshot<Section = SnapshotSection> {
  readonly position: number;
  readonly sections: readonly Section[];
}

/** What the header says of a section. */
interface SectionFacts {
  readonly id: number;
  readonly version: number;
  readonly sizeBytes: number;
  readonly crc: number;
}

/** Bytes that are not a snapshot as it was written, or one of a later format. */
export class SnapshotDamage extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'SnapshotDamage';
  }
}

/** The bytes of a snapshot, in parts to be written one behind the other. */
export function encodeSnapshot({ position, sections }: Snapshot): Uint8Array[] {
  const facts = sections.map(({ id, version, bytes }) => ({ id, version, sizeBytes: bytes.length, crc: crc32(bytes) }));
  return [encodeHeader(position, facts), ...sections.map((section) => section.bytes)];
}

function headerBytesFor(sectionCount: number): number {
  return HEADER_BYTES + sectionCount * SECTION_BYTES + 4;
}

function encodeHeader(position: number, sections: readonly SectionFacts[]): Uint8Array {
  const header = new ByteWriter(headerBytesFor(sections.length));
  header.u32(MAGIC);
  header.u16(VERSION);
  header.u16(sections.length);
  header.u48(position);
  for (const section of sections) {
    header.u16(section.id);
    header.u16(section.version);
    header.u48(section.sizeBytes);
    header.u32(section.crc);
    header.u16(0);
  }
  header.u32(crc32(header.view()));
  return header.view();
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
 * newest. The log up to its position must be durable. Large sections take many turns of the event loop.
 */
export async function writeSnapshot(vfs: Vfs, directory: string, snapshot: Snapshot<WritableSection>): Promise<void> {
  const path = `${directory}/${nameOf(snapshot.position)}`;
  try {
    await writeWhole(vfs, directory, path, (file) => writeParts(file, snapshot));
  } finally {
    for (const { bytes } of snapshot.sections) if (bytes instanceof FrozenBytes) bytes.release();
  }
  const names = (await vfs.list(directory)).filter((name) => NAME.test(name));
  for (const name of names.slice(0, -SNAPSHOTS_KEPT)) await vfs.remove(`${directory}/${name}`);
}

/** The header comes last, with the CRCs of what was written. */
async function writeParts(file: VfsFile, { position, sections }: Snapshot<WritableSection>): Promise<void> {
  const facts: SectionFacts[] = [];
  let at = headerBytesFor(sections.length);
  for (const { id, version, bytes } of sections) {
    let crc = 0;
    let sizeBytes = 0;
    for (const part of partsOf(bytes)) {
      crc = crc32(part, crc);
      await file.write([part], at);
      at += part.length;
      sizeBytes += part.length;
    }
    facts.push({ id, version, sizeBytes, crc });
  }
  await file.write([encodeHeader(position, facts)], 0);
}

/** Each part is only valid until the next one. */
function* partsOf(bytes: Uint8Array | FrozenBytes): Generator<Uint8Array> {
  if (!(bytes instanceof FrozenBytes)) {
    for (let at = 0; at < bytes.length; at += PART_BYTES) yield bytes.subarray(at, at + PART_BYTES);
    return;
  }
  const copy = new Uint8Array(Math.min(PART_BYTES, bytes.sizeBytes));
  for (let at = 0; at < bytes.sizeBytes; at += PART_BYTES) {
    const part = copy.subarray(0, bytes.sizeBytes - at);
    bytes.copy(at, part);
    yield part;
  }
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
