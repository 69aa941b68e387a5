import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '@orbitmq/base';
import { Intake } from './intake.ts';
import { Listener } from './listener.ts';
import type { RpcLimit, RpcServer, RpcServerOptions, TlsIdentity } from './server.ts';
import { limitsWithDefaults, type ServerLimits } from './server-limits.ts';
import { RpcError } from './service.ts';

/** A call that is open when its server stops. */
export interface StoppableCall {
  /** The server has begun to stop. */
  drain(): void;
  /** Ends it at once. */
  abort(error: RpcError): void;
}

/** What servers of all engines have in common: their port, and the order in which they stop. */
export abstract class PortServer implements RpcServer {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly intake: Intake;
  readonly onCallEnd: RpcServerOptions['onCallEnd'];
  abstract readonly openCalls: Iterable<StoppableCall>;
  readonly #options: RpcServerOptions;
  readonly #listener: Listener;
  #port = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: RpcServerOptions) {
    const { host, port, tls, http1, logger, onLimit } = options;
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.limits = limitsWithDefaults(options.limits);
    this.onCallEnd = options.onCallEnd;
    this.intake = new Intake(this.limits.unfinishedBytesMax, () => this.onLimit('unfinishedBytes'));
    const onConnection = (stream: Duplex): void => this.onConnection(stream);
    const { limits, clock } = this;
    this.#listener = new Listener({ host, port, tls, http1, logger, onLimit, limits, clock, onConnection });
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

  onLimit(limit: RpcLimit): void {
    this.#options.onLimit?.(limit);
  }

  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs);
    return this.#stopping;
  }

  /** Takes over a connection that has sent the HTTP/2 preface, which is still to be read from it. */
  protected abstract onConnection(stream: Duplex): void;
  /** Tells all connections that no new calls are taken. */
  protected abstract drainConnections(graceMs: number): void;
  /** All connections are cut; nothing is to be left behind. */
  protected abstract close(): void;

  async #stop(graceMs: number): Promise<void> {
    await null; // so that `draining` is true for those who are told below
    this.#listener.close();
    this.drainConnections(graceMs);
    for (const call of [...this.openCalls]) call.drain();
    await this.#emptyWithin(graceMs);
    for (const call of [...this.openCalls]) call.abort(new RpcError('UNAVAILABLE', 'the server has stopped'));
    await new Promise((resolve) => setImmediate(resolve)); // lets these answers reach the sockets
    this.#listener.destroy();
    this.close();
    await this.#listener.whenEmpty();
  }

  async #emptyWithin(graceMs: number): Promise<void> {
    const { promise: timeout, resolve: onTimeout } = Promise.withResolvers<void>();
    const timer = this.clock.setTimer(graceMs, onTimeout);
    await Promise.race([this.#listener.whenEmpty(), timeout]);
    timer.cancel();
  }
}
