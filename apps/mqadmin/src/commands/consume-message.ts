import { systemClock } from '@orbitmq/base';
import {
  Code,
  FilterType,
  LiteSubscriptionAction,
  type Message,
  MessagingServiceDefinition,
  type Resource,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { RpcError } from '@orbitmq/rpc';
import type { AdminContext } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { printable } from '../table.ts';
import { type Options, RefusedError } from '../usage.ts';
import type { Output } from '../verb.ts';
import { type BrokerSession, callOptions, checkStatus, openSessions } from './broker-session.ts';

const COUNT_DEFAULT = 128;
const COUNT_MAX = 10_000;
const WAIT_DEFAULT_S = 5;
const BATCH_MAX = 32;
const INVISIBLE_S = 30n;
const MARGIN_MS = 3000;
/** Brokers that have messages answer within this. */
const ABORT_DELAY_MS = 100;
const BODY_SHOWN_MAX = 4096;

interface Wanted {
  readonly topic: Resource;
  readonly group: Resource;
  readonly expression: string;
  /** Of a group that reads lite topics; none where it reads all of them. */
  readonly liteTopics: readonly string[];
  /** Messages still to come. */
  left: number;
  /** Monotonic milliseconds. */
  readonly endMs: number;
  /** Ends the long polls of the other brokers. */
  readonly enough: AbortController;
}

/** Receives messages as a member of a consumer group, prints and acknowledges them. */
export async function consumeMessage(context: AdminContext, options: Options): Promise<Output> {
  const wanted: Wanted = {
    topic: { resourceNamespace: '', name: requiredText(options, 'topic') },
    group: { resourceNamespace: '', name: requiredText(options, 'consumerGroup') },
    expression: textOf(options, 'tags') ?? '*',
    liteTopics: (textOf(options, 'liteTopic') ?? '').split(',').filter((name) => name !== ''),
    left: wholeNumberOf(options, 'messageNumber', 1, COUNT_MAX) ?? COUNT_DEFAULT,
    endMs: systemClock.monotonicMs() + (wholeNumberOf(options, 'wait', 5, 3600) ?? WAIT_DEFAULT_S) * 1000,
    enough: new AbortController(),
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

/** Takes messages from one broker until all brokers together gave enough, or none comes any more. */
async function drain(session: BrokerSession, wanted: Wanted): Promise<Received[]> {
  if (wanted.liteTopics.length === 0) return takeAll(session, wanted);
  await subscribe(session, wanted, LiteSubscriptionAction.PARTIAL_ADD);
  try {
    return await takeAll(session, wanted);
  } finally {
    await subscribe(session, wanted, LiteSubscriptionAction.PARTIAL_REMOVE);
  }
}

/** Lite topics are given to whoever has named them. */
async function subscribe(session: BrokerSession, wanted: Wanted, action: LiteSubscriptionAction): Promise<void> {
  const { topic, group, liteTopics } = wanted;
  const request = { action, topic, group, liteTopicSet: [...liteTopics] };
  const options = callOptions(MARGIN_MS);
  const answer = await session.rpc.unary(MessagingServiceDefinition, 'syncLiteSubscription', request, options);
  checkStatus(answer.status, session.brokerName);
}

async function takeAll(session: BrokerSession, wanted: Wanted): Promise<Received[]> {
  const received: Received[] = [];
  while (wanted.left > 0 && systemClock.monotonicMs() < wanted.endMs) {
    const messages = await receive(session, wanted, Math.min(wanted.left, BATCH_MAX));
    if (messages.length === 0) break;
    // Several brokers answer at once: what is too much goes back.
    const taken = messages.slice(0, wanted.left);
    wanted.left -= taken.length;
    // Answers that are under way are awaited: a message in one that is cut would come again only after its time.
    if (wanted.left === 0) systemClock.setTimer(ABORT_DELAY_MS, () => wanted.enough.abort());
    if (taken.length > 0) await acknowledge(session, wanted, taken);
    await Promise.all(messages.slice(taken.length).map((message) => giveBack(session, wanted, message)));
    for (const message of taken) received.push({ brokerName: session.brokerName, message });
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
  const options = { ...callOptions(Number(seconds) * 1000 + MARGIN_MS), signal: wanted.enough.signal };
  const messages: Message[] = [];
  try {
    const responses = session.rpc.serverStream(MessagingServiceDefinition, 'receiveMessage', request, options);
    for await (const response of responses) {
      if (response.message) messages.push(response.message);
      const code = response.status?.code;
      if (code !== undefined && code !== Code.MESSAGE_NOT_FOUND) checkStatus(response.status, session.brokerName);
    }
  } catch (error) {
    if (!(error instanceof RpcError) || !wanted.enough.signal.aborted) throw error;
  }
  return messages;
}

/** Makes a message visible to others again at once. */
async function giveBack(session: BrokerSession, wanted: Wanted, message: Message): Promise<void> {
  const { messageId, receiptHandle } = message.systemProperties!;
  const request = {
    group: wanted.group,
    topic: wanted.topic,
    receiptHandle: receiptHandle ?? '',
    invisibleDuration: { seconds: 0n, nanos: 0 },
    messageId,
  };
  try {
    await session.rpc.unary(MessagingServiceDefinition, 'changeInvisibleDuration', request, callOptions(MARGIN_MS));
  } catch (error) {
    // Then it comes back by itself, when its time is over.
    if (!(error instanceof RpcError)) throw error;
  }
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
  const { messageId, tag, keys, queueId, queueOffset, deliveryAttempt, liteTopic } = message.systemProperties!;
  const lite = liteTopic === undefined ? '' : `LITE TOPIC: ${printable(liteTopic)} `;
  const body = printable(Buffer.from(message.body).toString());
  return (
    `MSGID: ${messageId} BROKER: ${brokerName} QID: ${queueId} OFFSET: ${queueOffset} ATTEMPT: ${deliveryAttempt} ` +
    `${lite}TAG: ${printable(tag ?? '')} KEYS: ${printable(keys.join(' '))} ` +
    `BODY: ${body.length > BODY_SHOWN_MAX ? `${body.slice(0, BODY_SHOWN_MAX)}…` : body}`
  );
}

function asData({ systemProperties, userProperties, body }: Message): Record<string, unknown> {
  const { messageId, tag, keys, queueId, queueOffset, deliveryAttempt, messageGroup, liteTopic } = systemProperties!;
  const properties = { messageId, tag, keys, queueId, queueOffset, deliveryAttempt, messageGroup, liteTopic };
  return { ...properties, userProperties, body: Buffer.from(body).toString(), bodyBase64: body };
}
