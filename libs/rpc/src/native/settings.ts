import { readUint32 } from './frames.ts';
import { ConnectionError, FLAG, FRAME, FRAME_BYTES_MAX, SETTING, StreamError, WINDOW_BYTES_MAX } from './protocol.ts';

const SETTING_BYTES = 6;
const SETTINGS_COUNT_MAX = 32;
const FRAME_BYTES_SETTING_MAX = 2 ** 24 - 1;

/** What a peer may set that matters to the one who sends to it. */
export interface PeerSettings {
  peerWindowBytes: number;
  peerTableBytes: number;
}

/** @throws ConnectionError when a setting has a value it must not have (RFC 9113, 6.5.2) */
export function applySettings(settings: PeerSettings, bytes: Buffer, start: number, end: number): void {
  if (end - start > SETTING_BYTES * SETTINGS_COUNT_MAX) {
    throw new ConnectionError('ENHANCE_YOUR_CALM', 'too many settings at once');
  }
  for (let at = start; at < end; at += SETTING_BYTES) {
    const setting = (bytes[at]! << 8) | bytes[at + 1]!;
    const value = readUint32(bytes, at + 2);
    if (setting === SETTING.HEADER_TABLE_SIZE) {
      settings.peerTableBytes = value;
    } else if (setting === SETTING.INITIAL_WINDOW_SIZE) {
      if (value > WINDOW_BYTES_MAX) throw new ConnectionError('FLOW_CONTROL_ERROR', 'the initial window is too large');
      settings.peerWindowBytes = value;
    } else if (setting === SETTING.ENABLE_PUSH && value > 1) {
      throw new ConnectionError('PROTOCOL_ERROR', 'ENABLE_PUSH is 0 or 1');
    } else if (setting === SETTING.MAX_FRAME_SIZE && (value < FRAME_BYTES_MAX || value > FRAME_BYTES_SETTING_MAX)) {
      throw new ConnectionError('PROTOCOL_ERROR', 'MAX_FRAME_SIZE is from 2^14 to 2^24-1');
    }
  }
}

/** On which streams frames of a type may come: 0 only, others only. */
const ON_CONNECTION = new Set<number>([FRAME.SETTINGS, FRAME.PING, FRAME.GOAWAY]);
const ON_STREAM = new Set<number>([FRAME.DATA, FRAME.HEADERS, FRAME.PRIORITY, FRAME.RST_STREAM, FRAME.CONTINUATION]);

/**
 * Checks what can be said about a frame without its payload.
 * @throws ConnectionError
 * @throws StreamError for a PRIORITY frame of the wrong size
 */
export function checkFrame(type: number, flags: number, streamId: number, payloadBytes: number): void {
  if (streamId === 0 ? ON_STREAM.has(type) : ON_CONNECTION.has(type)) {
    throw new ConnectionError('PROTOCOL_ERROR', `a frame of type ${type} must not come on stream ${streamId}`);
  }
  switch (type) {
    case FRAME.SETTINGS:
      require(flags & FLAG.ACK ? payloadBytes === 0 : payloadBytes % SETTING_BYTES === 0, type, payloadBytes);
      return;
    case FRAME.PING:
      require(payloadBytes === 8, type, payloadBytes);
      return;
    case FRAME.GOAWAY:
      require(payloadBytes >= 8, type, payloadBytes);
      return;
    case FRAME.RST_STREAM:
    case FRAME.WINDOW_UPDATE:
      require(payloadBytes === 4, type, payloadBytes);
      return;
    case FRAME.PRIORITY:
      if (payloadBytes !== 5) throw new StreamError(streamId, 'FRAME_SIZE_ERROR', 'PRIORITY has five bytes');
      return;
    case FRAME.PUSH_PROMISE:
      throw new ConnectionError('PROTOCOL_ERROR', 'only servers push');
  }
}

function require(holds: boolean, type: number, payloadBytes: number): void {
  if (holds) return;
  throw new ConnectionError('FRAME_SIZE_ERROR', `a frame of type ${type} must not have ${payloadBytes} bytes`);
}
