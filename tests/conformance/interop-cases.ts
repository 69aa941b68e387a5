import assert from 'node:assert/strict';
import { type BidiCall, type RpcClient, RpcError } from '@orbitmq/rpc';
import {
  decodePayloadBytes,
  decodeStreamingInputResponse,
  encodeSimpleRequest,
  encodeStreamingOutputRequest,
  encodeWithPayload,
} from './messages.ts';

const SERVICE = '/grpc.testing.TestService';
const EMPTY = Buffer.alloc(0);
const REQUEST_SIZES = [27_182, 8, 1_828, 45_904];
const RESPONSE_SIZES = [31_415, 9, 2_653, 58_979];
const LARGE_REQUEST_BYTES = 271_828;
const LARGE_RESPONSE_BYTES = 314_159;
const SPECIAL_MESSAGE = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';

type Duplex = BidiCall<Uint8Array, Uint8Array>;

function fullDuplex(client: RpcClient): Duplex {
  return client.raw.bidi(`${SERVICE}/FullDuplexCall`);
}

function pingRequest(index: number): Buffer {
  return encodeStreamingOutputRequest({
    responses: [{ sizeBytes: RESPONSE_SIZES[index]!, intervalUs: 0 }],
    payload: { bodyBytes: REQUEST_SIZES[index]! },
  });
}

async function next(responses: AsyncIterator<Uint8Array>): Promise<number> {
  const { done, value } = await responses.next();
  assert.equal(done, false);
  return decodePayloadBytes(value);
}

const failsWith = (status: string, message?: string) => (error: unknown) => {
  assert.ok(error instanceof RpcError, String(error));
  assert.equal(error.status, status);
  if (message !== undefined) assert.equal(error.message, message);
  return true;
};

/** gRPC's interop cases for a client, each as its description (interop-test-descriptions.md) has it. */
export const CLIENT_CASES: Readonly<Record<string, (client: RpcClient) => Promise<void>>> = {
  async empty_unary(client) {
    assert.equal((await client.raw.unary(`${SERVICE}/EmptyCall`, EMPTY)).length, 0);
  },

  async large_unary(client) {
    const request = encodeSimpleRequest({
      responseBytes: LARGE_RESPONSE_BYTES,
      payload: { bodyBytes: LARGE_REQUEST_BYTES },
    });
    const response = await client.raw.unary(`${SERVICE}/UnaryCall`, request);
    assert.equal(decodePayloadBytes(response), LARGE_RESPONSE_BYTES);
  },

  async client_streaming(client) {
    const call = client.raw.bidi(`${SERVICE}/StreamingInputCall`);
    for (const bodyBytes of REQUEST_SIZES) await call.write(encodeWithPayload({ bodyBytes }));
    call.end();
    const responses = await Array.fromAsync(call.responses);
    assert.deepEqual(responses.map(decodeStreamingInputResponse), [74_922]);
  },

  async server_streaming(client) {
    const request = encodeStreamingOutputRequest({
      responses: RESPONSE_SIZES.map((sizeBytes) => ({ sizeBytes, intervalUs: 0 })),
    });
    const responses = await Array.fromAsync(client.raw.serverStream(`${SERVICE}/StreamingOutputCall`, request));
    assert.deepEqual(responses.map(decodePayloadBytes), RESPONSE_SIZES);
  },

  async ping_pong(client) {
    const call = fullDuplex(client);
    const responses = call.responses[Symbol.asyncIterator]();
    for (const [index, sizeBytes] of RESPONSE_SIZES.entries()) {
      await call.write(pingRequest(index));
      assert.equal(await next(responses), sizeBytes);
    }
    call.end();
    assert.equal((await responses.next()).done, true);
  },

  async empty_stream(client) {
    const call = fullDuplex(client);
    call.end();
    assert.deepEqual(await Array.fromAsync(call.responses), []);
  },

  async timeout_on_sleeping_server(client) {
    const call = client.raw.bidi(`${SERVICE}/FullDuplexCall`, { timeoutMs: 1 });
    await call.write(encodeStreamingOutputRequest({ payload: { bodyBytes: 27_182 } }));
    await assert.rejects(Array.fromAsync(call.responses), failsWith('DEADLINE_EXCEEDED'));
  },

  async cancel_after_begin(client) {
    const call = client.raw.bidi(`${SERVICE}/StreamingInputCall`);
    call.cancel();
    await assert.rejects(Array.fromAsync(call.responses), failsWith('CANCELLED'));
  },

  async cancel_after_first_response(client) {
    const call = fullDuplex(client);
    const responses = call.responses[Symbol.asyncIterator]();
    await call.write(pingRequest(0));
    assert.equal(await next(responses), RESPONSE_SIZES[0]);
    call.cancel();
    await assert.rejects(responses.next(), failsWith('CANCELLED'));
  },

  async status_code_and_message(client) {
    const status = { code: 2, message: 'test status message' };
    await assert.rejects(
      client.raw.unary(`${SERVICE}/UnaryCall`, encodeSimpleRequest({ status })),
      failsWith('UNKNOWN', status.message),
    );
    const call = fullDuplex(client);
    await call.write(encodeStreamingOutputRequest({ status }));
    call.end();
    await assert.rejects(Array.fromAsync(call.responses), failsWith('UNKNOWN', status.message));
  },

  async special_status_message(client) {
    const status = { code: 2, message: SPECIAL_MESSAGE };
    await assert.rejects(
      client.raw.unary(`${SERVICE}/UnaryCall`, encodeSimpleRequest({ status })),
      failsWith('UNKNOWN', SPECIAL_MESSAGE),
    );
  },

  async unimplemented_method(client) {
    await assert.rejects(client.raw.unary(`${SERVICE}/UnimplementedCall`, EMPTY), failsWith('UNIMPLEMENTED'));
  },

  async unimplemented_service(client) {
    const path = '/grpc.testing.UnimplementedService/UnimplementedCall';
    await assert.rejects(client.raw.unary(path, EMPTY), failsWith('UNIMPLEMENTED'));
  },

  /** The seam shows no metadata of answers: what a call with metadata of both kinds must not do is fail. */
  async custom_metadata(client) {
    const metadata = [
      ['x-grpc-test-echo-initial', 'test_initial_metadata_value'],
      ['x-grpc-test-echo-trailing-bin', 'q6ur'],
    ] as const;
    const request = encodeSimpleRequest({ responseBytes: 1, payload: { bodyBytes: 1 } });
    assert.equal(decodePayloadBytes(await client.raw.unary(`${SERVICE}/UnaryCall`, request, { metadata })), 1);
  },
};
