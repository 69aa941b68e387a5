/** The messages of grpc.testing (messages.proto), as far as the interop cases use them. */

/** A payload of so many zero bytes, which is all that the cases send. */
export interface Payload {
  readonly bodyBytes: number;
}

export interface EchoStatus {
  readonly code: number;
  readonly message: string;
}

export interface ResponseParameters {
  readonly sizeBytes: number;
  readonly intervalUs: number;
}

/** SimpleRequest, StreamingOutputCallRequest and StreamingInputCallRequest in one. */
export interface TestRequest {
  readonly responseBytes?: number;
  readonly responses?: readonly ResponseParameters[];
  readonly payload?: Payload;
  readonly status?: EchoStatus;
}

const VARINT = 0;
const LENGTH = 2;

/** Fields of the requests. The payload is at 1 in StreamingInputCallRequest and at 3 elsewhere. */
const RESPONSE_SIZE = 2;
const RESPONSE_STATUS = 7;

type Field = readonly [number: number, value: number | Buffer];

export function encodeSimpleRequest({ responseBytes = 0, payload, status }: TestRequest): Buffer {
  return message([
    ...(responseBytes > 0 ? [[RESPONSE_SIZE, responseBytes] as const] : []),
    ...(payload ? [[3, encodePayload(payload)] as const] : []),
    ...(status ? [[RESPONSE_STATUS, encodeStatus(status)] as const] : []),
  ]);
}

export function encodeStreamingOutputRequest({ responses = [], payload, status }: TestRequest): Buffer {
  return message([
    ...responses.map(({ sizeBytes, intervalUs }) => {
      return [2, message([[1, sizeBytes] as const, ...(intervalUs > 0 ? [[2, intervalUs] as const] : [])])] as const;
    }),
    ...(payload ? [[3, encodePayload(payload)] as const] : []),
    ...(status ? [[RESPONSE_STATUS, encodeStatus(status)] as const] : []),
  ]);
}

/** StreamingInputCallRequest, and every response with a payload. */
export function encodeWithPayload(payload: Payload): Buffer {
  return message([[1, encodePayload(payload)]]);
}

export function encodeStreamingInputResponse(aggregatedBytes: number): Buffer {
  return message([[1, aggregatedBytes]]);
}

export function decodeSimpleRequest(bytes: Uint8Array): TestRequest {
  const fields = fieldsOf(bytes);
  return { ...common(fields), responseBytes: numberAt(fields, RESPONSE_SIZE) };
}

export function decodeStreamingOutputRequest(bytes: Uint8Array): TestRequest {
  const fields = fieldsOf(bytes);
  const responses = fields
    .filter(([number]) => number === 2)
    .map(([, value]) => {
      const parameters = fieldsOf(value as Buffer);
      return { sizeBytes: numberAt(parameters, 1), intervalUs: numberAt(parameters, 2) };
    });
  return { ...common(fields), responses };
}

/** Size of the payload of a StreamingInputCallRequest or of any response. */
export function decodePayloadBytes(bytes: Uint8Array): number {
  const payload = bytesAt(fieldsOf(bytes), 1);
  return payload ? (bytesAt(fieldsOf(payload), 2)?.length ?? 0) : 0;
}

export function decodeStreamingInputResponse(bytes: Uint8Array): number {
  return numberAt(fieldsOf(bytes), 1);
}

function common(fields: readonly Field[]): TestRequest {
  const status = bytesAt(fields, RESPONSE_STATUS);
  if (!status) return {};
  const parts = fieldsOf(status);
  return { status: { code: numberAt(parts, 1), message: bytesAt(parts, 2)?.toString() ?? '' } };
}

function encodePayload({ bodyBytes }: Payload): Buffer {
  return message([[2, Buffer.alloc(bodyBytes)]]);
}

function encodeStatus({ code, message: text }: EchoStatus): Buffer {
  return message([
    [1, code],
    [2, Buffer.from(text)],
  ]);
}

function message(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([number, value]) =>
      typeof value === 'number'
        ? [varint((number << 3) | VARINT), varint(value)]
        : [varint((number << 3) | LENGTH), varint(value.length), value],
    ),
  );
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.of(...bytes, rest);
}

/** All fields of a message; those of 4 and 8 bytes are not in any that is read here. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError('the message ends within a number');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = read();
    const value = read();
    if ((tag & 7) === VARINT) {
      fields.push([tag >> 3, value]);
    } else {
      fields.push([tag >> 3, Buffer.from(bytes.subarray(at, at + value))]);
      at += value;
    }
  }
  return fields;
}

function numberAt(fields: readonly Field[], number: number): number {
  const value = fields.find((field) => field[0] === number)?.[1];
  return typeof value === 'number' ? value : 0;
}

function bytesAt(fields: readonly Field[], number: number): Buffer | undefined {
  const value = fields.find((field) => field[0] === number)?.[1];
  return typeof value === 'number' ? undefined : value;
}
