/**
 * How services are written: handlers for the methods of a ts-proto service definition. They know calls, messages and
 * statuses, but neither sockets nor the engine that carries them.
 */

/** Encodes and decodes one message type; ts-proto's generated objects are of this shape. */
export interface MessageCodec<Message> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}

/** One method of a ts-proto service definition (`outputServices=generic-definitions`). */
export interface MethodDefinition<Request, Response> {
  readonly name: string;
  readonly requestType: MessageCodec<Request>;
  readonly requestStream: boolean;
  readonly responseType: MessageCodec<Response>;
  readonly responseStream: boolean;
}

export interface ServiceDefinition {
  /** With the package: `apache.rocketmq.v2.MessagingService`. */
  readonly fullName: string;
  // biome-ignore lint/suspicious/noExplicitAny: a table of methods of different types; `implement` restores them
  readonly methods: Readonly<Record<string, MethodDefinition<any, any>>>;
}

/** gRPC metadata of one direction. Keys are lower case; values of `-bin` keys are base64 text. */
export interface Metadata {
  /** First value of a key. */
  get(key: string): string | undefined;
  /** All pairs, in order. */
  entries(): Iterable<readonly [string, string]>;
}

/** One call, as a handler sees it. */
export interface Call {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly metadata: Metadata;
  /** `address:port` of the other side, IPv6 in brackets. */
  readonly peer: string;
  /** Milliseconds left until the client's deadline; Infinity when it has none. */
  remainingMs(): number;
  /** The client is gone, or its deadline has passed. */
  readonly cancelled: boolean;
  /** Calls `listener` once when the call is cancelled (at once when it is already). Returns the way to stop that. */
  onCancel(listener: () => void): () => void;
  /** The server has begun to stop: long polls answer what they have, and streams that wait for nothing end. */
  readonly draining: boolean;
  /** Calls `listener` once when the server begins to stop (at once when it already has). Returns the way to stop that. */
  onDrain(listener: () => void): () => void;
}

/** The answering side of a stream. */
export interface Sink<Response> {
  /**
   * Sends one message, in order. Does nothing once the call is cancelled: a handler that writes for long looks at
   * `call.cancelled`.
   * @returns undefined when more may follow at once, else a promise that settles when the peer has taken enough (or is gone)
   */
  write(message: Response): Promise<void> | undefined;
}

export type UnaryHandler<Request, Response> = (request: Request, call: Call) => Response | Promise<Response>;
/** Where the answer of a unary call goes, now or later. The first of the calls counts; once the call has ended, none does. */
export interface Reply<Response> {
  respond(response: Response): void;
  /** Ends the call as an exception of its handler would. */
  reject(error: unknown): void;
}
export type ReplyHandler<Request, Response> = (request: Request, call: Call, reply: Reply<Response>) => void;
export type ServerStreamHandler<Request, Response> = (
  request: Request,
  call: Call,
  sink: Sink<Response>,
) => Promise<void>;
/**
 * Incoming messages end when the client half-closes or the server begins to stop, and throw RpcError when the call is
 * cut. The stream ends when the handler settles.
 */
export type BidiHandler<Request, Response> = (
  requests: AsyncIterable<Request>,
  call: Call,
  sink: Sink<Response>,
) => Promise<void>;

/**
 * Replaces the generated codec of one method where bytes are to stay bytes: `decode` may return a view of the bytes
 * (valid as long as it is referenced), `encode` may return ready bytes.
 */
export interface CodecOverride<Request, Response> {
  decode?(bytes: Uint8Array): Request;
  encode?(response: Response): Uint8Array;
}

/** gRPC status names (their numbers are those of grpc/status.md). */
export type RpcStatus =
  | 'OK'
  | 'CANCELLED'
  | 'UNKNOWN'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'
  | 'UNAUTHENTICATED';

/** Ends a call with a gRPC status. Thrown by handlers, and by our clients when a call fails. */
export class RpcError extends Error {
  readonly status: RpcStatus;

  constructor(status: RpcStatus, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RpcError';
    this.status = status;
  }
}

/**
 * A call of ours that was certainly not taken: no address could be reached, or the server has said so. It may be made
 * elsewhere without being done twice.
 */
export class UnreachableError extends RpcError {
  constructor(message: string) {
    super('UNAVAILABLE', message);
    this.name = 'UnreachableError';
  }
}

/** One method with its handler, ready to be registered. Made by `unary`, `unaryReply`, `serverStream` and `bidi`. */
export interface BoundMethod {
  readonly kind: 'unary' | 'serverStream' | 'bidi';
  readonly path: string;
  decode(bytes: Uint8Array): unknown;
  encode(response: unknown): Uint8Array;
  // biome-ignore lint/suspicious/noExplicitAny: the makers below check the types; engines only pass values through
  readonly handler: (...args: any[]) => any;
  /** Does what `handler` does, without promises. An engine may call either. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly replyHandler?: ReplyHandler<any, any>;
}

type RequestOf<M> = M extends MethodDefinition<infer Request, infer _Response> ? Request : never;
type ResponseOf<M> = M extends MethodDefinition<infer _Request, infer Response> ? Response : never;

function bind(
  kind: BoundMethod['kind'],
  service: ServiceDefinition,
  name: string,
  handler: BoundMethod['handler'],
  codec: CodecOverride<unknown, unknown>,
): BoundMethod {
  const method = service.methods[name];
  if (!method) throw new Error(`service ${service.fullName} has no method ${name}`);
  return {
    kind,
    path: `/${service.fullName}/${method.name}`,
    decode: codec.decode ?? ((bytes) => method.requestType.decode(bytes)),
    encode: codec.encode ?? ((response) => method.responseType.encode(response).finish()),
    handler,
  };
}

/** Binds a unary method. `Request` and `Response` differ from the generated types only where `codec` says so. */
export function unary<
  Service extends ServiceDefinition,
  Name extends keyof Service['methods'] & string,
  Request = RequestOf<Service['methods'][Name]>,
  Response = ResponseOf<Service['methods'][Name]>,
>(
  service: Service,
  name: Name,
  handler: UnaryHandler<Request, Response>,
  codec: CodecOverride<Request, Response> = {},
): BoundMethod {
  return bind('unary', service, name, handler, codec as CodecOverride<unknown, unknown>);
}

/**
 * Binds a unary method whose handler answers through a `Reply`: for what is called very often and waits for others, where
 * promises would cost more than the work itself.
 */
export function unaryReply<
  Service extends ServiceDefinition,
  Name extends keyof Service['methods'] & string,
  Request = RequestOf<Service['methods'][Name]>,
  Response = ResponseOf<Service['methods'][Name]>,
>(
  service: Service,
  name: Name,
  replyHandler: ReplyHandler<Request, Response>,
  codec: CodecOverride<Request, Response> = {},
): BoundMethod {
  const handler = (request: Request, call: Call): Promise<Response> =>
    new Promise((respond, reject) => replyHandler(request, call, { respond, reject }));
  return { ...bind('unary', service, name, handler, codec as CodecOverride<unknown, unknown>), replyHandler };
}

/** Binds a method with one request and a stream of answers. */
export function serverStream<
  Service extends ServiceDefinition,
  Name extends keyof Service['methods'] & string,
  Request = RequestOf<Service['methods'][Name]>,
  Response = ResponseOf<Service['methods'][Name]>,
>(
  service: Service,
  name: Name,
  handler: ServerStreamHandler<Request, Response>,
  codec: CodecOverride<Request, Response> = {},
): BoundMethod {
  return bind('serverStream', service, name, handler, codec as CodecOverride<unknown, unknown>);
}

/** Binds a method with streams both ways. */
export function bidi<
  Service extends ServiceDefinition,
  Name extends keyof Service['methods'] & string,
  Request = RequestOf<Service['methods'][Name]>,
  Response = ResponseOf<Service['methods'][Name]>,
>(
  service: Service,
  name: Name,
  handler: BidiHandler<Request, Response>,
  codec: CodecOverride<Request, Response> = {},
): BoundMethod {
  return bind('bidi', service, name, handler, codec as CodecOverride<unknown, unknown>);
}
