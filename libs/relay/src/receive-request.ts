import { ReceiveMessageRequest } from '@orbitmq/protocol/apache.rocketmq.v2';

/** A ReceiveMessageRequest with what decides where it goes. */
export interface ReceiveRequest {
  readonly bytes: Uint8Array;
  readonly topicName: string;
  readonly brokerName: string;
  /**
   * The client wants messages of the topic and names a broker because it has to, as simple consumers do, who walk through
   * the brokers. Push consumers poll each broker by a loop of its own.
   */
  readonly isOfAnyBroker: boolean;
  /** `long_polling_timeout`, milliseconds. */
  readonly requestedMs: number | undefined;
}

export function decodeReceiveRequest(bytes: Uint8Array): ReceiveRequest {
  const { messageQueue, autoRenew, longPollingTimeout } = ReceiveMessageRequest.decode(bytes);
  return {
    bytes,
    topicName: messageQueue?.topic?.name ?? '',
    brokerName: messageQueue?.broker?.name ?? '',
    isOfAnyBroker: !autoRenew,
    requestedMs: longPollingTimeout && Number(longPollingTimeout.seconds) * 1000 + longPollingTimeout.nanos / 1e6,
  };
}
