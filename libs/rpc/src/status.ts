import { type CodeName, MqError } from '@orbitmq/base';
import { RpcError, type RpcStatus } from './service.ts';

const NAMES: readonly RpcStatus[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

const NUMBERS: ReadonlyMap<RpcStatus, number> = new Map(NAMES.map((name, number) => [name, number]));

/** The codes whose status does not follow from their first three digits. */
const STATUS_OF_CODE: ReadonlyMap<CodeName, RpcStatus> = new Map([
  ['TOO_MANY_REQUESTS', 'RESOURCE_EXHAUSTED'],
  ['HA_NOT_AVAILABLE', 'UNAVAILABLE'],
  ['UNSUPPORTED', 'UNIMPLEMENTED'],
]);

const STATUS_OF_CLASS: ReadonlyMap<number, RpcStatus> = new Map([
  [401, 'UNAUTHENTICATED'],
  [403, 'PERMISSION_DENIED'],
  [404, 'NOT_FOUND'],
  [500, 'INTERNAL'],
  [501, 'UNIMPLEMENTED'],
  [504, 'DEADLINE_EXCEEDED'],
]);

/** Longest `grpc-message`, in UTF-16 units: trailers must stay far below the header limits of clients. */
const MESSAGE_LENGTH_MAX = 1024;

const UNREADABLE =
  'the request is not a readable protobuf message of its type; check that client and server use the same API';

/** Number of a status on the wire. */
export function statusNumber(status: RpcStatus): number {
  return NUMBERS.get(status)!;
}

/** Name of a status number; what is not in the table is UNKNOWN, as the specification asks of clients. */
export function statusName(number: number): RpcStatus {
  return NAMES[number] ?? 'UNKNOWN';
}

/** The gRPC status that stands for a RocketMQ code where an answer has no place for the code itself. */
export function statusOfError(error: MqError): RpcStatus {
  return (
    STATUS_OF_CODE.get(error.code) ?? STATUS_OF_CLASS.get(Math.floor(error.codeNumber / 100)) ?? 'INVALID_ARGUMENT'
  );
}

/** An error that a handler meant, as the RpcError its client gets; undefined for every other exception. */
export function meantError(error: unknown): RpcError | undefined {
  if (error instanceof RpcError) return error;
  if (error instanceof MqError) return new RpcError(statusOfError(error), error.message, error);
  return undefined;
}

/** What the client of a request gets that cannot be decoded. @param error what the decoder has thrown */
export function unreadableError(error: unknown): RpcError {
  return meantError(error) ?? new RpcError('INVALID_ARGUMENT', UNREADABLE);
}

/** A text fit for the `grpc-message` trailer: bounded, and without lone surrogates, which have no UTF-8 form. */
export function statusMessage(text: string): string {
  return (text.length > MESSAGE_LENGTH_MAX ? `${text.slice(0, MESSAGE_LENGTH_MAX)}…` : text).toWellFormed();
}
