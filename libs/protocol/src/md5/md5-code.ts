import { getLocal, load, moduleOf, number, OP, pick, setLocal, store, teeLocal, vector } from './wasm.ts';

/*
 * MD5 (RFC 1321) of eight texts at once, in two groups of four lanes: each step waits for the one before, and two groups give
 * the processor something to do meanwhile.
 *
 * Memory:
 *   0      for each group a, b, c, d of its four lanes
 *   128    for each lane how many blocks its text has, 32 bits
 *   256    for each lane room for its text, padded
 */
const GROUP_COUNT = 2;
const GROUP_LANES = 4;
const VECTOR_BYTES = 16;
const STATE_WORDS = 4;
const BLOCK_WORDS = 16;
const STEPS = 64;

export const BLOCK_BYTES = 64;
/** Texts that are worked on together. */
export const LANE_COUNT = GROUP_COUNT * GROUP_LANES;
/** A longer text has no room. */
export const TEXT_BYTES_MAX = 16 * 1024;
/** Where the numbers of blocks are. */
export const COUNTS_AT = GROUP_COUNT * STATE_WORDS * VECTOR_BYTES;
/** What a, b, c and d are at first. */
export const STATE_FIRST = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;

const TEXTS_AT = 256;
/** A block more for the padding; an odd number of blocks, so that the lanes do not fight for the same places of a cache. */
const LANE_BYTES = TEXT_BYTES_MAX + BLOCK_BYTES;

/** Bits by which the steps of each round turn. */
const TURNS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;

/** Where the word of the state is in which a lane has a, b, c or d (0…3). */
export function stateAt(lane: number, word: number): number {
  const group = Math.floor(lane / GROUP_LANES);
  return (group * STATE_WORDS + word) * VECTOR_BYTES + (lane % GROUP_LANES) * 4;
}

/** Where the text of a lane begins. */
export function textAt(lane: number): number {
  return TEXTS_AT + lane * LANE_BYTES;
}

// Locals: the number of blocks to go (the function's parameter), of those done, where the current ones are, then vectors.
const LEFT = 0;
const DONE = 1;
const AT = 2;
const FIRST_VECTOR = 3;
const GROUP_VECTORS = 2 * STATE_WORDS + BLOCK_WORDS;
const SCRATCH = FIRST_VECTOR + GROUP_COUNT * GROUP_VECTORS;
const SCRATCH_COUNT = 8;

const stateOf = (group: number, word: number): number => FIRST_VECTOR + group * GROUP_VECTORS + word;
const workOf = (group: number, word: number): number => stateOf(group, STATE_WORDS + word);
const wordOf = (group: number, word: number): number => stateOf(group, 2 * STATE_WORDS + word);

/** The module: `run(n)` takes in the first n blocks of all lanes, of each only as many as it has. */
export function md5Module(): Uint8Array {
  const groups = Array.from({ length: GROUP_COUNT }, (_, group) => group);
  const steps = Array.from({ length: STEPS }, (_, step) => step);
  const code = [
    ...groups.flatMap(loadState),
    ...OP.loop,
    ...groups.flatMap(loadBlock),
    ...steps.flatMap((step) => groups.flatMap((group) => stepOf(group, step))),
    ...groups.flatMap(addWork),
    ...[...getLocal(DONE), ...number(1), ...OP.add, ...setLocal(DONE)],
    ...[...getLocal(AT), ...number(BLOCK_BYTES), ...OP.add, ...setLocal(AT)],
    ...[...getLocal(LEFT), ...number(-1), ...OP.add, ...teeLocal(LEFT)],
    ...OP.againIf,
    ...OP.end,
    ...groups.flatMap(storeState),
  ];
  const vectors = GROUP_COUNT * GROUP_VECTORS + SCRATCH_COUNT;
  return moduleOf(textAt(LANE_COUNT), { numbers: 2, vectors }, code);
}

function loadState(group: number): number[] {
  return words(STATE_WORDS).flatMap((word) => [
    ...number(0),
    ...load(stateAt(group * GROUP_LANES, word)),
    ...setLocal(stateOf(group, word)),
  ]);
}

function storeState(group: number): number[] {
  return words(STATE_WORDS).flatMap((word) => [
    ...number(0),
    ...getLocal(stateOf(group, word)),
    ...store(stateAt(group * GROUP_LANES, word)),
  ]);
}

/** Loads a block of each lane, so that a vector has the same word of all; the work begins with the state. */
function loadBlock(group: number): number[] {
  const code: number[] = [];
  for (let first = 0; first < BLOCK_WORDS; first += 4) {
    for (let lane = 0; lane < GROUP_LANES; lane++) {
      const from = textAt(group * GROUP_LANES + lane) + first * 4;
      code.push(...getLocal(AT), ...load(from), ...setLocal(SCRATCH + lane));
    }
    code.push(...mixed(0, 1, [0, 4, 1, 5], SCRATCH + 4), ...mixed(2, 3, [0, 4, 1, 5], SCRATCH + 5));
    code.push(...mixed(0, 1, [2, 6, 3, 7], SCRATCH + 6), ...mixed(2, 3, [2, 6, 3, 7], SCRATCH + 7));
    code.push(
      ...mixed(4, 5, [0, 1, 4, 5], wordOf(group, first)),
      ...mixed(4, 5, [2, 3, 6, 7], wordOf(group, first + 1)),
    );
    code.push(...mixed(6, 7, [0, 1, 4, 5], wordOf(group, first + 2)));
    code.push(...mixed(6, 7, [2, 3, 6, 7], wordOf(group, first + 3)));
  }
  for (const word of words(STATE_WORDS)) code.push(...getLocal(stateOf(group, word)), ...setLocal(workOf(group, word)));
  return code;
}

function mixed(one: number, other: number, lanes: readonly number[], target: number): number[] {
  return [...getLocal(SCRATCH + one), ...getLocal(SCRATCH + other), ...pick(lanes), ...setLocal(target)];
}

/** a = b + ((a + F(b, c, d) + word + constant) turned left); what is called a goes on with each step. */
function stepOf(group: number, step: number): number[] {
  const round = step >> 4;
  const [a, b, c, d] = words(STATE_WORDS).map((word) => workOf(group, (word - step) & 3)) as [
    number,
    number,
    number,
    number,
  ];
  const word = [step, 5 * step + 1, 3 * step + 5, 7 * step][round]! % BLOCK_WORDS;
  const turn = TURNS[round]![step & 3]!;
  return [
    ...[...getLocal(a), ...getLocal(wordOf(group, word)), ...vector(constantOf(step)), ...OP.addLanes, ...OP.addLanes],
    ...[...mixingOf(round, getLocal(b), getLocal(c), getLocal(d)), ...OP.addLanes, ...teeLocal(a)],
    ...[...number(turn), ...OP.shiftLeft, ...getLocal(a), ...number(32 - turn), ...OP.shiftRight, ...OP.or],
    ...[...getLocal(b), ...OP.addLanes, ...setLocal(a)],
  ];
}

/** The function of a round: F, G, H or I of the RFC. */
function mixingOf(round: number, b: readonly number[], c: readonly number[], d: readonly number[]): number[] {
  switch (round) {
    case 0:
      return [...d, ...c, ...d, ...OP.xor, ...b, ...OP.and, ...OP.xor];
    case 1:
      return [...c, ...b, ...c, ...OP.xor, ...d, ...OP.and, ...OP.xor];
    case 2:
      return [...b, ...c, ...d, ...OP.xor, ...OP.xor];
    default:
      return [...c, ...b, ...d, ...OP.not, ...OP.or, ...OP.xor];
  }
}

/** The sum is the new state of the lanes that have this block; others stay as they are. */
function addWork(group: number): number[] {
  const hasBlock = [
    ...[...number(0), ...load(COUNTS_AT + group * VECTOR_BYTES), ...getLocal(DONE), ...OP.splat, ...OP.isGreater],
    ...setLocal(SCRATCH),
  ];
  const sums = words(STATE_WORDS).flatMap((word) => [
    ...[...getLocal(stateOf(group, word)), ...getLocal(workOf(group, word)), ...OP.addLanes],
    ...[...getLocal(stateOf(group, word)), ...getLocal(SCRATCH), ...OP.select, ...setLocal(stateOf(group, word))],
  ]);
  return [...hasBlock, ...sums];
}

function words(count: number): number[] {
  return Array.from({ length: count }, (_, word) => word);
}

/** The whole part of 2^32 · |sin(step + 1)|. */
function constantOf(step: number): number {
  return Math.floor(2 ** 32 * Math.abs(Math.sin(step + 1)));
}
