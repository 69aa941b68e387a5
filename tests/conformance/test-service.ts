import { setTimeout as sleep } from 'node:timers/promises';
import { type BoundMethod, RpcError, type RpcStatus, type Sink } from '@orbitmq/rpc';
import {
  decodePayloadBytes,
  decodeSimpleRequest,
  decodeStreamingOutputRequest,
  type EchoStatus,
  encodeStreamingInputResponse,
  encodeWithPayload,
  type ResponseParameters,
  type TestRequest,
} from './messages.ts';

/** The statuses that the cases ask for by number. */
const STATUSES: ReadonlyMap<number, RpcStatus> = new Map([
  [1, 'CANCELLED'],
  [2, 'UNKNOWN'],
  [3, 'INVALID_ARGUMENT'],
]);

const EMPTY = Buffer.alloc(0);

function method(
  name: string,
  kind: BoundMethod['kind'],
  decode: BoundMethod['decode'],
  handler: BoundMethod['handler'],
): BoundMethod {
  return { kind, path: `/grpc.testing.TestService/${name}`, decode, encode: (bytes) => bytes as Uint8Array, handler };
}

/** grpc.testing.TestService over our seam, by interop-test-descriptions.md. It has no `UnimplementedCall`, as it must. */
export function testServiceMethods(): BoundMethod[] {
  return [
    method(
      'EmptyCall',
      'unary',
      () => EMPTY,
      () => EMPTY,
    ),
    method('UnaryCall', 'unary', decodeSimpleRequest, unaryCall),
    method('StreamingOutputCall', 'serverStream', decodeStreamingOutputRequest, (request: TestRequest, _call, sink) =>
      respond(request.responses ?? [], sink),
    ),
    method('StreamingInputCall', 'bidi', decodePayloadBytes, streamingInputCall),
    method('FullDuplexCall', 'bidi', decodeStreamingOutputRequest, fullDuplexCall),
  ];
}

function unaryCall({ status, responseBytes = 0 }: TestRequest): Uint8Array {
  failIfAsked(status);
  return encodeWithPayload({ bodyBytes: responseBytes });
}

/** Client streaming: the seam's stream both ways with one answer. */
async function streamingInputCall(requests: AsyncIterable<number>, _call: unknown, sink: Sink<Uint8Array>) {
  let sumBytes = 0;
  for await (const payloadBytes of requests) sumBytes += payloadBytes;
  sink.write(encodeStreamingInputResponse(sumBytes));
}

async function fullDuplexCall(requests: AsyncIterable<TestRequest>, _call: unknown, sink: Sink<Uint8Array>) {
  for await (const { status, responses } of requests) {
    failIfAsked(status);
    await respond(responses ?? [], sink);
  }
}

async function respond(responses: readonly ResponseParameters[], sink: Sink<Uint8Array>): Promise<void> {
  for (const { sizeBytes, intervalUs } of responses) {
    if (intervalUs > 0) await sleep(intervalUs / 1000);
    await sink.write(encodeWithPayload({ bodyBytes: sizeBytes }));
  }
}

function failIfAsked(status: EchoStatus | undefined): void {
  if (!status || status.code === 0) return;
  throw new RpcError(STATUSES.get(status.code) ?? 'UNKNOWN', status.message);
}
