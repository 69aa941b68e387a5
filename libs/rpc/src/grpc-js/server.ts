import type { Duplex } from 'node:stream';
import {
  type ConnectionInjector,
  type Metadata as GrpcMetadata,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerOptions,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { MIB } from '@orbitmq/base';
import { PortServer } from '../port-server.ts';
import type { RpcServer, RpcServerOptions } from '../server.ts';
import type { BoundMethod } from '../service.ts';
import { boundTimeouts, http2OptionsOf, ignoreClosedStreams } from './internals.ts';
import type { CallHost, ServerCall } from './server-call.ts';
import { BidiCall, ServerStreamCall, UnaryCall } from './server-calls.ts';
import { UnreadStreams } from './unread-streams.ts';

/** grpc-js cuts connections at the end of its own time to drain; that has to come after the last answers of ours. */
const DESTROY_DELAY_MS = 10_000;

const CALL_CLASSES = { unary: UnaryCall, serverStream: ServerStreamCall, bidi: BidiCall } as const;

/**
 * What grpc-js starts and reports to in place of its own call object: it starts the transport's call with itself as the
 * listener, and passes the events on to our call.
 */
class CallEvents {
  readonly #base: ServerInterceptingCallInterface;
  readonly #call: ServerCall;

  constructor(base: ServerInterceptingCallInterface, call: ServerCall) {
    this.#base = base;
    this.#call = call;
  }

  start(): void {
    this.#base.start(this);
  }

  onReceiveMetadata(metadata: GrpcMetadata): void {
    this.#call.onHeaders(metadata);
  }

  onReceiveMessage(bytes: Buffer): void {
    this.#call.onMessage(bytes);
  }

  onReceiveHalfClose(): void {
    this.#call.onHalfClose();
  }

  onCancel(): void {
    this.#call.onClosed();
  }
}

class GrpcJsServer extends PortServer implements CallHost {
  readonly openCalls = new Set<ServerCall>();
  readonly unreadStreams: UnreadStreams;
  readonly #methods: ReadonlyMap<string, BoundMethod>;
  readonly #server: Server;
  readonly #injector: ConnectionInjector;

  constructor(options: RpcServerOptions) {
    super(options);
    this.#methods = new Map(options.methods.map((method) => [method.path, method]));
    this.unreadStreams = new UnreadStreams(this.clock);
    setLogVerbosity(logVerbosity.NONE); // it writes texts of clients to the console
    boundTimeouts();
    this.#server = new Server(this.#serverOptions());
    ignoreClosedStreams(this.#server);
    http2OptionsOf(this.#server).settings = {
      maxConcurrentStreams: this.limits.concurrentStreamsMax,
      maxHeaderListSize: this.limits.metadataBytesMax,
      enablePush: false,
    };
    for (const method of options.methods) {
      // The handler is never called: the interceptor takes each call over before.
      if (!this.#server.register(method.path, ignore, identity, identity, method.kind)) {
        throw new Error(`method ${method.path} is bound twice`);
      }
    }
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  protected override onConnection(stream: Duplex): void {
    this.#injector.injectConnection(stream);
  }

  protected override drainConnections(graceMs: number): void {
    this.#injector.drain(graceMs + DESTROY_DELAY_MS);
  }

  protected override close(): void {
    this.#server.forceShutdown();
  }

  #serverOptions(): ServerOptions {
    const { limits } = this;
    return {
      'grpc.enable_channelz': 0,
      ...(limits.connectionAgeMsMax < Number.POSITIVE_INFINITY && {
        'grpc.max_connection_age_ms': limits.connectionAgeMsMax,
      }),
      'grpc.max_receive_message_length': limits.receiveMessageBytesMax,
      'grpc.max_send_message_length': -1,
      // Headers and answers that a client does not take; beyond, its new calls are reset. Megabytes.
      'grpc-node.max_session_memory': Math.max(1, Math.ceil(limits.queuedBytesMax / MIB)),
      interceptors: [
        ({ path }, base) => {
          const method = this.#methods.get(path)!;
          const call = new CALL_CLASSES[method.kind](this, method, base);
          return new CallEvents(base, call) as unknown as ServerInterceptingCall;
        },
      ],
    };
  }
}

const ignore = (): void => {};
const identity = (bytes: Buffer): Buffer => bytes;

/**
 * Listens on a port and serves the given methods.
 * @throws Error when the port cannot be had or the TLS identity is not usable
 */
export function startGrpcJsServer(options: RpcServerOptions): Promise<RpcServer> {
  return new GrpcJsServer(options).start();
}
