import { MqError } from '@orbitmq/base';
import { brokerNameOfRecallHandle, brokerNameOfTransaction } from '@orbitmq/protocol';
import { EndTransactionRequest, RecallMessageRequest } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call, Reply } from '@orbitmq/rpc';
import { unknownBroker } from './answers.ts';
import type { Candidates } from './broker-choice.ts';
import { passOn } from './pass-on.ts';
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
export function relayToOwner(context: RelayContext, request: OwnedRequest, call: Call, reply: Reply<Uint8Array>): void {
  passOn(ownersOf(context, request), request.bytes, call, reply);
}

function ownersOf({ brokers, choice }: RelayContext, { brokerName, topicName }: OwnedRequest): Candidates {
  if (brokerName === undefined) return choice.candidates(topicName, 'write');
  const owner = brokers.named(brokerName);
  if (owner === undefined) throw unknownBroker(brokerName);
  return [owner];
}

function nameOr(read: () => string): string | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MqError) return undefined;
    throw error;
  }
}
