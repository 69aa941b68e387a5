import { writeFrameHead } from '../native/frames.ts';
import { FRAME_HEADER_BYTES } from '../native/protocol.ts';

/** A frame as bytes. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
  bytes.set(payload, writeFrameHead(bytes, 0, payload.length, type, flags, streamId));
  return bytes;
}
