import type { IncomingMessage } from './incoming-message.ts';
import { MESSAGE } from './system-properties.ts';
import { bytesFieldSize, writeBytesHeader } from './wire/wire-writer.ts';

const SEND_REQUEST_MESSAGES = 1;

/**
 * A `SendMessageRequest` of messages that have come in one, for another server: what only servers set is left out.
 *
 * ```
 *   SendMessageRequest { 1: Message { rest…, 3: SystemProperties { system… } }, … }
 * ```
 *
 * @returns bytes of its own
 */
export function encodePassedSendRequest(messages: readonly Pick<IncomingMessage, 'rest' | 'system'>[]): Buffer {
  const sizes = messages.map(({ rest, system }) => {
    return rest.length + bytesFieldSize(MESSAGE.systemProperties, system.length);
  });
  const totalSize = sizes.reduce((sum, size) => sum + bytesFieldSize(SEND_REQUEST_MESSAGES, size), 0);
  const request = Buffer.allocUnsafe(totalSize);
  let at = 0;
  for (const [index, { rest, system }] of messages.entries()) {
    at = writeBytesHeader(request, at, SEND_REQUEST_MESSAGES, sizes[index]!);
    request.set(rest, at);
    at = writeBytesHeader(request, at + rest.length, MESSAGE.systemProperties, system.length);
    request.set(system, at);
    at += system.length;
  }
  return request;
}
