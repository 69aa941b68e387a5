import { MqError, quoted } from '@orbitmq/base';
import type { IncomingMessage } from './incoming-message.ts';
import type { MessageLimits } from './limits.ts';
import { checkKey, checkLiteTopicName, checkMessageGroup, checkTag } from './names.ts';
import { RESERVED_PROPERTY_NAMES } from './reserved-properties.ts';

/**
 * Checks one message of a send by all rules that need no knowledge of its topic.
 * @param nowMs wall clock, milliseconds since 1970
 * @throws MqError with RocketMQ's code of the first rule that is broken
 */
export function checkMessage(message: IncomingMessage, limits: MessageLimits, nowMs: number): void {
  checkBody(message, limits);
  checkProperties(message, limits);
  if (message.isMessageIdBlank) {
    throw new MqError(
      'ILLEGAL_MESSAGE_ID',
      'a message has an id of its producer; found none; set system_properties.message_id',
    );
  }
  if (message.tag !== undefined) checkTag(message.tag);
  if (message.offendingKey !== undefined) checkKey(message.offendingKey);
  if (message.messageGroup !== undefined) checkMessageGroup(message.messageGroup, limits.messageGroupBytesMax);
  if (message.liteTopic) checkLiteTopicName(message.liteTopic, limits.liteTopicLengthMax);
  checkTimes(message, limits, nowMs);
  if (message.priority !== undefined && message.priority < 0) {
    throw new MqError('BAD_REQUEST', `a priority is 0 or more; found ${message.priority}; raise it or set none`);
  }
}

/**
 * Checks that a send holds at least one message, all of the same topic; namespaces are not compared, as a topic's name
 * alone says which it is.
 * @throws MqError MESSAGE_CORRUPTED
 */
export function checkSameTopic(messages: readonly IncomingMessage[]): void {
  const first = messages[0];
  if (first === undefined) {
    throw new MqError('MESSAGE_CORRUPTED', 'a send holds at least one message; found none; add one');
  }
  for (const message of messages) {
    if (message.topicName === first.topicName) continue;
    throw new MqError(
      'MESSAGE_CORRUPTED',
      `all messages of one send have the same topic; found ${quoted(first.topicName)} and ${quoted(message.topicName)}; send them apart`,
    );
  }
}

function checkBody(message: IncomingMessage, limits: MessageLimits): void {
  const sizeBytes = message.body.length;
  if (sizeBytes === 0 && limits.bodyRequired) {
    throw new MqError('MESSAGE_BODY_EMPTY', 'a message has a body; found 0 bytes; set body');
  }
  if (sizeBytes > limits.bodyBytesMax) {
    throw new MqError(
      'MESSAGE_BODY_TOO_LARGE',
      `a body has at most ${limits.bodyBytesMax} bytes; found ${sizeBytes}; send less at once, or store it elsewhere and send its place`,
    );
  }
}

function checkProperties(message: IncomingMessage, limits: MessageLimits): void {
  if (message.userPropertyCount > limits.propertyCountMax) {
    throw new MqError(
      'MESSAGE_PROPERTIES_TOO_LARGE',
      `a message has at most ${limits.propertyCountMax} user properties; found ${message.userPropertyCount}; drop some`,
    );
  }
  const sizeBytes = message.userPropertyBytes + message.tagBytes + message.keyBytes;
  if (sizeBytes > limits.propertyBytesMax) {
    throw new MqError(
      'MESSAGE_PROPERTIES_TOO_LARGE',
      `user properties, tag and keys have at most ${limits.propertyBytesMax} bytes together; found ${sizeBytes}; move some into the body`,
    );
  }
  const key = message.offendingPropertyKey;
  if (key === undefined) return;
  const wanted = RESERVED_PROPERTY_NAMES.has(key)
    ? 'names of system properties are not open to user properties'
    : 'a user property holds no control characters in key and value';
  throw new MqError('ILLEGAL_MESSAGE_PROPERTY_KEY', `${wanted}; found key ${quoted(key)}; rename or correct it`);
}

function checkTimes(message: IncomingMessage, limits: MessageLimits, nowMs: number): void {
  const { bornTimestampMs, deliveryTimestampMs, recoveryDurationMs } = message;
  if (Number.isNaN(bornTimestampMs)) {
    throw new MqError(
      'BAD_REQUEST',
      'born_timestamp lies in the years 1 to 9999; found another; leave it out or correct it',
    );
  }
  if (deliveryTimestampMs !== undefined && !(deliveryTimestampMs - nowMs <= limits.deliveryDelayMsMax)) {
    throw new MqError(
      'ILLEGAL_DELIVERY_TIME',
      `a delivery time ${deliveryRule(limits)}; found ${describeMs(deliveryTimestampMs)}; choose another one`,
    );
  }
  if (recoveryDurationMs !== undefined && !(recoveryDurationMs <= limits.recoveryDelayMsMax)) {
    throw new MqError(
      'BAD_REQUEST',
      `orphaned_transaction_recovery_duration is at most ${limits.recoveryDelayMsMax} ms; found ${describeMs(recoveryDurationMs)}; choose a shorter one`,
    );
  }
}

function deliveryRule({ deliveryDelayMsMax }: MessageLimits): string {
  return Number.isFinite(deliveryDelayMsMax)
    ? `is at most ${deliveryDelayMsMax} ms ahead`
    : 'lies in the years 1 to 9999';
}

function describeMs(valueMs: number): string {
  return Number.isNaN(valueMs) ? 'none that can be read' : `${valueMs} ms`;
}
