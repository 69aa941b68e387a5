/** No bytes, for all who have none yet: an empty Buffer of one's own takes 200 bytes. */
export const NOTHING: Buffer = Buffer.alloc(0);

/**
 * A copy in memory of its own, for what is kept: a small Buffer is a piece of a pool of 64 KiB, all of which stays for as long as one
 * of its pieces does.
 */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

/** The same bytes as a Buffer; nothing is copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
