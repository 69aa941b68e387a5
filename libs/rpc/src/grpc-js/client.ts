import type { Client, ClientReadableStream, Metadata as GrpcMetadata } from '@grpc/grpc-js';
import { type Clock, systemClock } from '@orbitmq/base';
import { asBuffer } from '../bytes.ts';
import type {
  BidiCall,
  CallOptions,
  OpenCall,
  RpcClient,
  RpcClientOptions,
  StreamReceiver,
  UnaryReceiver,
} from '../client.ts';
import { type CallCodec, CodecClient } from '../codec-client.ts';
import { RpcError } from '../service.ts';
import { Channels } from './channels.ts';
import { GrpcJsBidiCall } from './client-bidi.ts';
import { OutgoingCall } from './client-call.ts';
import { sentMetadata } from './metadata.ts';

class GrpcJsClient extends CodecClient {
  /** What servers announce is not shown. */
  readonly openCallsMax = 100;
  readonly #clock: Clock;
  readonly #channels: Channels;
  readonly #openCalls = new Set<OutgoingCall>();
  #closed = false;

  constructor(options: RpcClientOptions) {
    super();
    this.#clock = options.clock ?? systemClock;
    this.#channels = new Channels(options, this.#clock);
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

  protected override async startUnary(codec: CallCodec, request: unknown, options: CallOptions): Promise<unknown> {
    const call = this.#newCall(options);
    try {
      const client = await call.connect(this.#channels);
      call.checkOpen();
      return await new Promise((resolve, reject) => {
        call.opened(
          client.makeUnaryRequest(
            codec.path,
            serializerOf(codec),
            codec.decode,
            request,
            sentMetadata(options.metadata),
            { deadline: call.deadlineMs },
            (error, response) => (error ? reject(call.errorOf(error)) : resolve(response)),
          ),
        );
      });
    } finally {
      call.ended();
    }
  }

  protected override startUnaryTo(
    codec: CallCodec,
    request: Uint8Array,
    options: CallOptions,
    receiver: UnaryReceiver,
  ): OpenCall {
    const abort = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, abort.signal]) : abort.signal;
    this.startUnary(codec, request, { ...options, signal }).then(
      (response) => receiver.onResponse(response as Uint8Array),
      (error) => receiver.onFailure(error),
    );
    return { cancel: () => abort.abort() };
  }

  protected override startServerStreamTo(
    codec: CallCodec,
    request: Uint8Array,
    options: CallOptions,
    receiver: StreamReceiver,
  ): OpenCall {
    const abort = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, abort.signal]) : abort.signal;
    void tellAll(this.startServerStream(codec, request, { ...options, signal }), receiver);
    return { cancel: () => abort.abort() };
  }

  protected override async *startServerStream(
    codec: CallCodec,
    request: unknown,
    options: CallOptions,
  ): AsyncGenerator<unknown> {
    const call = this.#newCall(options);
    try {
      const client = await call.connect(this.#channels);
      call.checkOpen();
      const stream: ClientReadableStream<unknown> = client.makeServerStreamRequest(
        codec.path,
        serializerOf(codec),
        codec.decode,
        request,
        sentMetadata(options.metadata),
        { deadline: call.deadlineMs },
      );
      call.opened(stream);
      yield* stream;
    } catch (error) {
      throw call.errorOf(error);
    } finally {
      call.cancel();
      call.ended();
    }
  }

  protected override startBidi(codec: CallCodec, options: CallOptions): BidiCall<unknown, unknown> {
    const call = this.#newCall(options);
    const open = (client: Client, metadata: GrpcMetadata) => {
      call.checkOpen();
      const stream = client.makeBidiStreamRequest(codec.path, serializerOf(codec), codec.decode, metadata, {
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
}

async function tellAll(responses: AsyncIterable<unknown>, receiver: StreamReceiver): Promise<void> {
  let failure: RpcError | undefined;
  try {
    for await (const response of responses) {
      const room = receiver.onResponse(response as Uint8Array);
      if (room) await room;
    }
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    failure = error;
  }
  receiver.onEnd(failure);
}

/** grpc-js wants Buffers. */
function serializerOf(codec: CallCodec): (request: unknown) => Buffer {
  return (request) => asBuffer(codec.encode(request));
}

/** A client of the given addresses. Nothing is sent before the first call. */
export function createGrpcJsClient(options: RpcClientOptions): RpcClient {
  return new GrpcJsClient(options) as unknown as RpcClient;
}
