import fc from 'fast-check';
import { FRAME, FRAME_HEADER_BYTES } from './protocol.ts';

/** Something that goes wrong on the way. The numbers say where and how much, by what is left of a division. */
interface Mutation {
  readonly kind: keyof typeof KINDS;
  readonly at: number;
  readonly to: number;
  readonly value: number;
}

/** A mutated stream of bytes, and the pieces in which it is sent. */
export interface Mutated {
  readonly mutations: readonly Mutation[];
  /** Sizes, by turns. */
  readonly pieces: readonly number[];
}

type Parts = Buffer[];

/** Changes a list of frames; `other` is a second one to take from. */
const KINDS = {
  'flip bits': (parts: Parts, { at, to, value }: Mutation) => {
    change(parts, at, (part) => {
      part[to % part.length]! ^= 1 + (value % 255);
    });
  },
  cut: (parts: Parts, { at, to, value }: Mutation) => {
    const index = at % parts.length;
    const part = parts[index]!;
    const start = to % part.length;
    parts[index] = Buffer.concat([part.subarray(0, start), part.subarray(start + 1 + (value % 20))]);
  },
  insert: (parts: Parts, { at, to, value }: Mutation) => {
    const index = at % parts.length;
    const part = parts[index]!;
    const start = to % (part.length + 1);
    parts[index] = Buffer.concat([part.subarray(0, start), bytesOf(value), part.subarray(start)]);
  },
  'end early': (parts: Parts, { at, to }: Mutation) => {
    const index = at % parts.length;
    const part = parts[index]!;
    parts.splice(index, parts.length, part.subarray(0, to % (part.length + 1)));
  },
  drop: (parts: Parts, { at }: Mutation) => {
    if (parts.length > 1) parts.splice(at % parts.length, 1);
  },
  repeat: (parts: Parts, { at, to, value }: Mutation) => {
    const part = parts[at % parts.length]!;
    parts.splice(to % parts.length, 0, ...Array.from({ length: 1 + (value % 3) }, () => part));
  },
  swap: (parts: Parts, { at, to }: Mutation) => {
    const [one, other] = [at % parts.length, to % parts.length];
    [parts[one], parts[other]] = [parts[other]!, parts[one]!];
  },
  'length of a frame': (parts: Parts, { at, to, value }: Mutation) => {
    changeHead(parts, at, (part) => {
      const length = part.readUIntBE(0, 3);
      part.writeUIntBE(to % 2 === 0 ? value & 0xffffff : Math.max(0, length + (value % 9) - 4), 0, 3);
    });
  },
  'type of a frame': (parts: Parts, { at, value }: Mutation) => {
    changeHead(parts, at, (part) => {
      part[3] = value % 11;
    });
  },
  'flags of a frame': (parts: Parts, { at, value }: Mutation) => {
    changeHead(parts, at, (part) => {
      part[4] = value & 0xff;
    });
  },
  'stream of a frame': (parts: Parts, { at, to, value }: Mutation) => {
    changeHead(parts, at, (part) => {
      part.writeUInt32BE(to % 4 === 0 ? value : value % 30, 5);
    });
  },
  'length of a message': (parts: Parts, { at, to, value }: Mutation) => {
    const messages = parts.flatMap((part, index) => (isMessage(part) ? [index] : []));
    if (messages.length === 0) return;
    change(parts, messages[at % messages.length]!, (part) => {
      const place = FRAME_HEADER_BYTES + 1;
      part.writeUInt32BE(to % 2 === 0 ? value : (part.readUInt32BE(place) + (value % 9)) >>> 0, place);
    });
  },
  'compression of a message': (parts: Parts, { at, value }: Mutation) => {
    const messages = parts.flatMap((part, index) => (isMessage(part) ? [index] : []));
    if (messages.length === 0) return;
    change(parts, messages[at % messages.length]!, (part) => {
      part[FRAME_HEADER_BYTES] = 1 + (value % 2);
    });
  },
  splice: (parts: Parts, { at, to }: Mutation, other: readonly Buffer[]) => {
    parts.splice(at % parts.length, parts.length, ...other.slice(to % other.length));
  },
} as const;

const number = fc.nat(0xffff_ffff);

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom(...(Object.keys(KINDS) as Mutation['kind'][])),
  at: number,
  to: number,
  value: number,
});

/** One to five mutations, and any pieces. */
export const mutatedArbitrary: fc.Arbitrary<Mutated> = fc.record({
  mutations: fc.array(mutation, { minLength: 1, maxLength: 5 }),
  pieces: fc.oneof(
    fc.constant([1_000_000]),
    fc.array(fc.constantFrom(1, 3, 8, 9, 10, 24, 100, 1_000, 10_000), { minLength: 1, maxLength: 6 }),
  ),
});

/** The bytes of a capture after its mutations. @param other what is spliced into it */
export function mutatedBytes(
  capture: readonly Buffer[],
  other: readonly Buffer[],
  mutations: readonly Mutation[],
): Buffer {
  const parts = [...capture];
  for (const each of mutations) {
    KINDS[each.kind](parts, each, other);
    if (parts.length === 0) break;
  }
  return Buffer.concat(parts);
}

/** Frames are shared by all captures: only a copy is changed. */
function change(parts: Parts, at: number, edit: (part: Buffer) => void): void {
  const index = at % parts.length;
  const copy = Buffer.from(parts[index]!);
  if (copy.length > 0) edit(copy);
  parts[index] = copy;
}

function changeHead(parts: Parts, at: number, edit: (part: Buffer) => void): void {
  change(parts, at, (part) => {
    if (part.length >= FRAME_HEADER_BYTES) edit(part);
  });
}

function isMessage(part: Buffer): boolean {
  return part.length >= FRAME_HEADER_BYTES + 5 && part[3] === FRAME.DATA;
}

function bytesOf(value: number): Buffer {
  const bytes = Buffer.alloc(1 + (value % 16), value & 0xff);
  bytes[0] = value >>> 24;
  return bytes;
}
