import type { BidiCall, CallOptions, OpenCall, RawRpcClient, StreamReceiver, UnaryReceiver } from './client.ts';
import type { ServiceDefinition } from './service.ts';

/** What of a method a client needs. */
export interface CallCodec {
  readonly path: string;
  encode(request: unknown): Uint8Array;
  decode(bytes: Buffer): unknown;
}

const NO_OPTIONS: CallOptions = {};

/**
 * What clients of all engines have in common: calls of service definitions, and raw ones whose messages stay bytes, are calls with a codec.
 * Messages go through as `unknown`; `RpcClient` gives them the types of the service definition.
 */
export abstract class CodecClient {
  readonly raw: RawRpcClient = {
    unary: (path, request, options = NO_OPTIONS) =>
      this.startUnary(rawCodec(path), request, options) as Promise<Uint8Array>,
    unaryTo: (path, request, options, receiver) => this.startUnaryTo(rawCodec(path), request, options, receiver),
    serverStream: (path, request, options = NO_OPTIONS) =>
      this.startServerStream(rawCodec(path), request, options) as AsyncIterable<Uint8Array>,
    serverStreamTo: (path, request, options, receiver) =>
      this.startServerStreamTo(rawCodec(path), request, options, receiver),
    bidi: (path, options = NO_OPTIONS) => this.startBidi(rawCodec(path), options) as BidiCall<Uint8Array, Uint8Array>,
  };
  readonly #codecs = new WeakMap<ServiceDefinition, Map<string, CallCodec>>();

  unary(service: ServiceDefinition, name: string, request: unknown, options = NO_OPTIONS): Promise<unknown> {
    return this.startUnary(this.#codec(service, name), request, options);
  }

  serverStream(
    service: ServiceDefinition,
    name: string,
    request: unknown,
    options = NO_OPTIONS,
  ): AsyncIterable<unknown> {
    return this.startServerStream(this.#codec(service, name), request, options);
  }

  bidi(service: ServiceDefinition, name: string, options = NO_OPTIONS): BidiCall<unknown, unknown> {
    return this.startBidi(this.#codec(service, name), options);
  }

  protected abstract startUnary(codec: CallCodec, request: unknown, options: CallOptions): Promise<unknown>;
  /** @param request bytes, as the codec is a raw one */
  protected abstract startUnaryTo(
    codec: CallCodec,
    request: Uint8Array,
    options: CallOptions,
    receiver: UnaryReceiver,
  ): OpenCall;
  protected abstract startServerStream(
    codec: CallCodec,
    request: unknown,
    options: CallOptions,
  ): AsyncIterable<unknown>;
  /** @param request bytes, as the codec is a raw one */
  protected abstract startServerStreamTo(
    codec: CallCodec,
    request: Uint8Array,
    options: CallOptions,
    receiver: StreamReceiver,
  ): OpenCall;
  protected abstract startBidi(codec: CallCodec, options: CallOptions): BidiCall<unknown, unknown>;

  #codec(service: ServiceDefinition, name: string): CallCodec {
    let codecs = this.#codecs.get(service);
    if (!codecs) {
      codecs = new Map();
      this.#codecs.set(service, codecs);
    }
    let codec = codecs.get(name);
    if (!codec) {
      codec = codecOf(service, name);
      codecs.set(name, codec);
    }
    return codec;
  }
}

function codecOf(service: ServiceDefinition, name: string): CallCodec {
  const method = service.methods[name];
  if (!method) throw new Error(`service ${service.fullName} has no method ${name}`);
  return {
    path: `/${service.fullName}/${method.name}`,
    encode: (request) => method.requestType.encode(request).finish(),
    decode: (bytes) => method.responseType.decode(bytes),
  };
}

const encodeRaw = (bytes: unknown): Uint8Array => bytes as Uint8Array;
const decodeRaw = (bytes: Buffer): unknown => bytes;

function rawCodec(path: string): CallCodec {
  return { path, encode: encodeRaw, decode: decodeRaw };
}
