import type { CallOptions } from '../client.ts';
import type { CallCodec } from '../codec-client.ts';
import { RpcError } from '../service.ts';
import { ClientCall, type ClientCallHost } from './client-call.ts';
import { ERROR_CODE } from './protocol.ts';

const UNREADABLE = 'the response is not a readable protobuf message of its type';

/** Gets what the call ends with, once. */
export interface UnaryResult {
  onResponse(response: unknown): void;
  onFailure(error: RpcError): void;
}

/** A call with one request and one response. */
export class UnaryClientCall extends ClientCall {
  #request: Uint8Array | undefined;
  #response: Buffer | undefined;
  readonly #result: UnaryResult;

  /** @param request encoded; not to be changed until the call has ended */
  constructor(host: ClientCallHost, codec: CallCodec, options: CallOptions, request: Uint8Array, result: UnaryResult) {
    super(host, codec, options);
    this.#request = request;
    this.#result = result;
  }

  protected override begin(): void {
    const request = this.#request!;
    this.#request = undefined;
    this.connection!.send(this, request, true);
  }

  protected override receive(message: Buffer, takenBytes: number): void {
    if (this.#response) {
      const error = new RpcError('INTERNAL', 'this method has one response message, but a second one came');
      this.fail(error, ERROR_CODE.CANCEL);
      return;
    }
    this.#response = message;
    this.consumed(takenBytes);
  }

  /** The one message is bounded by its length: what has come of it makes room for the rest. */
  protected override receivePart(takenBytes: number): void {
    this.consumed(takenBytes);
  }

  protected override ended(error: RpcError | undefined): void {
    const response = this.#response;
    this.#response = undefined;
    this.#request = undefined;
    if (error) this.#result.onFailure(error);
    else if (!response)
      this.#result.onFailure(new RpcError('UNIMPLEMENTED', 'the server has sent no response message'));
    else this.#decode(response);
  }

  #decode(response: Buffer): void {
    let decoded: unknown;
    try {
      decoded = this.codec.decode(response);
    } catch (error) {
      this.#result.onFailure(new RpcError('INTERNAL', UNREADABLE, error));
      return;
    }
    this.#result.onResponse(decoded);
  }
}
