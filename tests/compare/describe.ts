import { createHash } from 'node:crypto';
import {
  ClientType,
  DigestType,
  Encoding,
  FilterType,
  type Message,
  MessageType,
  type Settings,
  type SystemProperties,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Duration, Timestamp } from '@orbitmq/protocol/google.protobuf';
import { nameIn } from './answer.ts';
import type { Outcome } from './outcome.ts';
import type { World } from './world.ts';

/** What the original keeps in properties of a message and lets its consumers see; the values are of the moment. */
const LEAKED = new Set(['__transactionId__', 'TRANSACTION_CHECK_TIMES', 'CHECK_IMMUNITY_TIME_IN_SECONDS']);
/** Hosts with a port, and without. */
const HOST_PORT = /^[0-9a-z.:[\]-]+:\d+$/i;
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;

/** Milliseconds of a duration or time. */
export function millisecondsOf(time: Duration | Timestamp): number {
  return Number(time.seconds) * 1000 + time.nanos / 1_000_000;
}

/**
 * All fields of a delivered message that are there, each compared with what was sent: nothing of it is by chance.
 * @param sent undefined when it is not known
 */
export function describeMessage(world: World, message: Message | undefined, sent?: Message): Outcome {
  if (message === undefined) return 'no message';
  return {
    topic: message.topic ? world.withoutNames(message.topic.name) : 'none',
    namespace: message.topic?.resourceNamespace ?? 'none',
    body: sent && Buffer.compare(message.body, sent.body) === 0 ? 'as sent' : `${message.body.length} bytes`,
    userProperties: describeProperties(world, message.userProperties),
    ...describeSystem(world, message.systemProperties, message.body, sent?.systemProperties),
  };
}

function describeProperties(world: World, properties: ReadonlyMap<string, string>): Outcome {
  const pairs = [...properties].map(
    ([key, value]) => [key, LEAKED.has(key) ? 'some' : world.withoutNames(value)] as const,
  );
  return Object.fromEntries(pairs.sort(([one], [other]) => (one < other ? -1 : 1)));
}

function describeSystem(
  world: World,
  system: SystemProperties | undefined,
  body: Uint8Array,
  sent: SystemProperties | undefined,
): Record<string, Outcome> {
  if (system === undefined) return { systemProperties: 'none' };
  const fields: Record<string, Outcome | undefined> = {
    tag: system.tag,
    keys: system.keys,
    messageId: system.messageId === sent?.messageId ? 'as sent' : 'another',
    digest: describeDigest(system, body),
    encoding: nameIn(Encoding, system.bodyEncoding),
    messageType: nameIn(MessageType, system.messageType),
    bornTimestamp: describeTime(system.bornTimestamp, sent?.bornTimestamp),
    bornHost: describeHost(system.bornHost, sent?.bornHost),
    storeTimestamp: describeTime(system.storeTimestamp, undefined),
    storeHost: describeHost(system.storeHost, undefined),
    deliveryTimestamp: system.deliveryTimestamp && describeTime(system.deliveryTimestamp, sent?.deliveryTimestamp),
    receiptHandle: system.receiptHandle === undefined ? undefined : system.receiptHandle === '' ? 'empty' : 'some',
    queueOffset: system.queueOffset === undefined ? undefined : 'some',
    invisibleDuration: system.invisibleDuration && millisecondsOf(system.invisibleDuration),
    deliveryAttempt: system.deliveryAttempt,
    messageGroup: system.messageGroup,
    traceContext: system.traceContext,
    recoveryDuration:
      system.orphanedTransactionRecoveryDuration && millisecondsOf(system.orphanedTransactionRecoveryDuration),
    deadLetterTopic: system.deadLetterQueue && world.withoutNames(system.deadLetterQueue.topic),
    deadLetterId:
      system.deadLetterQueue && (system.deadLetterQueue.messageId === sent?.messageId ? 'as sent' : 'another'),
    liteTopic: system.liteTopic,
    priority: system.priority,
  };
  return withoutUndefined(fields);
}

function describeDigest({ bodyDigest }: SystemProperties, body: Uint8Array): Outcome {
  if (bodyDigest === undefined) return 'none';
  const type = nameIn(DigestType, bodyDigest.type);
  if (bodyDigest.type !== DigestType.MD5) return type;
  const right = createHash('md5').update(body).digest('hex').toUpperCase();
  return bodyDigest.checksum === right ? 'MD5, upper case, right' : `MD5, ${bodyDigest.checksum}`;
}

function describeTime(time: Timestamp | undefined, sent: Timestamp | undefined): Outcome {
  if (time === undefined) return 'none';
  if (sent !== undefined && millisecondsOf(time) === millisecondsOf(sent)) return 'as sent';
  return Math.abs(millisecondsOf(time) - Date.now()) < 120_000 ? 'now' : 'another time';
}

function describeHost(host: string, sent: string | undefined): Outcome {
  if (host === '') return 'empty';
  if (host === sent) return 'as sent';
  if (ADDRESS.test(host)) return 'an address';
  return HOST_PORT.test(host) ? 'an address with a port' : 'another text';
}

/** All fields of settings that are there. */
export function describeSettings(world: World, settings: Settings | undefined): Outcome {
  if (settings === undefined) return 'none';
  const { accessPoint, backoffPolicy, metric, publishing, requestTimeout, subscription, userAgent } = settings;
  const fields: Record<string, Outcome | undefined> = {
    clientType: settings.clientType === undefined ? undefined : nameIn(ClientType, settings.clientType),
    accessPoint: accessPoint?.addresses.map(({ host, port }) => `${host}:${port}`),
    requestTimeout: requestTimeout && millisecondsOf(requestTimeout),
    maxAttempts: backoffPolicy?.maxAttempts,
    exponential: backoffPolicy?.exponentialBackoff && {
      initial: backoffPolicy.exponentialBackoff.initial ? millisecondsOf(backoffPolicy.exponentialBackoff.initial) : 0,
      max: backoffPolicy.exponentialBackoff.max ? millisecondsOf(backoffPolicy.exponentialBackoff.max) : 0,
      multiplier: backoffPolicy.exponentialBackoff.multiplier,
    },
    customized: backoffPolicy?.customizedBackoff?.next.map(millisecondsOf),
    publishing: publishing && {
      topics: publishing.topics.map(
        ({ name, resourceNamespace }) => `${resourceNamespace}/${world.withoutNames(name)}`,
      ),
      maxBodySize: publishing.maxBodySize,
      validateMessageType: publishing.validateMessageType,
    },
    subscription: subscription && describeSubscription(world, subscription),
    userAgent: userAgent && `${userAgent.language} ${userAgent.version} ${userAgent.platform} ${userAgent.hostname}`,
    metric: metric && (metric.on ? 'on' : 'off'),
    clientProperties: settings.clientProperties.size === 0 ? undefined : Object.fromEntries(settings.clientProperties),
  };
  return withoutUndefined(fields);
}

function describeSubscription(world: World, subscription: NonNullable<Settings['subscription']>): Outcome {
  const { group, longPollingTimeout } = subscription;
  const fields: Record<string, Outcome | undefined> = {
    group: group && `${group.resourceNamespace}/${world.withoutNames(group.name)}`,
    subscriptions: subscription.subscriptions.map(({ topic, expression }) => {
      const name = world.withoutNames(topic?.name ?? 'none');
      return `${topic?.resourceNamespace}/${name} ${nameIn(FilterType, expression?.type ?? 0)} ${expression?.expression}`;
    }),
    fifo: subscription.fifo,
    receiveBatchSize: subscription.receiveBatchSize,
    longPollingTimeout: longPollingTimeout && millisecondsOf(longPollingTimeout),
    liteSubscriptionQuota: subscription.liteSubscriptionQuota,
    maxLiteTopicSize: subscription.maxLiteTopicSize,
  };
  return withoutUndefined(fields);
}

function withoutUndefined(fields: Readonly<Record<string, Outcome | undefined>>): Record<string, Outcome> {
  const present = Object.entries(fields).filter((pair): pair is [string, Outcome] => pair[1] !== undefined);
  return Object.fromEntries(present);
}
