import type { Clock } from '@orbitmq/base';
import type { MethodDefinition, RpcError, ServiceDefinition } from './service.ts';

/** How a client checks the server it speaks TLS with. */
export interface ClientTls {
  /** Certificates that are trusted, PEM; default: those of the system. */
  readonly ca?: string;
  /** Accepts any certificate: encrypted, but to whom is not known. For self-signed servers inside one's own network. */
  readonly insecure?: boolean;
  /** Name that the certificate must have, when it is not the host of the address. */
  readonly serverName?: string;
}

export interface RpcClientOptions {
  /** `host:port`, IPv6 in brackets. Several are the same service: one is used as long as it can be reached. At least one. */
  readonly addresses: readonly string[];
  /** Plain text when undefined. */
  readonly tls: ClientTls | undefined;
  /** Largest response message. Bytes; default 64 MiB. */
  readonly receiveMessageBytesMax?: number;
  /**
   * What may be on its way to this side of one call, and of all together, of which the native engine allows 1 MiB at least.
   * Bytes; default 64 KiB, which is for small messages.
   */
  readonly receiveWindowBytes?: number;
  /** Pings a silent connection this often, also without calls, and drops it when nothing comes back. Default 30,000. */
  readonly keepAliveMs?: number;
  /** Longest pause between two attempts to connect; calls fail meanwhile. Milliseconds; default 5,000. */
  readonly reconnectPauseMsMax?: number;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}

/** What may be said for a single call. */
export interface CallOptions {
  /** The call fails with DEADLINE_EXCEEDED when it has not ended by then. Milliseconds from now; default: never. */
  readonly timeoutMs?: number;
  /** See `passedMetadata` for that of a call that is passed on, which the native engine does not go through. */
  readonly metadata?: Iterable<readonly [string, string]>;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

/** An open bidi call. */
export interface BidiCall<Request, Response> {
  /**
   * Sends one message, in order.
   * @returns undefined when more may follow at once, else a promise that settles when there is room again or the call has ended
   */
  write(request: Request): Promise<void> | undefined;
  /** Half-closes: no more messages from this side. */
  end(): void;
  /** Cuts the call; nobody waits for its end. */
  cancel(): void;
  /** May be read once. Ends with the call and throws RpcError when that ends badly. */
  readonly responses: AsyncIterable<Response>;
}

type RequestOf<M> = M extends MethodDefinition<infer Request, infer _Response> ? Request : never;
type ResponseOf<M> = M extends MethodDefinition<infer _Request, infer Response> ? Response : never;

/** Gets what a unary call ends with: one of the two, once, maybe before the call has been returned to its caller. */
export interface UnaryReceiver {
  onResponse(response: Uint8Array): void;
  onFailure(error: RpcError): void;
}

/** Gets the responses of a call, and its end. */
export interface StreamReceiver {
  /** @returns undefined when more may follow at once, else a promise: until it settles, nothing more is told */
  onResponse(response: Uint8Array): Promise<void> | undefined;
  /** The call has ended, behind all of its responses; told once. @param error undefined = well */
  onEnd(error: RpcError | undefined): void;
}

/** A call that may still be ended. */
export interface OpenCall {
  /** Ends the call, if it has not ended: its receiver is told CANCELLED at once. */
  cancel(): void;
}

/** Undecoded calls: what a relay passes on. Messages are protobuf bytes both ways; `path` is `/package.Service/Method`. */
export interface RawRpcClient {
  unary(path: string, request: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  /** As `unary`, without promises: for calls that are many. @param request not to be changed until the call has ended */
  unaryTo(path: string, request: Uint8Array, options: CallOptions, receiver: UnaryReceiver): OpenCall;
  /** The call is sent when the loop over the responses begins; leaving the loop cancels it. */
  serverStream(path: string, request: Uint8Array, options?: CallOptions): AsyncIterable<Uint8Array>;
  /** As `serverStream`, sent at once, without promises. @param request not to be changed until the call has ended */
  serverStreamTo(path: string, request: Uint8Array, options: CallOptions, receiver: StreamReceiver): OpenCall;
  bidi(path: string, options?: CallOptions): BidiCall<Uint8Array, Uint8Array>;
}

/**
 * A client of one service's addresses. It connects with the first call, stays connected, and connects again with
 * growing pauses. A call is sent to one address and never repeated by itself.
 * All calls fail with RpcError: UnreachableError when no address can be reached.
 */
export interface RpcClient {
  readonly raw: RawRpcClient;
  /** Calls that the server takes from one client at a time; what is beyond waits here. 100 as long as that is not known. */
  readonly openCallsMax: number;
  unary<Service extends ServiceDefinition, Name extends keyof Service['methods'] & string>(
    service: Service,
    name: Name,
    request: RequestOf<Service['methods'][Name]>,
    options?: CallOptions,
  ): Promise<ResponseOf<Service['methods'][Name]>>;
  /** The call is sent when the loop over the responses begins; leaving the loop cancels it. */
  serverStream<Service extends ServiceDefinition, Name extends keyof Service['methods'] & string>(
    service: Service,
    name: Name,
    request: RequestOf<Service['methods'][Name]>,
    options?: CallOptions,
  ): AsyncIterable<ResponseOf<Service['methods'][Name]>>;
  bidi<Service extends ServiceDefinition, Name extends keyof Service['methods'] & string>(
    service: Service,
    name: Name,
    options?: CallOptions,
  ): BidiCall<RequestOf<Service['methods'][Name]>, ResponseOf<Service['methods'][Name]>>;
  /** Cancels open calls and closes the connections. Idempotent. */
  close(): void;
}
