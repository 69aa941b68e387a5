import { systemClock } from '@orbitmq/base';
import {
  Code,
  FilterType,
  type Message,
  MessagingServiceDefinition,
  type Resource,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { RpcError } from '@orbitmq/rpc';
import type { AdminContext } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { printable } from '../table.ts';
import { type Options, type Output, RefusedError } from '../verb.ts';
import { type BrokerSession, callOptions, checkStatus, openSessions } from './broker-session.ts';

const COUNT_DEFAULT = 128;
const COUNT_MAX = 10_000;
const WAIT_DEFAULT_S = 5;
const BATCH_MAX = 32;
const INVISIBLE_S = 30n;
const MARGIN_MS = 3000;
const BODY_SHOWN_MAX = 4096;

interface Wanted {
  readonly topic: Resource;
  readonly group: Resource;
  readonly expression: string;
  /** Messages still to come. */
  left: number;
  /** Monotonic milliseconds. */
  readonly endMs: number;
}

/** Receives messages as a member of a consumer group, prints and acknowledges them. */
export async function consumeMessage(context: AdminContext, options: Options): Promise<Output> {
  const wanted: Wanted = {
    topic: { resourceNamespace: '', name: requiredText(options, 'topic') },
    group: { resourceNamespace: '', name: requiredText(options, 'consumerGroup') },
    expression: textOf(options, 'tags') ?? '*',
    left: wholeNumberOf(options, 'messageNumber', 1, COUNT_MAX) ?? COUNT_DEFAULT,
    endMs: systemClock.monotonicMs() + (wholeNumberOf(options, 'wait', 5, 3600) ?? WAIT_DEFAULT_S) * 1000,
  };
  const sessions = await openSessions(context, wanted.topic.name, textOf(options, 'brokerName'));
  try {
    const found = (await Promise.all(sessions.map((session) => drain(session, wanted)))).flat();
    const lines = found.map(({ brokerName, message }) => describe(brokerName, message));
    const text = lines.length > 0 ? lines.join('\n') : 'no message came';
    return { text, json: found.map(({ brokerName, message }) => ({ brokerName, ...asData(message) })) };
  } finally {
    for (const { rpc } of sessions) rpc.close();
  }
}

interface Received {
  readonly brokerName: string;
  readonly message: Message;
}

/** Takes messages from one broker until there are enough, or none comes any more. */
async function drain(session: BrokerSession, wanted: Wanted): Promise<Received[]> {
  const received: Received[] = [];
  while (wanted.left > 0 && systemClock.monotonicMs() < wanted.endMs) {
    const batchSize = Math.min(wanted.left, BATCH_MAX);
    // What another broker can't take any more is given back below.
    wanted.left -= batchSize;
    const messages = await receive(session, wanted, batchSize);
    wanted.left += batchSize - messages.length;
    if (messages.length === 0) break;
    await acknowledge(session, wanted, messages);
    for (const message of messages) received.push({ brokerName: session.brokerName, message });
  }
  return received;
}

async function receive(session: BrokerSession, wanted: Wanted, batchSize: number): Promise<Message[]> {
  const pollingMs = Math.max(WAIT_DEFAULT_S * 1000, wanted.endMs - systemClock.monotonicMs());
  const seconds = BigInt(Math.ceil(Math.min(pollingMs, 20_000) / 1000));
  const request = {
    group: wanted.group,
    messageQueue: { ...session.queue, topic: wanted.topic },
    filterExpression: { type: FilterType.TAG, expression: wanted.expression },
    batchSize,
    invisibleDuration: { seconds: INVISIBLE_S, nanos: 0 },
    autoRenew: false,
    longPollingTimeout: { seconds, nanos: 0 },
  };
  const options = callOptions(Number(seconds) * 1000 + MARGIN_MS);
  const messages: Message[] = [];
  for await (const response of session.rpc.serverStream(
    MessagingServiceDefinition,
    'receiveMessage',
    request,
    options,
  )) {
    if (response.message) messages.push(response.message);
    const code = response.status?.code;
    if (code !== undefined && code !== Code.MESSAGE_NOT_FOUND) checkStatus(response.status, session.brokerName);
  }
  return messages;
}

async function acknowledge(session: BrokerSession, wanted: Wanted, messages: readonly Message[]): Promise<void> {
  const entries = messages.map(({ systemProperties }) => ({
    messageId: systemProperties!.messageId,
    receiptHandle: systemProperties!.receiptHandle ?? '',
  }));
  const request = { group: wanted.group, topic: wanted.topic, entries };
  try {
    const { status } = await session.rpc.unary(
      MessagingServiceDefinition,
      'ackMessage',
      request,
      callOptions(MARGIN_MS),
    );
    checkStatus(status, session.brokerName);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new RefusedError(
      `broker ${session.brokerName} took no acknowledgement (${error.message}); the messages come again`,
    );
  }
}

function describe(brokerName: string, message: Message): string {
  const { messageId, tag, keys, queueId, queueOffset, deliveryAttempt } = message.systemProperties!;
  const body = printable(Buffer.from(message.body).toString());
  return (
    `MSGID: ${messageId} BROKER: ${brokerName} QID: ${queueId} OFFSET: ${queueOffset} ATTEMPT: ${deliveryAttempt} ` +
    `TAG: ${printable(tag ?? '')} KEYS: ${printable(keys.join(' '))} ` +
    `BODY: ${body.length > BODY_SHOWN_MAX ? `${body.slice(0, BODY_SHOWN_MAX)}…` : body}`
  );
}

function asData({ systemProperties, userProperties, body }: Message): Record<string, unknown> {
  const { messageId, tag, keys, queueId, queueOffset, deliveryAttempt, messageGroup } = systemProperties!;
  const properties = { messageId, tag, keys, queueId, queueOffset, deliveryAttempt, messageGroup };
  return { ...properties, userProperties, body: Buffer.from(body).toString(), bodyBase64: body };
}
