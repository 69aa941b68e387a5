import type { RpcStatus } from '../service.ts';
import { statusMessage, statusNumber } from '../status.ts';
import { OK_TRAILERS } from './connection-writer.ts';
import type { SentField } from './hpack/encoder.ts';

/** The trailers that carry a status. @param message '' = none */
export function trailersOf(status: RpcStatus, message: string): readonly SentField[] {
  if (status === 'OK') return OK_TRAILERS;
  const trailers = [{ name: 'grpc-status', value: `${statusNumber(status)}` }];
  if (message !== '') trailers.push({ name: 'grpc-message', value: percentEncoded(statusMessage(message)) });
  return trailers;
}

/** Bytes of a `grpc-message` that are sent as they are: printable ASCII but the percent sign. */
const isPlain = (byte: number): boolean => byte >= 0x20 && byte <= 0x7e && byte !== 0x25;

/** A text in the encoding of `grpc-message`: UTF-8, with other bytes than printable ASCII as %XX. */
export function percentEncoded(text: string): string {
  const parts: string[] = [];
  for (const byte of Buffer.from(text)) {
    parts.push(isPlain(byte) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`);
  }
  return parts.join('');
}
