import type { Client } from '@grpc/grpc-js';
import type { Clock } from '@orbitmq/base';
import type { CallOptions } from '../client.ts';
import { RpcError } from '../service.ts';
import { statusName } from '../status.ts';
import type { Channels } from './channels.ts';

/** What grpc-js's call objects have in common. */
interface Cancellable {
  cancel(): void;
}

/**
 * The life of one outgoing call before and while it is open: its deadline counts from the moment it is made, also while
 * a connection is still looked for, and it can be cancelled at any time.
 */
export class OutgoingCall {
  readonly deadlineMs: number;
  readonly #openCalls: Set<OutgoingCall>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  #open: Cancellable | undefined;
  #onCancel: (() => void) | undefined;
  #cancelled = false;

  constructor(openCalls: Set<OutgoingCall>, clock: Clock, options: CallOptions) {
    this.#openCalls = openCalls;
    this.#clock = clock;
    this.deadlineMs = options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.wallMs() + options.timeoutMs;
    this.#signal = options.signal;
    if (this.#signal) {
      this.#onAbort = () => this.cancel();
      this.#signal.addEventListener('abort', this.#onAbort, { once: true });
      this.#cancelled = this.#signal.aborted;
    }
    openCalls.add(this);
  }

  /** A connected channel. @throws RpcError when there is none in time, or the call is cancelled meanwhile */
  async connect(channels: Channels): Promise<Client> {
    this.checkOpen();
    return channels.connected ?? (await this.#withinDeadline(channels.connect()));
  }

  /** To be asked right before the call is sent, for it may have been cancelled in any pause. @throws RpcError */
  checkOpen(): void {
    if (this.#cancelled) throw new RpcError('CANCELLED', 'the call was cancelled by its caller');
  }

  /** The call is on its way; cancelling now means cancelling this. */
  opened(call: Cancellable): void {
    this.#open = call;
    if (this.#cancelled) call.cancel();
  }

  cancel(): void {
    this.#cancelled = true;
    this.#open?.cancel();
    this.#onCancel?.();
  }

  /** The call is over. */
  ended(): void {
    this.#openCalls.delete(this);
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  /**
   * An error of grpc-js as ours. A server that resets the stream at the deadline, of which it was told, was just quicker to see it pass;
   * grpc-js takes that for a cancellation.
   */
  errorOf(error: unknown): unknown {
    const known = rpcErrorOf(error);
    const isLate = !this.#cancelled && this.#clock.wallMs() >= this.deadlineMs;
    if (!isLate || !(known instanceof RpcError) || known.status !== 'CANCELLED') return known;
    return new RpcError('DEADLINE_EXCEEDED', 'the deadline of the call has passed', error);
  }

  #withinDeadline<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#onCancel = () => reject(new RpcError('CANCELLED', 'the call was cancelled while no connection stood'));
      const timer = Number.isFinite(this.deadlineMs)
        ? this.#clock.setTimer(Math.max(0, this.deadlineMs - this.#clock.wallMs()), () =>
            reject(new RpcError('DEADLINE_EXCEEDED', 'no connection before the deadline of the call')),
          )
        : undefined;
      const settled = (): void => {
        timer?.cancel();
        this.#onCancel = undefined;
      };
      promise.then(resolve, reject).finally(settled);
    });
  }
}

function rpcErrorOf(error: unknown): unknown {
  if (error instanceof Error && 'code' in error && typeof error.code === 'number') {
    const details = 'details' in error && typeof error.details === 'string' ? error.details : error.message;
    return new RpcError(statusName(error.code), details, error);
  }
  return error;
}
