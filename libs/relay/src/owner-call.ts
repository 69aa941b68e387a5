import { MqError } from '@orbitmq/base';
import { brokerNameOfRecallHandle, brokerNameOfTransaction } from '@orbitmq/protocol';
import { EndTransactionRequest, RecallMessageRequest } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { unknownBroker } from './answers.ts';
import { firstReachable } from './first-reachable.ts';
import { forward } from './forward.ts';
import type { RelayContext } from './relay-context.ts';

/** A request that only the broker can answer which made a text in it. */
export interface OwnedRequest {
  readonly bytes: Uint8Array;
  readonly topicName: string;
  /** undefined: the text is none of ours, and any broker of the topic refuses it in its own words. */
  readonly brokerName: string | undefined;
}

export function decodeRecall(bytes: Uint8Array): OwnedRequest {
  const { topic, recallHandle } = RecallMessageRequest.decode(bytes);
  return { bytes, topicName: topic?.name ?? '', brokerName: nameOr(() => brokerNameOfRecallHandle(recallHandle)) };
}

export function decodeEndTransaction(bytes: Uint8Array): OwnedRequest {
  const { topic, transactionId } = EndTransactionRequest.decode(bytes);
  return { bytes, topicName: topic?.name ?? '', brokerName: nameOr(() => brokerNameOfTransaction(transactionId)) };
}

/**
 * RecallMessage, EndTransaction: to the broker that holds what the request is about.
 * @throws MqError INTERNAL_SERVER_ERROR when that broker is not there
 */
export async function relayToOwner(context: RelayContext, request: OwnedRequest, call: Call): Promise<Uint8Array> {
  const { brokerName, bytes, topicName } = request;
  if (brokerName === undefined) {
    const candidates = await context.choice.candidates(topicName, 'write');
    return firstReachable(candidates, (broker) => forward(broker, bytes, call));
  }
  const owner = context.brokers.named(brokerName);
  if (owner === undefined) throw unknownBroker(brokerName);
  return firstReachable([owner], (broker) => forward(broker, bytes, call));
}

function nameOr(read: () => string): string | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MqError) return undefined;
    throw error;
  }
}
