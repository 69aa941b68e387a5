import type { Client, ClientReadableStream, Metadata as GrpcMetadata } from '@grpc/grpc-js';
import { type Clock, systemClock } from '@orbitmq/base';
import { asBuffer } from '../bytes.ts';
import type {
  BidiCall,
  CallOptions,
  OpenCall,
  RawRpcClient,
  RpcClient,
  RpcClientOptions,
  UnaryReceiver,
} from '../client.ts';
import type { ServiceDefinition } from '../service.ts';
import { Channels } from './channels.ts';
import { GrpcJsBidiCall } from './client-bidi.ts';
import { type CallCodec, OutgoingCall, rpcErrorOf } from './client-call.ts';
import { sentMetadata } from './metadata.ts';

const NO_OPTIONS: CallOptions = {};

class GrpcJsClient {
  readonly raw: RawRpcClient;
  /** What servers announce is not shown. */
  readonly openCallsMax = 100;
  readonly #clock: Clock;
  readonly #channels: Channels;
  readonly #openCalls = new Set<OutgoingCall>();
  #closed = false;
  readonly #codecs = new WeakMap<ServiceDefinition, Map<string, CallCodec>>();

  constructor(options: RpcClientOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#channels = new Channels(options, this.#clock);
    this.raw = {
      unary: (path, request, callOptions = NO_OPTIONS) =>
        this.#unary(rawCodec(path), request, callOptions) as Promise<Uint8Array>,
      unaryTo: (path, request, callOptions, receiver) => this.#unaryTo(rawCodec(path), request, callOptions, receiver),
      serverStream: (path, request, callOptions = NO_OPTIONS) =>
        this.#serverStream(rawCodec(path), request, callOptions) as AsyncIterable<Uint8Array>,
      bidi: (path, callOptions = NO_OPTIONS) =>
        this.#bidi(rawCodec(path), callOptions) as BidiCall<Uint8Array, Uint8Array>,
    };
  }

  unary(service: ServiceDefinition, name: string, request: unknown, options = NO_OPTIONS): Promise<unknown> {
    return this.#unary(this.#codec(service, name), request, options);
  }

  serverStream(
    service: ServiceDefinition,
    name: string,
    request: unknown,
    options = NO_OPTIONS,
  ): AsyncIterable<unknown> {
    return this.#serverStream(this.#codec(service, name), request, options);
  }

  bidi(service: ServiceDefinition, name: string, options = NO_OPTIONS): BidiCall<unknown, unknown> {
    return this.#bidi(this.#codec(service, name), options);
  }

  close(): void {
    this.#closed = true;
    for (const call of this.#openCalls) call.cancel();
    this.#channels.close();
  }

  #newCall(options: CallOptions): OutgoingCall {
    const call = new OutgoingCall(this.#openCalls, this.#clock, options);
    if (this.#closed) call.cancel();
    return call;
  }

  async #unary(codec: CallCodec, request: unknown, options: CallOptions): Promise<unknown> {
    const call = this.#newCall(options);
    try {
      const client = await call.connect(this.#channels);
      call.checkOpen();
      return await new Promise((resolve, reject) => {
        call.opened(
          client.makeUnaryRequest(
            codec.path,
            codec.encode,
            codec.decode,
            request,
            sentMetadata(options.metadata),
            { deadline: call.deadlineMs },
            (error, response) => (error ? reject(rpcErrorOf(error)) : resolve(response)),
          ),
        );
      });
    } finally {
      call.ended();
    }
  }

  #unaryTo(codec: CallCodec, request: unknown, options: CallOptions, receiver: UnaryReceiver): OpenCall {
    const abort = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, abort.signal]) : abort.signal;
    this.#unary(codec, request, { ...options, signal }).then(
      (response) => receiver.onResponse(response as Uint8Array),
      (error) => receiver.onFailure(error),
    );
    return { cancel: () => abort.abort() };
  }

  async *#serverStream(codec: CallCodec, request: unknown, options: CallOptions): AsyncGenerator<unknown> {
    const call = this.#newCall(options);
    try {
      const client = await call.connect(this.#channels);
      call.checkOpen();
      const stream: ClientReadableStream<unknown> = client.makeServerStreamRequest(
        codec.path,
        codec.encode,
        codec.decode,
        request,
        sentMetadata(options.metadata),
        { deadline: call.deadlineMs },
      );
      call.opened(stream);
      yield* stream;
    } catch (error) {
      throw rpcErrorOf(error);
    } finally {
      call.cancel();
      call.ended();
    }
  }

  #bidi(codec: CallCodec, options: CallOptions): BidiCall<unknown, unknown> {
    const call = this.#newCall(options);
    const open = (client: Client, metadata: GrpcMetadata) => {
      call.checkOpen();
      const stream = client.makeBidiStreamRequest(codec.path, codec.encode, codec.decode, metadata, {
        deadline: call.deadlineMs,
      });
      stream.on('status', () => call.ended());
      stream.on('error', () => {}); // told to whoever reads; nobody may, after a cancel
      call.opened(stream);
      return stream;
    };
    const opening = call.connect(this.#channels).then((client) => open(client, sentMetadata(options.metadata)));
    opening.catch(() => call.ended());
    return new GrpcJsBidiCall(call, opening);
  }

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
    encode: (request) => asBuffer(method.requestType.encode(request).finish()),
    decode: (bytes) => method.responseType.decode(bytes),
  };
}

function rawCodec(path: string): CallCodec {
  return { path, encode: (bytes) => asBuffer(bytes as Uint8Array), decode: (bytes) => bytes };
}

/** A client of the given addresses. Nothing is sent before the first call. */
export function createGrpcJsClient(options: RpcClientOptions): RpcClient {
  // The class passes messages through as `unknown`; the interface gives them the types of the service definition.
  return new GrpcJsClient(options) as unknown as RpcClient;
}
