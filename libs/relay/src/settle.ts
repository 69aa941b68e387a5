import { MqError } from '@orbitmq/base';
import { brokerNameOfHandle } from '@orbitmq/protocol';
import {
  ChangeInvisibleDurationRequest,
  ForwardMessageToDeadLetterQueueRequest,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call, Reply } from '@orbitmq/rpc';
import { unknownBroker } from './answers.ts';
import type { Candidates } from './broker-choice.ts';
import { passOn } from './pass-on.ts';
import type { RelayContext } from './relay-context.ts';

/** A request about one message that was received, with what decides where it goes. */
export interface SettleRequest {
  readonly bytes: Uint8Array;
  readonly topicName: string;
  readonly receiptHandle: string;
}

export function decodeChangeInvisible(bytes: Uint8Array): SettleRequest {
  const { topic, receiptHandle } = ChangeInvisibleDurationRequest.decode(bytes);
  return { bytes, topicName: topic?.name ?? '', receiptHandle };
}

export function decodeDeadLetter(bytes: Uint8Array): SettleRequest {
  const { topic, receiptHandle } = ForwardMessageToDeadLetterQueueRequest.decode(bytes);
  return { bytes, topicName: topic?.name ?? '', receiptHandle };
}

/** ChangeInvisibleDuration, ForwardMessageToDeadLetterQueue: to the broker that handed the message out. */
export function relaySettle(context: RelayContext, request: SettleRequest, call: Call, reply: Reply<Uint8Array>): void {
  passOn(ownersOf(context, request.receiptHandle, request.topicName), request.bytes, call, reply);
}

/**
 * The broker that made a receipt handle. What is no handle may go to any broker of the topic: each refuses it in the
 * words that the client understands best.
 * @throws MqError INTERNAL_SERVER_ERROR when the broker is not there
 */
export function ownersOf(context: RelayContext, receiptHandle: string, topicName: string): Candidates {
  const name = brokerNameIn(receiptHandle);
  if (name === undefined) return context.choice.candidates(topicName, 'read');
  const owner = context.brokers.named(name);
  if (!owner) throw unknownBroker(name);
  return [owner];
}

function brokerNameIn(receiptHandle: string): string | undefined {
  try {
    return brokerNameOfHandle(receiptHandle);
  } catch (error) {
    if (error instanceof MqError) return undefined;
    throw error;
  }
}
