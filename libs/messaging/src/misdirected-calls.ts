import { type Clock, MqError, quoted } from '@orbitmq/base';
import { brokerNameOfRecallHandle, brokerNameOfTransaction } from '@orbitmq/protocol';
import {
  type EndTransactionRequest,
  type EndTransactionResponse,
  MessagingServiceDefinition,
  type RecallMessageRequest,
  type RecallMessageResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { type BoundMethod, type Call, RpcError, type UnaryHandler, unary } from '@orbitmq/rpc';
import { answering } from './answers.ts';
import type { MessagingEvents } from './events.ts';
import { isPassedOn, metadataOf } from './passed-on.ts';
import { PeerConnections } from './peer-connections.ts';
import type { RouteSource } from './route-source.ts';

/** Longest wait for the other broker, and what is kept of the client's deadline to tell it. Milliseconds. */
const WAIT_MS_MAX = 10_000;
const MARGIN_MS = 100;

/** What it takes to bring a call to another broker. */
export interface MisdirectedCallsOptions {
  readonly brokerName: string;
  readonly routes: RouteSource;
  readonly clock: Clock;
  readonly events: MessagingEvents;
}

/** Where a call belongs. */
interface Owner {
  readonly topicName: string;
  readonly brokerName: string;
}

/**
 * Takes calls that are about a message of another broker to that broker. Go and C++ bring a recall to any broker of the
 * topic, and Rust ends all transactions at its access point, which may be a broker.
 */
export class MisdirectedCalls {
  private readonly options: MisdirectedCallsOptions;
  private readonly peers: PeerConnections;

  constructor(options: MisdirectedCallsOptions) {
    this.options = options;
    this.peers = new PeerConnections(options.clock);
  }

  /** The methods of the messaging service, which see their own calls only. */
  wrap(methods: readonly BoundMethod[]): BoundMethod[] {
    return methods.map((method) => {
      if (method.path.endsWith('/RecallMessage')) return this.recallMessage(method);
      return method.path.endsWith('/EndTransaction') ? this.endTransaction(method) : method;
    });
  }

  /** Closes the connections to other brokers. */
  stop(): void {
    this.peers.stop();
  }

  private recallMessage({ handler, decode }: BoundMethod): BoundMethod {
    const serve = handler as UnaryHandler<RecallMessageRequest, RecallMessageResponse>;
    return unary(
      MessagingServiceDefinition,
      'recallMessage',
      answering(
        'RecallMessage',
        this.options.events,
        (request: RecallMessageRequest, call) => {
          const owner = this.otherOwner(request, call, () => brokerNameOfRecallHandle(request.recallHandle));
          if (!owner) return serve(request, call);
          return this.passOn(owner, call, (client, callOptions) =>
            client.unary(MessagingServiceDefinition, 'recallMessage', request, callOptions),
          );
        },
        (status) => ({ status, messageId: '' }),
      ),
      { decode: decode as (bytes: Uint8Array) => RecallMessageRequest },
    );
  }

  private endTransaction({ handler, decode }: BoundMethod): BoundMethod {
    const serve = handler as UnaryHandler<EndTransactionRequest, EndTransactionResponse>;
    return unary(
      MessagingServiceDefinition,
      'endTransaction',
      answering(
        'EndTransaction',
        this.options.events,
        (request: EndTransactionRequest, call) => {
          const owner = this.otherOwner(request, call, () => brokerNameOfTransaction(request.transactionId));
          if (!owner) return serve(request, call);
          return this.passOn(owner, call, (client, callOptions) =>
            client.unary(MessagingServiceDefinition, 'endTransaction', request, callOptions),
          );
        },
        (status) => ({ status }),
      ),
      { decode: decode as (bytes: Uint8Array) => EndTransactionRequest },
    );
  }

  /** Undefined: the call is for this broker, if only to be refused in its words. */
  private otherOwner(
    { topic }: RecallMessageRequest | EndTransactionRequest,
    call: Call,
    readName: () => string,
  ): Owner | undefined {
    if (isPassedOn(call)) return undefined;
    const brokerName = nameOr(readName);
    if (brokerName === undefined || brokerName === this.options.brokerName) return undefined;
    return { topicName: topic?.name ?? '', brokerName };
  }

  /**
   * @throws MqError INTERNAL_SERVER_ERROR when the other broker is not there, PROXY_TIMEOUT when it may have done what was
   * asked without answering
   */
  private async passOn<Response>(
    owner: Owner,
    call: Call,
    ask: (client: ReturnType<PeerConnections['to']>, options: PassedOptions) => Promise<Response>,
  ): Promise<Response> {
    const address = await this.addressOf(owner);
    const timeoutMs = Math.max(1, Math.min(call.remainingMs() - MARGIN_MS, WAIT_MS_MAX));
    try {
      return await ask(this.peers.to(address), { timeoutMs, metadata: metadataOf(call) });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      throw new MqError(
        'PROXY_TIMEOUT',
        `the broker ${quoted(owner.brokerName)}, to which this belongs, has not answered; whether it did what was asked is not known; try again`,
        { cause: error },
      );
    }
  }

  private async addressOf({ topicName, brokerName }: Owner): Promise<string> {
    const queues = await this.options.routes.routeOf(topicName);
    const queue = queues?.find(({ broker }) => broker?.name === brokerName);
    const address = queue?.broker?.endpoints?.addresses[0];
    if (address)
      return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
    throw new MqError(
      'INTERNAL_SERVER_ERROR',
      `the message is at the broker ${quoted(brokerName)}, which serves no topic ${quoted(topicName)} at the moment; try again when it is back`,
    );
  }
}

interface PassedOptions {
  readonly timeoutMs: number;
  readonly metadata: readonly (readonly [string, string])[];
}

function nameOr(read: () => string): string | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MqError) return undefined;
    throw error;
  }
}
