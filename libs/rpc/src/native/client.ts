import { type Clock, KIB, MIB, systemClock, systemRandom } from '@orbitmq/base';
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
import { RpcError, UnreachableError } from '../service.ts';
import type { ClientCall, ClientCallHost } from './client-call.ts';
import type { ClientConnection } from './client-connection.ts';
import { Endpoint } from './client-endpoint.ts';
import { ReceivedStreamCall } from './client-received-stream.ts';
import { NativeBidiCall, StreamClientCall } from './client-stream.ts';
import { UnaryClientCall, type UnaryResult } from './client-unary.ts';
import { Deadlines } from './deadlines.ts';
import { OwnHeaders } from './own-headers.ts';

const RECEIVE_MESSAGE_DEFAULT_BYTES = 64 * MIB;
const RECEIVE_WINDOW_DEFAULT_BYTES = 64 * KIB;
const KEEP_ALIVE_DEFAULT_MS = 30_000;
const RECONNECT_PAUSE_DEFAULT_MS_MAX = 5_000;

/** A server that says nothing else takes so many calls (RFC 9113 asks for no less). */
const OPEN_CALLS_UNKNOWN_MAX = 100;

class NativeClient extends CodecClient implements ClientCallHost {
  readonly receiveMessageBytesMax: number;
  readonly deadlines: Deadlines;
  /** Calls that wait for a connection to be made. */
  readonly #unplaced = new Set<ClientCall>();
  readonly #clock: Clock;
  readonly #endpoints: readonly Endpoint[];
  #current = 0;
  #connecting: Promise<ClientConnection | undefined> | undefined;
  #isClosed = false;

  constructor(options: RpcClientOptions) {
    super();
    if (options.addresses.length === 0) throw new Error('a client needs at least one address');
    this.#clock = options.clock ?? systemClock;
    this.receiveMessageBytesMax = options.receiveMessageBytesMax ?? RECEIVE_MESSAGE_DEFAULT_BYTES;
    this.deadlines = new Deadlines(this.#clock);
    const endpointOptions = {
      tls: options.tls,
      receiveWindowBytes: options.receiveWindowBytes ?? RECEIVE_WINDOW_DEFAULT_BYTES,
      keepAliveMs: options.keepAliveMs ?? KEEP_ALIVE_DEFAULT_MS,
      reconnectPauseMsMax: options.reconnectPauseMsMax ?? RECONNECT_PAUSE_DEFAULT_MS_MAX,
      clock: this.#clock,
      random: systemRandom,
      own: new OwnHeaders(),
      onUnsent: (call: ClientCall) => this.connect(call),
    };
    this.#endpoints = options.addresses.map((address) => new Endpoint(address, endpointOptions));
  }

  close(): void {
    this.#isClosed = true;
    for (const call of [...this.#unplaced]) call.cancel();
    for (const endpoint of this.#endpoints) endpoint.close();
    this.deadlines.close();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  connect(call: ClientCall): void {
    if (!call.isOpen) return;
    if (this.#isClosed) {
      call.cancel();
      return;
    }
    const connection = this.#endpoints[this.#current]!.connection;
    if (connection) connection.take(call);
    else void this.#connectLater(call);
  }

  get openCallsMax(): number {
    return this.#endpoints[this.#current]!.connection?.openCallsMax ?? OPEN_CALLS_UNKNOWN_MAX;
  }

  async #connectLater(call: ClientCall): Promise<void> {
    this.#unplaced.add(call);
    this.#connecting ??= this.#reach().finally(() => {
      this.#connecting = undefined;
    });
    const connection = await this.#connecting;
    this.#unplaced.delete(call);
    if (!call.isOpen) return;
    if (connection?.takesCalls) {
      connection.take(call);
      return;
    }
    const addresses = this.#endpoints.map(({ address }) => address).join(', ');
    call.fail(new UnreachableError(`no connection to ${addresses}`), undefined);
  }

  /** The first address that can be reached, beginning with the one used last. */
  async #reach(): Promise<ClientConnection | undefined> {
    const first = this.#current;
    for (let step = 0; step < this.#endpoints.length && !this.#isClosed; step++) {
      const index = (first + step) % this.#endpoints.length;
      const connection = await this.#endpoints[index]!.connect();
      if (!connection) continue;
      this.#current = index;
      return connection;
    }
    return undefined;
  }

  protected override startUnary(codec: CallCodec, request: unknown, options: CallOptions): Promise<unknown> {
    return new Promise((onResponse, onFailure) => {
      const bytes = encoded(codec, request);
      new UnaryClientCall(this, codec, options, bytes, { onResponse, onFailure }).start();
    });
  }

  protected override startUnaryTo(
    codec: CallCodec,
    request: Uint8Array,
    options: CallOptions,
    receiver: UnaryReceiver,
  ): OpenCall {
    const call = new UnaryClientCall(this, codec, options, request, receiver as UnaryResult);
    call.start();
    return call;
  }

  protected override startServerStreamTo(
    codec: CallCodec,
    request: Uint8Array,
    options: CallOptions,
    receiver: StreamReceiver,
  ): OpenCall {
    const call = new ReceivedStreamCall(this, codec, options, request, receiver);
    call.start();
    return call;
  }

  protected override startServerStream(
    codec: CallCodec,
    request: unknown,
    options: CallOptions,
  ): AsyncIterable<unknown> {
    return {
      [Symbol.asyncIterator]: () => {
        const call = new StreamClientCall(this, codec, options);
        call.write(request);
        call.end();
        return call;
      },
    };
  }

  protected override startBidi(codec: CallCodec, options: CallOptions): BidiCall<unknown, unknown> {
    return new NativeBidiCall(new StreamClientCall(this, codec, options));
  }
}

function encoded(codec: CallCodec, request: unknown): Uint8Array {
  try {
    return codec.encode(request);
  } catch (error) {
    throw new RpcError('INTERNAL', 'the request could not be encoded', error);
  }
}

/** A client of the given addresses over HTTP/2 of our own. Nothing is sent before the first call. */
export function createNativeClient(options: RpcClientOptions): RpcClient {
  return new NativeClient(options) as unknown as RpcClient;
}
