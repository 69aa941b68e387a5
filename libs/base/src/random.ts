import { randomFillSync } from 'node:crypto';

/** A source of random bytes. The engine gets one handed in, so that a simulation can replay it from a seed. */
export interface Random {
  /** A new buffer of `length` random bytes. */
  bytes(length: number): Uint8Array;
  /** A whole number, 0 ≤ n < `limit` ≤ 2^32. */
  below(limit: number): number;
}

/** The machine's cryptographic random source. */
export const systemRandom: Random = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  below: (limit) => Math.floor((randomFillSync(new Uint32Array(1))[0]! / 2 ** 32) * limit),
};

/** A random source that repeats itself for the same seed (xorshift128, not for secrets). */
export function seededRandom(seed: number): Random {
  // Each word is a mix of all bits of the seed, so that neighbouring seeds have nothing in common.
  let [x, y, z, w] = [mixed(seed), mixed(seed + 0x9e3779b9), mixed(seed + 0x3c6ef372), mixed(seed + 0xdaa66d2b) || 1];
  const next = (): number => {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = (w ^ (w >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    return w;
  };
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
    below: (limit) => Math.floor((next() / 2 ** 32) * limit),
  };
}

/** Finishing step of MurmurHash3. */
function mixed(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
