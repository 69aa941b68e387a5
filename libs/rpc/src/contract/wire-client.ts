import { connect, type Socket } from 'node:net';
import { FrameReader, readUint32 } from '../native/frames.ts';
import { HpackDecoder } from '../native/hpack/decoder.ts';
import { FLAG, FRAME, PREFACE, SETTING } from '../native/protocol.ts';
import { frame } from './frame.ts';

/** How a stream ended, as its client sees it on the wire. */
export interface StreamOutcome {
  httpStatus: string | undefined;
  grpcStatus: string | undefined;
  grpcMessage: string;
  /** Whole gRPC messages. */
  messages: string[];
  /** Error code of the RST_STREAM that ended it; undefined = none did. */
  resetCode: number | undefined;
}

interface OpenStream extends StreamOutcome {
  data: Buffer[];
  isEnded: boolean;
}

const WINDOW_BYTES = 2 ** 30;

/** What a client says first: the preface, and windows that nothing here exceeds. */
export function greeting(): Buffer {
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(SETTING.INITIAL_WINDOW_SIZE);
  setting.writeUInt32BE(WINDOW_BYTES, 2);
  const increment = Buffer.alloc(4);
  increment.writeUInt32BE(WINDOW_BYTES);
  return Buffer.concat([PREFACE, frame(FRAME.SETTINGS, 0, 0, setting), frame(FRAME.WINDOW_UPDATE, 0, 0, increment)]);
}

/** A connection that sends any bytes, and reads what the server answers by streams. */
export class WireClient {
  readonly #socket: Socket;
  readonly #streams = new Map<number, OpenStream>();
  readonly #decoder = new HpackDecoder(4096, { bytesMax: 2 ** 20, countMax: 1_000 });
  /** Error code of the GOAWAY that has come. */
  goAwayCode: number | undefined;
  isClosed = false;
  #onChange = (): void => {};

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const reader = new FrameReader(
      { onFrame: (type, flags, id, bytes, start, end) => this.#onFrame(type, flags, id, bytes.subarray(start, end)) },
      16_384,
    );
    this.#socket.on('data', (chunk) => {
      reader.read(chunk);
      this.#onChange();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.isClosed = true;
      this.#onChange();
    });
  }

  /** Sends one piece; it leaves before the next one. */
  send(piece: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.write(piece, () => setImmediate(resolve)); // also when the connection is gone
    });
  }

  /** How the streams have ended, once all have, or the connection has. */
  async outcomes(streamIds: readonly number[]): Promise<StreamOutcome[]> {
    for (const id of streamIds) this.#stream(id);
    while (!this.isClosed && streamIds.some((id) => !this.#stream(id).isEnded)) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    return streamIds.map((id) => {
      const { data, isEnded: _, ...outcome } = this.#stream(id);
      return { ...outcome, messages: messagesIn(Buffer.concat(data)) };
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #stream(id: number): OpenStream {
    let stream = this.#streams.get(id);
    if (!stream) {
      stream = {
        httpStatus: undefined,
        grpcStatus: undefined,
        grpcMessage: '',
        messages: [],
        resetCode: undefined,
        data: [],
        isEnded: false,
      };
      this.#streams.set(id, stream);
    }
    return stream;
  }

  #onFrame(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === FRAME.GOAWAY) this.goAwayCode = readUint32(payload, 4);
    if (id === 0) return;
    const stream = this.#stream(id);
    if (type === FRAME.HEADERS) {
      for (const { name, value } of this.#decoder.decode(payload, 0, payload.length)) {
        if (name === ':status') stream.httpStatus = value;
        if (name === 'grpc-status') stream.grpcStatus = value;
        if (name === 'grpc-message') stream.grpcMessage = decodeURIComponent(value);
      }
    } else if (type === FRAME.DATA) {
      stream.data.push(payload);
    } else if (type === FRAME.RST_STREAM && !stream.isEnded) {
      stream.resetCode = readUint32(payload, 0);
      stream.isEnded = true;
    }
    if ((type === FRAME.HEADERS || type === FRAME.DATA) && flags & FLAG.END_STREAM) stream.isEnded = true;
  }
}

function messagesIn(data: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at + 5 <= data.length; ) {
    const end = at + 5 + data.readUInt32BE(at + 1);
    messages.push(data.toString('utf8', at + 5, end));
    at = end;
  }
  return messages;
}
