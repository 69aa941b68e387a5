import { connect, type Socket } from 'node:net';
import { type HeaderList, HpackEncoder } from './hpack.ts';
import { FLAG, FRAME, FRAME_HEADER_BYTES, frame, greeting } from './http2-frames.ts';

const STREAM_ID = 1;
/** Connections that are made at a time. */
const CONNECTING_MAX = 64;
/** One address has not ports enough for all, and servers bound what comes from one. */
const ADDRESS_COUNT = 8;

/** Connections that say as much as HTTP/2 asks for, maybe make a call, and are silent from then on. */
export class IdleConnections {
  readonly #port: number;
  readonly #sockets: Socket[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  /** Opens so many more. Settles when the server has answered each. @throws Error when one is refused */
  async open(count: number): Promise<void> {
    let left = count;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await this.#openOne();
    };
    await Promise.all(Array.from({ length: CONNECTING_MAX }, worker));
  }

  /** Makes one call on each, and waits until it has ended. The first of a connection only. */
  async call(headers: HeaderList): Promise<void> {
    // Each connection's table is empty yet, so that the same bytes do for all.
    const block = new HpackEncoder().encode(headers);
    const call = frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, STREAM_ID, block);
    for (const socket of this.#sockets) {
      socket.write(call);
      await answered(socket, (bytes) => endsStream(bytes));
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #openOne(): Promise<void> {
    const localAddress = `127.0.0.${2 + (this.#sockets.length % ADDRESS_COUNT)}`;
    const socket = connect({ port: this.#port, host: '127.0.0.1', localAddress, noDelay: true });
    this.#sockets.push(socket);
    socket.write(greeting());
    await answered(socket, (bytes) => bytes.length >= FRAME_HEADER_BYTES);
    socket.write(frame(FRAME.SETTINGS, FLAG.ACK, 0));
  }
}

/** Waits until enough has come of a socket; what comes later is not looked at. */
function answered(socket: Socket, isEnough: (bytes: Buffer) => boolean): Promise<void> {
  let received: Buffer = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(new Error('the server has closed a connection'));
    const onData = (bytes: Buffer): void => {
      received = Buffer.concat([received, bytes]);
      if (!isEnough(received)) return;
      socket.off('close', onClose);
      socket.off('error', reject);
      socket.off('data', onData);
      socket.resume();
      resolve();
    };
    socket.once('close', onClose);
    socket.once('error', reject);
    socket.on('data', onData);
  });
}

/** Whether a frame among these ends the stream of the call. */
function endsStream(bytes: Buffer): boolean {
  for (let at = 0; bytes.length - at >= FRAME_HEADER_BYTES; ) {
    if (bytes.readUInt32BE(at + 5) === STREAM_ID && (bytes[at + 4]! & FLAG.END_STREAM) !== 0) return true;
    at += FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
  }
  return false;
}
