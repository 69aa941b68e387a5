import { quoted, systemClock, systemRandom } from '@orbitmq/base';
import { encodeClientMessageId } from '@orbitmq/protocol';
import {
  Encoding,
  type Message,
  MessageType,
  MessagingServiceDefinition,
  type SendMessageRequest,
  SystemProperties,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { AdminContext } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { type Options, UsageError } from '../usage.ts';
import type { Output } from '../verb.ts';
import { callOptions, checkStatus, openSessions } from './broker-session.ts';

const TIMEOUT_MS = 5000;
const PRIORITY_MAX = 2 ** 31 - 1;
const DELAY_SECONDS_MAX = 100 * 365 * 24 * 3600;

/** Sends one message, as a client would. */
export async function sendMessage(context: AdminContext, options: Options): Promise<Output> {
  const topic = requiredText(options, 'topic');
  const sessions = await openSessions(context, topic, textOf(options, 'broker'));
  try {
    const session = sessions[systemRandom.below(sessions.length)]!;
    const types = session.queue.acceptMessageTypes;
    const request: SendMessageRequest = { messages: [messageOf(topic, types, options)] };
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

function messageOf(topic: string, types: readonly MessageType[], options: Options): Message {
  const messageGroup = textOf(options, 'messageGroup');
  const delaySeconds = wholeNumberOf(options, 'delay', 0, DELAY_SECONDS_MAX);
  const nowMs = systemClock.wallMs();
  let messageType: MessageType = messageGroup === undefined ? MessageType.NORMAL : MessageType.FIFO;
  if (delaySeconds !== undefined) messageType = MessageType.DELAY;
  const priority = wholeNumberOf(options, 'priority', 0, PRIORITY_MAX);
  if (priority !== undefined) {
    if (messageType !== MessageType.NORMAL)
      throw new UsageError('a message has a priority, a group or a delay, only one');
    messageType = MessageType.PRIORITY;
  }
  const liteTopic = textOf(options, 'liteTopic');
  if (liteTopic !== undefined) {
    if (messageType !== MessageType.NORMAL)
      throw new UsageError('a message of a lite topic has no priority, group or delay');
    messageType = MessageType.LITE;
  }
  if (messageType === MessageType.NORMAL && !types.includes(MessageType.NORMAL)) {
    throw new UsageError(
      `the topic ${quoted(topic)} takes no NORMAL messages; for FIFO give a message group with -g, for DELAY a time with -d, for PRIORITY one with --priority, for LITE a lite topic with -l`,
    );
  }
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
