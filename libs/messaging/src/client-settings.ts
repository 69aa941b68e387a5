import { type CodeName, MqError, quoted } from '@orbitmq/base';
import { checkGroupName, checkTopicForm } from '@orbitmq/protocol';
import { ClientType, Settings } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { MessagingLimits } from './config.ts';

const PROPERTIES_MAX = 32;
const PROPERTY_KEY = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const PROPERTY_VALUE_BYTES_MAX = 256;
const PROPERTIES_BYTES_MAX = 4_096;

/**
 * Checks what a client says about itself.
 * @returns encoded size of the settings, bytes
 * @throws MqError BAD_REQUEST, UNRECOGNIZED_CLIENT_TYPE, ILLEGAL_TOPIC, ILLEGAL_CONSUMER_GROUP, INVALID_CLIENT_PROPERTIES
 */
export function checkSettings(settings: Settings, limits: MessagingLimits): number {
  const { publishing, subscription } = settings;
  if (publishing === undefined && subscription === undefined) {
    throw refusal('BAD_REQUEST', 'settings hold publishing or subscription; found neither; set one of them');
  }
  checkClientType(settings.clientType, subscription !== undefined);
  const sizeBytes = Settings.encode(settings).finish().length;
  if (sizeBytes > limits.settingsBytesMax) {
    throw refusal(
      'BAD_REQUEST',
      `settings have at most ${limits.settingsBytesMax} bytes; found ${sizeBytes}; use fewer topics in one client`,
    );
  }
  for (const topic of publishing?.topics ?? []) checkTopicForm(topic.name);
  for (const entry of subscription?.subscriptions ?? []) checkTopicForm(entry.topic?.name ?? '');
  if (subscription) checkGroupName(subscription.group?.name ?? '');
  checkProperties(settings.clientProperties);
  return sizeBytes;
}

/**
 * Refuses kinds of clients that this broker does not serve; one that names no kind is taken by what it does.
 * @throws MqError UNRECOGNIZED_CLIENT_TYPE
 */
export function checkClientType(clientType: ClientType | undefined, consumes: boolean): void {
  switch (clientType) {
    case undefined:
    case ClientType.CLIENT_TYPE_UNSPECIFIED:
      return;
    case ClientType.PRODUCER:
      if (!consumes) return;
      throw refusal(
        'UNRECOGNIZED_CLIENT_TYPE',
        'a PRODUCER has publishing settings; found a subscription; set the client type of a consumer',
      );
    case ClientType.PUSH_CONSUMER:
    case ClientType.SIMPLE_CONSUMER:
    case ClientType.PULL_CONSUMER:
    case ClientType.LITE_PUSH_CONSUMER:
    case ClientType.LITE_SIMPLE_CONSUMER:
      return;
    default:
      throw refusal(
        'UNRECOGNIZED_CLIENT_TYPE',
        `client types are PRODUCER, PUSH_CONSUMER, SIMPLE_CONSUMER, PULL_CONSUMER and the lite ones; found number ${clientType}; use one of them`,
      );
  }
}

function checkProperties(properties: ReadonlyMap<string, string>): void {
  if (properties.size > PROPERTIES_MAX) {
    throw invalidProperties(`at most ${PROPERTIES_MAX} client properties are taken; found ${properties.size}`);
  }
  let totalBytes = 0;
  for (const [key, value] of properties) {
    const valueBytes = Buffer.byteLength(value);
    totalBytes += key.length + valueBytes;
    if (!PROPERTY_KEY.test(key) || key.startsWith('rocketmq.')) {
      throw invalidProperties(
        `keys of client properties have up to 64 letters, digits, _ . and -, begin with a letter and not with rocketmq.; found ${quoted(key)}`,
      );
    }
    if (valueBytes > PROPERTY_VALUE_BYTES_MAX) {
      throw invalidProperties(
        `values of client properties have at most ${PROPERTY_VALUE_BYTES_MAX} bytes; found ${valueBytes} under ${quoted(key)}`,
      );
    }
  }
  if (totalBytes > PROPERTIES_BYTES_MAX) {
    throw invalidProperties(
      `client properties have at most ${PROPERTIES_BYTES_MAX} bytes together; found ${totalBytes}`,
    );
  }
}

function invalidProperties(what: string): MqError {
  return refusal('INVALID_CLIENT_PROPERTIES', `${what}; correct or drop them`);
}

function refusal(code: CodeName, message: string): MqError {
  return new MqError(code, message);
}
