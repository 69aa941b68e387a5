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
  let [x, y, z, w] = [seed >>> 0 || 1, 0x9e3779b9, 0x243f6a88, 0xb7e15162];
  const next = (): number => {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = (w ^ (w >>> 19) ^ t ^ (t >>> 8)) >>> 0;
    return w;
  };
  for (let warmUp = 0; warmUp < 16; warmUp++) next();
  return {
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
    below: (limit) => Math.floor((next() / 2 ** 32) * limit),
  };
}
