/**
 * Hashes of keys, 64 bits in two halves (the rounds of murmur3 in two lanes of 32 bits). The seed comes from the shard's secret, so that
 * nobody outside can choose keys that collide.
 */
export class KeyHash {
  low = 0;
  high = 0;
  #seedLow = 0;
  #seedHigh = 0;

  /** @param secret of the shard; its first eight bytes are used */
  seed(secret: Uint8Array): void {
    if (secret.length < 8) return;
    this.#seedLow = wordAt(secret, 0);
    this.#seedHigh = wordAt(secret, 4);
  }

  /** Sets `low` and `high` for the bytes in [start, end) of a space of keys. */
  of(space: number, bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    let low = this.#seedLow ^ Math.imul(space, 0x9e3779b1);
    let high = this.#seedHigh ^ Math.imul(space, 0x85ebca77);
    const wordsEnd = start + (length & ~3);
    let at = start;
    for (; at < wordsEnd; at += 4) {
      const word = wordAt(bytes, at);
      low = round(low, word, 0xcc9e2d51, 0x1b873593);
      high = round(high, word, 0x239b961b, 0xab0e9789) ^ low;
    }
    let rest = 0;
    for (let shift = 0; at < end; at++, shift += 8) rest |= bytes[at]! << shift;
    low = round(low, rest, 0xcc9e2d51, 0x1b873593) ^ length;
    high = round(high, rest, 0x239b961b, 0xab0e9789) ^ low;
    this.low = mixed(low + high) >>> 0;
    this.high = mixed(high + this.low) >>> 0;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function round(state: number, word: number, first: number, second: number): number {
  let scrambled = Math.imul(word, first);
  scrambled = Math.imul((scrambled << 15) | (scrambled >>> 17), second);
  const turned = state ^ scrambled;
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0;
}

function mixed(hash: number): number {
  let bits = hash | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
