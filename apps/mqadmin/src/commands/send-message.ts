import { quoted, systemClock, systemRandom } from '@orbitmq/base';
import { encodeClientMessageId } from '@orbitmq/protocol';
import {
  Encoding,
  type Message,
  MessageType,
  MessagingServiceDefinition,
  Permission,
  type SendMessageRequest,
  SystemProperties,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { AdminContext } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { type Options, UsageError } from '../usage.ts';
import type { Output } from '../verb.ts';
import { type BrokerSession, callOptions, checkStatus, openSessions } from './broker-session.ts';

const TIMEOUT_MS = 5000;
const PRIORITY_MAX = 2 ** 31 - 1;
const WRITABLE: readonly Permission[] = [Permission.WRITE, Permission.READ_WRITE];
const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(MessageType).map(([name, type]) => [type, name]),
);
const DELAY_SECONDS_MAX = 100 * 365 * 24 * 3600;

/** Sends one message, as a client would. */
export async function sendMessage(context: AdminContext, options: Options): Promise<Output> {
  const topic = requiredText(options, 'topic');
  const sessions = await openSessions(context, topic, textOf(options, 'broker'));
  try {
    const messageType = typeOf(options);
    const session = sessionThatTakes(messageType, sessions, topic);
    const request: SendMessageRequest = { messages: [messageOf(topic, messageType, options)] };
    const response = await session.rpc.unary(
      MessagingServiceDefinition,
      'sendMessage',
      request,
      callOptions(TIMEOUT_MS),
    );
    checkStatus(response.status, session.brokerName);
    const entry = response.entries[0]!;
    const json = {
      brokerName: session.brokerName,
      sendResult: 'SEND_OK',
      messageId: entry.messageId,
      offset: entry.offset,
    };
    const columns = ['Broker Name', 'Send Result', 'MsgId', 'Offset'];
    return { text: renderTable(columns, [Object.values(json)]), json };
  } finally {
    for (const { rpc } of sessions) rpc.close();
  }
}

/** @throws UsageError when the options ask for two types */
function typeOf(options: Options): MessageType {
  const asked: MessageType[] = [];
  if (textOf(options, 'messageGroup') !== undefined) asked.push(MessageType.FIFO);
  if (textOf(options, 'delay') !== undefined) asked.push(MessageType.DELAY);
  if (textOf(options, 'priority') !== undefined) asked.push(MessageType.PRIORITY);
  if (textOf(options, 'liteTopic') !== undefined) asked.push(MessageType.LITE);
  if (asked.length > 1) throw new UsageError('a message has a group, a delay, a priority or a lite topic, only one');
  return asked[0] ?? MessageType.NORMAL;
}

/**
 * One of the brokers that take such messages, at random. The route decides, as it does for clients: a broker that has
 * the topic not yet would make it of another type than the others have.
 */
function sessionThatTakes(type: MessageType, sessions: readonly BrokerSession[], topic: string): BrokerSession {
  const able = sessions.filter(({ queue }) => queue.acceptMessageTypes.includes(type));
  // Where none may be written, the broker says why.
  const open = able.filter(({ queue }) => WRITABLE.includes(queue.permission));
  const chosen = open.length > 0 ? open : able;
  if (chosen.length > 0) return chosen[systemRandom.below(chosen.length)]!;
  const takes = `the topic ${quoted(topic)} takes no ${TYPE_NAMES.get(type)} messages`;
  if (type === MessageType.NORMAL) {
    throw new UsageError(
      `${takes}; for FIFO give a message group with -g, for DELAY a time with -d, for PRIORITY one with --priority, for LITE a lite topic with -l`,
    );
  }
  const types = sessions[0]!.queue.acceptMessageTypes.map((each) => TYPE_NAMES.get(each)).join(', ');
  throw new UsageError(
    `${takes}; found that it takes ${types}; make one with mqadmin updateTopic -a +message.type=${TYPE_NAMES.get(type)}`,
  );
}

function messageOf(topic: string, messageType: MessageType, options: Options): Message {
  const messageGroup = textOf(options, 'messageGroup');
  const delaySeconds = wholeNumberOf(options, 'delay', 0, DELAY_SECONDS_MAX);
  const priority = wholeNumberOf(options, 'priority', 0, PRIORITY_MAX);
  const liteTopic = textOf(options, 'liteTopic');
  const nowMs = systemClock.wallMs();
  const tag = textOf(options, 'tags');
  const systemProperties: SystemProperties = {
    ...SystemProperties.decode(new Uint8Array()),
    ...(tag === undefined ? {} : { tag }),
    ...(messageGroup === undefined ? {} : { messageGroup }),
    ...(priority === undefined ? {} : { priority }),
    ...(liteTopic === undefined ? {} : { liteTopic }),
    ...(delaySeconds === undefined ? {} : { deliveryTimestamp: timestampOf(nowMs + delaySeconds * 1000) }),
    keys: (textOf(options, 'keys') ?? '').split(/\s+/).filter((key) => key !== ''),
    messageId: newMessageId(nowMs),
    bodyEncoding: Encoding.IDENTITY,
    messageType,
    bornTimestamp: timestampOf(nowMs),
  };
  const body = Buffer.from(String(options.body ?? ''));
  return { topic: { resourceNamespace: '', name: topic }, userProperties: new Map(), systemProperties, body };
}

/** A moment as protobuf has it. */
export function timestampOf(ms: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

/** An id as clients make them. */
export function newMessageId(bornTimestampMs: number): string {
  return encodeClientMessageId({
    macAddress: Buffer.from(systemRandom.bytes(6)).toString('hex'),
    processId: process.pid & 0xffff,
    bornTimestampMs,
    sequence: systemRandom.below(2 ** 32),
  });
}
