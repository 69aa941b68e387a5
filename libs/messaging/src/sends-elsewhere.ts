import { javaStringHash, MqError, quoted } from '@orbitmq/base';
import { encodePassedSendRequest, type IncomingMessage } from '@orbitmq/protocol';
import {
  type MessageQueue,
  MessagingServiceDefinition,
  Permission,
  SendMessageResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { type Call, RpcError, UnreachableError } from '@orbitmq/rpc';
import type { MessagingContext } from './context.ts';
import { isPassedOn, metadataOf } from './passed-on.ts';
import { PeerConnections } from './peer-connections.ts';

const PATH = `/${MessagingServiceDefinition.fullName}/SendMessage`;
/** Longest wait for the other broker, and what is kept of the client's deadline to tell it. Milliseconds. */
const WAIT_MS_MAX = 10_000;
const MARGIN_MS = 100;

/**
 * Takes sends to another broker while this one is being drained. Clients get to know the new route after a while, and some send to queues that
 * are only there to be read: what they send must not fail until they do.
 */
export class SendsElsewhere {
  private readonly context: Pick<MessagingContext, 'routes' | 'config'>;
  private readonly peers: PeerConnections;
  private turn = 0;

  constructor(context: Pick<MessagingContext, 'routes' | 'config' | 'clock'>) {
    this.context = context;
    this.peers = new PeerConnections(context.clock);
  }

  /** Closes the connections to other brokers. */
  stop(): void {
    this.peers.stop();
  }

  /**
   * @param refusal what the client is told when there is nobody to take it
   * @throws MqError `refusal`; PROXY_TIMEOUT when a broker may have stored it without answering
   */
  async send(messages: readonly IncomingMessage[], call: Call, refusal: MqError): Promise<SendMessageResponse> {
    const first = messages[0];
    if (first === undefined || isPassedOn(call)) throw refusal;
    const request = encodePassedSendRequest(messages);
    const queues = (await this.context.routes.routeOf(first.topicName)) ?? [];
    const brokers = this.inOrder(queues, first.messageGroup ?? first.liteTopic);
    for (const { name, address } of brokers) {
      const timeoutMs = Math.max(1, Math.min(call.remainingMs() - MARGIN_MS, WAIT_MS_MAX));
      try {
        const answer = await this.peers.to(address).raw.unary(PATH, request, { timeoutMs, metadata: metadataOf(call) });
        return SendMessageResponse.decode(answer);
      } catch (error) {
        if (error instanceof UnreachableError) continue;
        if (!(error instanceof RpcError)) throw error;
        throw new MqError(
          'PROXY_TIMEOUT',
          `this broker is being emptied and has passed this on to ${quoted(name)}, which has not answered; whether it is stored is not known; try again`,
          { cause: error },
        );
      }
    }
    throw refusal;
  }

  /** Brokers that take messages of a topic: what is to stay in order goes to the same one, the rest in turns. */
  private inOrder(queues: readonly MessageQueue[], orderKey: string | undefined): { name: string; address: string }[] {
    const addresses = new Map<string, string>();
    for (const { broker, permission } of queues) {
      const isWritable = permission === Permission.READ_WRITE || permission === Permission.WRITE;
      const address = broker?.endpoints?.addresses[0];
      if (!isWritable || broker === undefined || address === undefined) continue;
      if (broker.name === this.context.config.brokerName) continue;
      const host = address.host.includes(':') ? `[${address.host}]` : address.host;
      addresses.set(broker.name, `${host}:${address.port}`);
    }
    const brokers = [...addresses].map(([name, address]) => ({ name, address }));
    brokers.sort((left, right) => (left.name < right.name ? -1 : 1));
    if (brokers.length === 0) return brokers;
    const start = (orderKey === undefined ? this.turn++ : javaStringHash(orderKey) >>> 0) % brokers.length;
    return [...brokers.slice(start), ...brokers.slice(0, start)];
  }
}
