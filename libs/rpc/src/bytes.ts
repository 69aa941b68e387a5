/** No bytes, for all who have none yet: an empty Buffer of one's own takes 200 bytes. */
export const NOTHING: Buffer = Buffer.alloc(0);

/** The same bytes as a Buffer; nothing is copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
