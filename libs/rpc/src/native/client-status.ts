import { RpcError, type RpcStatus, UnreachableError } from '../service.ts';
import { statusName } from '../status.ts';
import type { HeaderField } from './hpack/header-field.ts';
import { ERROR_CODE } from './protocol.ts';

/** gRPC statuses of HTTP statuses, for answers that are no gRPC (http-grpc-status-mapping.md). */
const STATUS_OF_HTTP: ReadonlyMap<string, RpcStatus> = new Map([
  ['400', 'INTERNAL'],
  ['401', 'UNAUTHENTICATED'],
  ['403', 'PERMISSION_DENIED'],
  ['404', 'UNIMPLEMENTED'],
  ['429', 'UNAVAILABLE'],
  ['502', 'UNAVAILABLE'],
  ['503', 'UNAVAILABLE'],
  ['504', 'UNAVAILABLE'],
]);

/** gRPC statuses of HTTP/2 error codes (PROTOCOL-HTTP2.md); what is not here is INTERNAL. */
const STATUS_OF_RESET: ReadonlyMap<number, RpcStatus> = new Map([
  [ERROR_CODE.CANCEL, 'CANCELLED'],
  [ERROR_CODE.ENHANCE_YOUR_CALM, 'RESOURCE_EXHAUSTED'],
  [ERROR_CODE.INADEQUATE_SECURITY, 'PERMISSION_DENIED'],
]);

/** First value of a field; undefined when there is none. */
export function fieldValue(fields: readonly HeaderField[], name: string): string | undefined {
  for (const field of fields) if (field.name === name) return field.value;
  return undefined;
}

/** How a call ended by these trailers; undefined = well. */
export function errorOfTrailers(fields: readonly HeaderField[]): RpcError | undefined {
  const status = fieldValue(fields, 'grpc-status');
  if (status === '0') return undefined;
  if (status === undefined) return new RpcError('UNKNOWN', 'the server has ended the call without a status');
  const name = /^\d{1,3}$/.test(status) ? statusName(Number(status)) : 'UNKNOWN';
  return new RpcError(name === 'OK' ? 'UNKNOWN' : name, messageOf(fieldValue(fields, 'grpc-message') ?? ''));
}

/** What is wrong with the headers of an answer; undefined = nothing, it is gRPC. */
export function errorOfHeaders(fields: readonly HeaderField[]): RpcError | undefined {
  const httpStatus = fieldValue(fields, ':status') ?? '';
  if (httpStatus !== '200') {
    const status = STATUS_OF_HTTP.get(httpStatus) ?? 'UNKNOWN';
    return new RpcError(status, `the server has answered with the HTTP status ${JSON.stringify(httpStatus)}`);
  }
  const contentType = fieldValue(fields, 'content-type');
  if (contentType?.startsWith('application/grpc')) return undefined;
  return new RpcError('UNKNOWN', 'the answer of the server is no gRPC: its content-type is another one');
}

/** The error of a call whose stream the server has reset. A refused one has not been looked at. */
export function errorOfReset(code: number): RpcError {
  if (code === ERROR_CODE.REFUSED_STREAM) return new UnreachableError('the server has refused to take the call');
  return new RpcError(STATUS_OF_RESET.get(code) ?? 'INTERNAL', `the server has reset the call with code ${code}`);
}

/** The text of a grpc-message: UTF-8, percent-encoded. What is not properly encoded is left as it is. */
export function messageOf(encoded: string): string {
  const bytes = Buffer.from(encoded, 'latin1');
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const hex = bytes[at] === PERCENT ? encoded.slice(at + 1, at + 3) : '';
    if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
      bytes[length++] = Number.parseInt(hex, 16);
      at += 2;
    } else {
      bytes[length++] = bytes[at]!;
    }
  }
  return bytes.toString('utf8', 0, length);
}

const PERCENT = 0x25;
