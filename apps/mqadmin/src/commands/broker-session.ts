import { quoted, systemRandom } from '@orbitmq/base';
import { Code, type MessageQueue, type Status } from '@orbitmq/protocol/apache.rocketmq.v2';
import { type CallOptions, createRpcClient, type RpcClient } from '@orbitmq/rpc';
import { VERSION } from '@orbitmq/runtime';
import { type AdminContext, addressOf } from '../admin-context.ts';
import { RefusedError, UsageError } from '../usage.ts';

/** A broker as clients speak to it. */
export interface BrokerSession {
  readonly brokerName: string;
  readonly queue: MessageQueue;
  readonly rpc: RpcClient;
}

/**
 * Opens the client API of the brokers of a topic.
 * @param brokerName only this one, when given
 * @throws MqError TOPIC_NOT_FOUND, UsageError when the broker does not have the topic
 */
export async function openSessions(
  context: AdminContext,
  topicName: string,
  brokerName: string | undefined,
): Promise<BrokerSession[]> {
  const { messageQueues } = await context.cluster.routeOf(topicName);
  const first = new Map<string, MessageQueue>();
  for (const queue of messageQueues) if (!first.has(queue.broker!.name)) first.set(queue.broker!.name, queue);
  if (first.size === 0) throw await context.topicNotFound(topicName, 'make it with updateTopic');
  const wanted = [...first].filter(([name]) => brokerName === undefined || name === brokerName);
  if (wanted.length === 0) {
    const found = [...first.keys()].map((name) => quoted(name)).join(', ');
    throw new UsageError(
      `the topic ${quoted(topicName)} is not on the broker ${quoted(brokerName!)}; it is on ${found}`,
    );
  }
  return wanted.map(([name, queue]) => {
    const addresses = addressOf(queue.broker!.endpoints).split(',');
    return { brokerName: name, queue, rpc: createRpcClient({ addresses, tls: undefined }) };
  });
}

/** What official clients say with each call. */
export function callOptions(timeoutMs: number): CallOptions {
  return { timeoutMs, metadata: HEADERS };
}

const HEADERS: readonly (readonly [string, string])[] = [
  ['x-mq-client-id', `mqadmin@${process.pid}@${Buffer.from(systemRandom.bytes(6)).toString('hex')}`],
  ['x-mq-language', 'OTHER'],
  ['x-mq-client-version', VERSION],
  ['x-mq-protocol', 'v2'],
];

/** @throws RefusedError with what the broker says when the status is not OK */
export function checkStatus(status: Status | undefined, brokerName: string): void {
  if (status?.code === Code.OK) return;
  throw new RefusedError(`broker ${brokerName}: ${status?.message ?? 'no status'} (code ${status?.code ?? 0})`);
}
