import type { Duplex } from 'node:stream';
import { NOTHING } from './bytes.ts';
import { PREFACE } from './native/protocol.ts';

/** First byte of a TLS record that carries a handshake; no HTTP/2 preface begins so. */
const TLS_HANDSHAKE_BYTE = 0x16;
/** How a request of HTTP/1 begins, and what may become such a beginning. */
const HTTP1_REQUEST = /^[A-Z]{3,7} [/*]/;
const HTTP1_METHOD = /^[A-Z]{1,7} ?$/;
const HTTP1_BYTES = 9;

/** What a connection speaks, by its first bytes. */
export type Protocol = 'HTTP/2' | 'HTTP/1' | 'unknown';

/** Tells whether a connection begins with TLS. Its bytes stay in the stream. */
export function peekTls(stream: Duplex, show: (isTls: boolean) => void): void {
  peek(stream, (bytes) => bytes[0] === TLS_HANDSHAKE_BYTE, show);
}

/** Tells what a connection speaks, as soon as that is sure. Its bytes stay in the stream. */
export function peekProtocol(stream: Duplex, show: (protocol: Protocol) => void): void {
  peek(stream, protocolOf, show);
}

function protocolOf(bytes: Buffer): Protocol | undefined {
  const isPreface = PREFACE.subarray(0, bytes.length).equals(bytes.subarray(0, PREFACE.length));
  if (isPreface) return bytes.length < PREFACE.length ? undefined : 'HTTP/2';
  const text = bytes.toString('latin1', 0, HTTP1_BYTES);
  if (HTTP1_METHOD.test(text)) return undefined;
  return HTTP1_REQUEST.test(text) ? 'HTTP/1' : 'unknown';
}

/**
 * Looks at the first bytes of a stream, and at more as long as these tell nothing. A peer that goes before that is never
 * shown; 'close' tells of it.
 */
function peek<Found>(stream: Duplex, find: (bytes: Buffer) => Found | undefined, show: (found: Found) => void): void {
  let held = NOTHING;
  const onReadable = (): void => {
    const bytes: Buffer | null = stream.read();
    if (bytes === null) return;
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    const found = find(held);
    if (found === undefined) return;
    stream.off('readable', onReadable);
    stream.off('end', onEnd);
    stream.unshift(held);
    show(found);
  };
  // Half a preface and a FIN: nobody reads on, so nothing else would end this side.
  const onEnd = (): void => {
    stream.destroy();
  };
  stream.on('readable', onReadable);
  stream.on('end', onEnd);
}
