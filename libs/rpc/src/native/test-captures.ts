import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FRAME_HEADER_BYTES, PREFACE } from './protocol.ts';

/**
 * What went over one connection of an official client, or to a server of another maker; recorded by
 * `tests/conformance/record-captures.ts`.
 */
export interface Capture {
  readonly name: string;
  /** By the client: the preface, then frames. */
  readonly sent: readonly Buffer[];
  /** By the server: frames. */
  readonly received: readonly Buffer[];
}

interface CaptureFile {
  readonly name: string;
  readonly connections: readonly { readonly sent: string; readonly received: string }[];
}

const FOLDER = join(import.meta.dirname, 'testdata');

/** All that there are, in the same order each time. */
export function readCaptures(): Capture[] {
  return readdirSync(FOLDER)
    .sort()
    .flatMap((file) => {
      const { name, connections } = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as CaptureFile;
      return connections.map(({ sent, received }, index) => ({
        name: `${name} ${index + 1}`,
        sent: partsOf(Buffer.from(sent, 'base64'), PREFACE.length),
        received: partsOf(Buffer.from(received, 'base64'), 0),
      }));
    });
}

/** What comes first, and each frame. */
function partsOf(bytes: Buffer, firstBytes: number): Buffer[] {
  const parts = firstBytes === 0 ? [] : [bytes.subarray(0, firstBytes)];
  for (let at = firstBytes; at < bytes.length; ) {
    const end = at + FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
    parts.push(bytes.subarray(at, end));
    at = end;
  }
  return parts;
}
