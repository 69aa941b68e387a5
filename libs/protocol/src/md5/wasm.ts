/*
 * As much of WebAssembly's binary format as one module with a memory and a function of vectors needs. An instruction is an array of bytes;
 * code is instructions in a row, which work on a stack.
 */

/** Instructions without operands in the code, or with such as never change. Vectors are four lanes of 32 bits. */
export const OP = {
  loop: [0x03, 0x40],
  end: [0x0b],
  /** Back to the begin of the innermost loop when the number on the stack is not 0. */
  againIf: [0x0d, 0x00],
  add: [0x6a],
  splat: [0xfd, 0x11],
  isGreater: [0xfd, 0x3b],
  not: [0xfd, 0x4d],
  and: [0xfd, 0x4e],
  or: [0xfd, 0x50],
  xor: [0xfd, 0x51],
  /** Bits of the first where the third has ones, else of the second. */
  select: [0xfd, 0x52],
  shiftLeft: [0xfd, 0xab, 0x01],
  shiftRight: [0xfd, 0xad, 0x01],
  addLanes: [0xfd, 0xae, 0x01],
} as const;

const TYPE = { number: 0x7f, vector: 0x7b, func: 0x60 } as const;
/** Binary logarithm of the alignment of vectors. */
const ALIGNMENT = 4;
const PAGE_BYTES = 65_536;

export function getLocal(index: number): number[] {
  return [0x20, ...unsigned(index)];
}

export function setLocal(index: number): number[] {
  return [0x21, ...unsigned(index)];
}

/** Sets a local and leaves the value on the stack. */
export function teeLocal(index: number): number[] {
  return [0x22, ...unsigned(index)];
}

/** A number of 32 bits. */
export function number(value: number): number[] {
  return [0x41, ...signed(value)];
}

/** A vector that has the same number in each lane. */
export function vector(value: number): number[] {
  const lane = [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  return [0xfd, 0x0c, ...lane, ...lane, ...lane, ...lane];
}

/** Loads a vector from `offset` behind the address on the stack. */
export function load(offset: number): number[] {
  return [0xfd, 0x00, ALIGNMENT, ...unsigned(offset)];
}

/** Stores the vector on the stack at `offset` behind the address below it. */
export function store(offset: number): number[] {
  return [0xfd, 0x0b, ALIGNMENT, ...unsigned(offset)];
}

/** Makes a vector of four lanes of the two on the stack: those of the first are 0…3, of the second 4…7. */
export function pick(lanes: readonly number[]): number[] {
  return [0xfd, 0x0d, ...lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3])];
}

/**
 * A module that exports its memory as `memory`, and as `run` a function of a number, which is its local 0.
 * @param locals how many more numbers, and behind them vectors, it has
 */
export function moduleOf(
  memoryBytes: number,
  locals: { readonly numbers: number; readonly vectors: number },
  code: readonly number[],
): Uint8Array {
  const declared = list([
    [...unsigned(locals.numbers), TYPE.number],
    [...unsigned(locals.vectors), TYPE.vector],
  ]);
  const body = [...declared, ...code, ...OP.end];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, list([[TYPE.func, ...list([[TYPE.number]]), ...list([])]])),
    ...section(3, list([[0]])),
    ...section(5, list([[0, ...unsigned(Math.ceil(memoryBytes / PAGE_BYTES))]])),
    ...section(
      7,
      list([
        [...text('run'), 0, 0],
        [...text('memory'), 2, 0],
      ]),
    ),
    ...section(10, list([[...unsigned(body.length), ...body]])),
  ]);
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function list(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(name: string): number[] {
  return list([...Buffer.from(name)].map((byte) => [byte]));
}

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return [...bytes, left];
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let left = value | 0;
  for (; left < -0x40 || left > 0x3f; left >>= 7) bytes.push((left & 0x7f) | 0x80);
  return [...bytes, left & 0x7f];
}
