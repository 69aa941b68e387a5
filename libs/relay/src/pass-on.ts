import { MqError } from '@orbitmq/base';
import {
  type Call,
  type OpenCall,
  passedMetadata,
  type Reply,
  type RpcError,
  type UnaryReceiver,
  UnreachableError,
} from '@orbitmq/rpc';
import { encodeStatusAnswer, failureOf } from './answers.ts';
import type { Candidates } from './broker-choice.ts';
import type { BrokerConnection } from './broker-connections.ts';
import type { Broker } from './brokers.ts';
import { timeoutFor, WAIT_MAX_MS } from './forward.ts';

/**
 * Passes a unary call on, undecoded both ways: to the first of some brokers that is reached. A broker that may have got it
 * is the last one tried: whoever asked decides whether to do it again.
 * @param candidates at least one
 */
export function passOn(candidates: Candidates, request: Uint8Array, call: Call, reply: Reply<Uint8Array>): void {
  if (candidates instanceof Promise) {
    candidates.then(
      (found) => new PassedCall(found, request, call, reply).start(),
      (error) => refuse(reply, error),
    );
  } else {
    new PassedCall(candidates, request, call, reply).start();
  }
}

/** Tells the client what went wrong: as a status in the answer, or in gRPC's terms what is no MqError. */
export function refuse(reply: Reply<Uint8Array>, error: unknown): void {
  if (error instanceof MqError) reply.respond(encodeStatusAnswer(error));
  else reply.reject(error);
}

/** A call on its way. One object for all that has to be known of it, as there is one for each message. */
class PassedCall implements UnaryReceiver {
  readonly #brokers: readonly Broker[];
  readonly #request: Uint8Array;
  readonly #call: Call;
  readonly #reply: Reply<Uint8Array>;
  #index = 0;
  #connection: BrokerConnection | undefined;
  #there: OpenCall | undefined;

  constructor(brokers: readonly Broker[], request: Uint8Array, call: Call, reply: Reply<Uint8Array>) {
    this.#brokers = brokers;
    this.#request = request;
    this.#call = call;
    this.#reply = reply;
  }

  start(): void {
    // Not taken back: the reply ends the call, and with it its listeners.
    this.#call.onCancel(() => this.#there?.cancel());
    if (!this.#call.cancelled) this.#tryNext();
  }

  onResponse(response: Uint8Array): void {
    this.#release();
    this.#reply.respond(response);
  }

  onFailure(error: RpcError): void {
    this.#release();
    const { name } = this.#brokers[this.#index++]!;
    if (error instanceof UnreachableError && this.#index < this.#brokers.length && !this.#call.cancelled) {
      this.#tryNext();
      return;
    }
    try {
      refuse(this.#reply, failureOf(error, name));
    } catch (told) {
      this.#reply.reject(told);
    }
  }

  #tryNext(): void {
    const index = this.#index;
    const call = this.#call;
    const { connections } = this.#brokers[index]!;
    this.#connection = connections.acquire();
    const options = { timeoutMs: timeoutFor(call, WAIT_MAX_MS), metadata: passedMetadata(call) };
    const there = this.#connection.client.raw.unaryTo(call.path, this.#request, options, this);
    // It may have failed by now, and another broker been tried.
    if (this.#index === index) this.#there = there;
  }

  #release(): void {
    this.#brokers[this.#index]!.connections.release(this.#connection!);
  }
}
