/** Code length of each byte and of the end-of-string symbol, in bits (RFC 7541, appendix B). The codes follow from it. */
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const END_OF_STRING = 256;
const CODE_BITS_MIN = 5;
const CODE_BITS_MAX = 30;

/**
 * A state is an inner node of the code's tree; what a half byte leads to is one number:
 * state (bits 0–8), emitted byte (bits 9–16), whether a byte is emitted (17), whether the code is invalid (18).
 */
const STATES = 256;
const STATE_MASK = 0x1ff;
const SYMBOL_SHIFT = 9;
const EMITS = 1 << 17;
const FAILS = 1 << 18;

interface Tree {
  /** Children of node n at 2n and 2n+1: a node, or the complement of a symbol. */
  readonly children: Int16Array;
}

/** The code is canonical: within a length in the order of symbols, shorter ones first. */
function buildTree(): Tree {
  const children = new Int16Array(2 * STATES);
  let nodeCount = 1;
  let code = 0;
  for (let bits = CODE_BITS_MIN; bits <= CODE_BITS_MAX; bits++) {
    for (let symbol = 0; symbol <= END_OF_STRING; symbol++) {
      if (CODE_BITS[symbol] !== bits) continue;
      let node = 0;
      for (let bit = bits - 1; bit > 0; bit--) {
        const child = 2 * node + ((code >>> bit) & 1);
        if (children[child] === 0) children[child] = nodeCount++;
        node = children[child]!;
      }
      children[2 * node + (code & 1)] = ~symbol;
      code++;
    }
    code <<= 1;
  }
  return { children };
}

function buildTransitions({ children }: Tree): Int32Array {
  const transitions = new Int32Array(STATES * 16);
  for (let state = 0; state < STATES; state++) {
    for (let half = 0; half < 16; half++) {
      let node = state;
      let outcome = 0;
      for (let bit = 3; bit >= 0; bit--) {
        const next = children[2 * node + ((half >>> bit) & 1)]!;
        node = Math.max(next, 0);
        if (next >= 0) continue;
        outcome |= ~next === END_OF_STRING ? FAILS : EMITS | (~next << SYMBOL_SHIFT);
      }
      transitions[state * 16 + half] = outcome | node;
    }
  }
  return transitions;
}

/** A text may end in these states: at a code's end, or within less than a byte of ones, which is padding. */
function buildEnds({ children }: Tree): Uint8Array {
  const ends = new Uint8Array(STATES);
  for (let node = 0, ones = 0; ones < 8; ones++) {
    ends[node] = 1;
    node = children[2 * node + 1]!;
  }
  return ends;
}

const TREE = buildTree();
const TRANSITIONS = buildTransitions(TREE);
const IS_END = buildEnds(TREE);

/** The shortest code has five bits. */
let decoded = Buffer.allocUnsafeSlow(4096);

/**
 * Decodes a Huffman-coded text (RFC 7541, 5.2), one character a byte.
 * @returns undefined when it is not a valid code, or is not padded as it must be
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string | undefined {
  const lengthMax = Math.floor(((end - start) * 8) / CODE_BITS_MIN);
  if (decoded.length < lengthMax) decoded = Buffer.allocUnsafeSlow(2 * lengthMax);
  let state = 0;
  let length = 0;
  let seen = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    const first = TRANSITIONS[state * 16 + (byte >>> 4)]!;
    if (first & EMITS) decoded[length++] = first >>> SYMBOL_SHIFT;
    const second = TRANSITIONS[(first & STATE_MASK) * 16 + (byte & 15)]!;
    if (second & EMITS) decoded[length++] = second >>> SYMBOL_SHIFT;
    state = second & STATE_MASK;
    seen |= first | second;
  }
  if (seen & FAILS || IS_END[state] === 0) return undefined;
  return decoded.toString('latin1', 0, length);
}
