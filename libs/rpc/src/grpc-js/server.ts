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
import { type Clock, MIB, systemClock } from '@orbitmq/base';
import { Intake } from '../intake.ts';
import { Listener } from '../listener.ts';
import type { RpcServer, RpcServerOptions, TlsIdentity } from '../server.ts';
import { limitsWithDefaults, type ServerLimits } from '../server-limits.ts';
import { type BoundMethod, RpcError } from '../service.ts';
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

class GrpcJsServer implements RpcServer, CallHost {
  readonly clock: Clock;
  readonly openCalls = new Set<ServerCall>();
  readonly intake: Intake;
  readonly unreadStreams: UnreadStreams;
  readonly onCallEnd: CallHost['onCallEnd'];
  readonly #options: RpcServerOptions;
  readonly #limits: ServerLimits;
  readonly #server: Server;
  readonly #injector: ConnectionInjector;
  readonly #listener: Listener;
  #port = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.onCallEnd = options.onCallEnd;
    this.unreadStreams = new UnreadStreams(this.clock);
    this.#limits = limitsWithDefaults(options.limits);
    this.intake = new Intake(this.#limits.unfinishedBytesMax, () => options.onLimit?.('unfinishedBytes'));
    setLogVerbosity(logVerbosity.NONE); // it writes texts of clients to the console
    boundTimeouts();
    this.#server = new Server(this.#serverOptions());
    ignoreClosedStreams(this.#server);
    http2OptionsOf(this.#server).settings = {
      maxConcurrentStreams: options.limits.concurrentStreamsMax,
      maxHeaderListSize: options.limits.metadataBytesMax,
      enablePush: false,
    };
    for (const method of options.methods) {
      // The handler is never called: the interceptor takes each call over before.
      if (!this.#server.register(method.path, ignore, identity, identity, method.kind)) {
        throw new Error(`method ${method.path} is bound twice`);
      }
    }
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#listener = new Listener({
      host: options.host,
      port: options.port,
      tls: options.tls,
      limits: this.#limits,
      http1: options.http1,
      clock: this.clock,
      logger: options.logger,
      onLimit: options.onLimit,
      onConnection: (connection) => this.#injector.injectConnection(connection),
    });
  }

  get port(): number {
    return this.#port;
  }

  get connectionCount(): number {
    return this.#listener.connectionCount;
  }

  get draining(): boolean {
    return this.#stopping !== undefined;
  }

  async start(): Promise<this> {
    this.#port = await this.#listener.listen();
    return this;
  }

  setTlsIdentity(identity: TlsIdentity): void {
    if (!this.#options.tls) throw new Error('this port was started without TLS');
    this.#listener.setTlsIdentity(identity);
  }

  onUnexpectedError(error: unknown, path: string): void {
    this.#options.onUnexpectedError(error, path);
  }

  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  async #stop(graceMs: number): Promise<void> {
    await null; // so that `draining` is true for those who are told below
    this.#listener.close();
    this.#injector.drain(graceMs + DESTROY_DELAY_MS);
    for (const call of this.openCalls) call.drain();
    await this.#emptyWithin(graceMs);
    for (const call of this.openCalls) call.abort(new RpcError('UNAVAILABLE', 'the server has stopped'));
    await new Promise((resolve) => setImmediate(resolve)); // lets these answers reach the sockets
    this.#listener.destroy();
    this.#server.forceShutdown();
    await this.#listener.whenEmpty();
  }

  async #emptyWithin(graceMs: number): Promise<void> {
    let onTimeout = ignore;
    const timeout = new Promise<void>((resolve) => {
      onTimeout = resolve;
    });
    const timer = this.clock.setTimer(graceMs, onTimeout);
    await Promise.race([this.#listener.whenEmpty(), timeout]);
    timer.cancel();
  }

  #serverOptions(): ServerOptions {
    const { limits } = this.#options;
    const methods = new Map<string, BoundMethod>(this.#options.methods.map((method) => [method.path, method]));
    return {
      'grpc.enable_channelz': 0,
      'grpc.max_receive_message_length': limits.receiveMessageBytesMax,
      'grpc.max_send_message_length': -1,
      // Headers and answers that a client does not take; beyond, its new calls are reset. Megabytes.
      'grpc-node.max_session_memory': Math.max(1, Math.ceil(this.#limits.queuedBytesMax / MIB)),
      interceptors: [
        ({ path }, base) => {
          const method = methods.get(path)!;
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
