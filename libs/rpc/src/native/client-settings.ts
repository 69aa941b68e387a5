import { readUint32 } from './frames.ts';
import { ConnectionError, FRAME_BYTES_MAX, SETTING, WINDOW_BYTES_MAX, WINDOW_DEFAULT_BYTES } from './protocol.ts';

const SETTING_BYTES = 6;
const FRAME_BYTES_LIMIT = 2 ** 24 - 1;

/** What a server has told about itself (RFC 9113, 6.5.2), as far as a client minds. */
export class PeerSettings {
  headerTableBytesMax = 4096;
  concurrentStreamsMax = Number.POSITIVE_INFINITY;
  initialWindowBytes = WINDOW_DEFAULT_BYTES;

  /** Takes over the payload of a SETTINGS frame. @throws ConnectionError when a value is not allowed */
  read(bytes: Buffer, start: number, end: number): void {
    if ((end - start) % SETTING_BYTES !== 0) {
      throw new ConnectionError('FRAME_SIZE_ERROR', 'a SETTINGS frame holds part of a setting');
    }
    for (let at = start; at < end; at += SETTING_BYTES) {
      this.#set((bytes[at]! << 8) | bytes[at + 1]!, readUint32(bytes, at + 2));
    }
  }

  #set(setting: number, value: number): void {
    switch (setting) {
      case SETTING.HEADER_TABLE_SIZE:
        this.headerTableBytesMax = value;
        return;
      case SETTING.ENABLE_PUSH:
        if (value !== 0) throw new ConnectionError('PROTOCOL_ERROR', 'a server can not switch push on');
        return;
      case SETTING.MAX_CONCURRENT_STREAMS:
        this.concurrentStreamsMax = value;
        return;
      case SETTING.INITIAL_WINDOW_SIZE:
        if (value > WINDOW_BYTES_MAX) throw new ConnectionError('FLOW_CONTROL_ERROR', `a window of ${value} bytes`);
        this.initialWindowBytes = value;
        return;
      case SETTING.MAX_FRAME_SIZE:
        if (value < FRAME_BYTES_MAX || value > FRAME_BYTES_LIMIT) {
          throw new ConnectionError('PROTOCOL_ERROR', `frames of at most ${value} bytes`);
        }
    }
  }
}
