import { quoted } from '@orbitmq/base';
import { parseOffsetMessageId } from '@orbitmq/protocol';
import type {
  FindMessagesRequest,
  QueuePlace,
  StoredMessage,
  TellStoryResponse,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import { RpcError } from '@orbitmq/rpc';
import { type AdminContext, onEach, type Target } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { printable, renderTable } from '../table.ts';
import { timeOf, timeText } from '../times.ts';
import { type Options, RefusedError } from '../usage.ts';
import type { Output } from '../verb.ts';

const QUEUES_MAX = 1024;
const FOUND_DEFAULT = 64;
const FOUND_MAX = 10_000;
const PRINTED_DEFAULT = 256;
const PRINTED_MAX = 100_000;
const BODY_SHOWN_MAX = 1000;

interface PlacedMessage extends StoredMessage {
  readonly brokerName: string;
}

interface Story extends TellStoryResponse {
  readonly message: PlacedMessage;
}

const ANYTHING: FindMessagesRequest = {
  topic: '',
  messageId: undefined,
  key: undefined,
  physicalOffset: undefined,
  place: undefined,
  beginMs: 0n,
  endMs: 0n,
  limit: 0,
  before: undefined,
  withBody: true,
};

/** A message by the id that its producer gave it, or by its offset message id, and what became of it. */
export async function queryMsgById(context: AdminContext, options: Options): Promise<Output> {
  const messageId = requiredText(options, 'msgId');
  const topic = textOf(options, 'topic') ?? '';
  const targets = await targetsOf(context, options, topic);
  let found = await findAll(targets, { ...ANYTHING, topic, messageId }, FOUND_DEFAULT);
  const place = parseOffsetMessageId(messageId);
  if (found.length === 0 && place !== undefined) {
    found = await findAll(targets, { ...ANYTHING, topic, physicalOffset: BigInt(place.physicalOffset) }, 1);
  }
  if (found.length === 0) throw new RefusedError(`no broker has a message ${quoted(messageId)}`);
  return told(await Promise.all(found.map((message) => storyOf(targets, message))));
}

/** Messages with a key. */
export async function queryMsgByKey(context: AdminContext, options: Options): Promise<Output> {
  const topic = requiredText(options, 'topic');
  const key = requiredText(options, 'msgKey');
  const limit = wholeNumberOf(options, 'maxNum', 1, FOUND_MAX) ?? FOUND_DEFAULT;
  const times = { beginMs: timeIn(options, 'beginTimestamp'), endMs: timeIn(options, 'endTimestamp') };
  const targets = await targetsOf(context, options, topic);
  const found = await findAll(targets, { ...ANYTHING, ...times, topic, key, withBody: false }, limit);
  const cells = found.map(({ messageId, brokerName, place, pending, storeTimestampMs }) => [
    messageId,
    brokerName,
    place?.queueId ?? pending,
    place?.queueOffset,
    timeText(storeTimestampMs),
  ]);
  return { text: renderTable(['Message ID', 'Broker Name', 'QID', 'Offset', 'Stored'], cells), json: found };
}

/** The message at an offset of a queue, and what became of it. */
export async function queryMsgByOffset(context: AdminContext, options: Options): Promise<Output> {
  const topic = requiredText(options, 'topic');
  const queueId = wholeNumberOf(options, 'queueId', 0, QUEUES_MAX - 1) ?? 0;
  const queueOffset = BigInt(wholeNumberOf(options, 'offset', 0, Number.MAX_SAFE_INTEGER) ?? 0);
  const targets = await targetsOf(context, options, topic);
  const found = await findAll(targets, { ...ANYTHING, topic, place: { queueId, queueOffset } }, 1);
  if (found.length === 0) {
    throw new RefusedError(`no broker has offset ${queueOffset} in queue ${queueId} of the topic ${quoted(topic)}`);
  }
  return told(await Promise.all(found.map((message) => storyOf(targets, message))));
}

/** Messages of a topic, queue by queue, from one time to another. */
export async function printMsg(context: AdminContext, options: Options): Promise<Output> {
  const topic = requiredText(options, 'topic');
  const limit = wholeNumberOf(options, 'maxNum', 1, PRINTED_MAX) ?? PRINTED_DEFAULT;
  const withBody = textOf(options, 'printBody') !== 'false';
  const times = { beginMs: timeIn(options, 'beginTimestamp'), endMs: timeIn(options, 'endTimestamp') };
  const printed: PlacedMessage[] = [];
  for (const { admin, brokerName } of await targetsOf(context, options, topic)) {
    for (const { queueId } of (await admin.topicStatus(topic)).queues) {
      let offset: bigint | undefined;
      do {
        const request = { topic, queueId, offset, ...times, limit: Math.min(32, limit - printed.length), withBody };
        if (request.limit <= 0) break;
        const { messages, nextOffset } = await admin.readMessages(request);
        printed.push(...messages.map((message) => ({ brokerName, ...message })));
        offset = nextOffset;
      } while (offset !== undefined);
    }
  }
  const lines = printed.map((message) => {
    const { messageId, brokerName, place, tag, keys } = message;
    const body = withBody ? ` BODY: ${bodyText(message)}` : '';
    return `MSGID: ${messageId} BROKER: ${brokerName} QID: ${place?.queueId} OFFSET: ${place?.queueOffset} STORED: ${timeText(message.storeTimestampMs)} TAG: ${printable(tag)} KEYS: ${printable(keys.join(' '))}${body}`;
  });
  if (printed.length >= limit) lines.push(`Only the first ${limit} messages are shown; give more with --maxNum.`);
  return { text: lines.join('\n'), json: printed };
}

async function targetsOf(context: AdminContext, options: Options, topic: string): Promise<readonly Target[]> {
  const broker = textOf(options, 'brokerName');
  if (broker !== undefined) return await context.targets({ brokerAddr: broker });
  return topic === ''
    ? await context.targets({ clusterName: textOf(options, 'cluster') })
    : await context.holdersOf(topic);
}

function timeIn(options: Options, name: string): bigint {
  const text = textOf(options, name);
  return text === undefined ? 0n : BigInt(timeOf(`--${name}`, text));
}

/** Asks all brokers, page by page; the newest come first. */
async function findAll(
  targets: readonly Target[],
  request: FindMessagesRequest,
  countMax: number,
): Promise<PlacedMessage[]> {
  const answers = await onEach(targets, async ({ admin, brokerName }) => {
    const found: PlacedMessage[] = [];
    let before: bigint | undefined;
    do {
      const limit = Math.min(FOUND_DEFAULT, countMax - found.length);
      const page = await orNothing(admin.findMessages({ ...request, limit, before }));
      found.push(...(page?.messages ?? []).map((message) => ({ brokerName, ...message })));
      before = page?.next;
    } while (before !== undefined && found.length < countMax);
    return found;
  });
  const newestFirst = (left: PlacedMessage, right: PlacedMessage): number =>
    Number(right.storeTimestampMs - left.storeTimestampMs);
  return answers.flat().sort(newestFirst).slice(0, countMax);
}

async function storyOf(targets: readonly Target[], message: PlacedMessage): Promise<Story> {
  const { place, topic, brokerName } = message;
  const target = targets.find((each) => each.brokerName === brokerName)!;
  const [story] =
    place === undefined ? [] : await onEach([target], ({ admin }) => orNothing(admin.tellStory({ topic, place })));
  return { ...(story ?? { groups: [], events: [], isComplete: true }), message };
}

function told(stories: readonly Story[]): Output {
  return { text: stories.map(describe).join('\n\n'), json: stories };
}

function describe({ message, groups, events, isComplete }: Story): string {
  const { place } = message;
  const facts: readonly (readonly [string, unknown])[] = [
    ['Message ID', message.messageId],
    ['Topic', message.topic],
    ['Tags', message.tag],
    ['Keys', message.keys.join(' ')],
    ['Message Group', message.messageGroup],
    ['Broker', message.brokerName],
    ['Queue ID', placeText(place)],
    ['Queue Offset', place?.queueOffset ?? ''],
    ['CommitLog Offset', message.physicalOffset],
    ['Born Timestamp', timeText(message.bornTimestampMs)],
    ['Store Timestamp', timeText(message.storeTimestampMs)],
    ['Born Host', message.bornHost],
    ['Store Host', message.storeHost],
    ['Waits', message.pending],
    ['Properties', JSON.stringify(Object.fromEntries(message.userProperties))],
    ['Body', bodyText(message)],
  ];
  const lines = facts.map(([name, value]) => `${`${name}:`.padEnd(18)}${printable(String(value))}`.trimEnd());
  if (groups.length > 0) {
    const cells = groups.map(({ group, standing, attempt, leftMs }) => [group, standing, attempt, leftMs]);
    lines.push('', renderTable(['Group', 'Standing', 'Attempt', 'Lease Left ms'], cells));
  }
  if (events.length > 0) {
    const cells = events.map(({ atMs, group, kind }) => [timeText(atMs), group, kind]);
    lines.push('', renderTable(['Time', 'Group', 'Event'], cells));
  }
  if (!isComplete) lines.push('', 'The log goes on beyond what was looked at: later events may be missing.');
  return lines.join('\n');
}

function placeText(place: QueuePlace | undefined): string {
  return place === undefined ? '(in no queue)' : String(place.queueId);
}

function bodyText({ body, bodySize }: StoredMessage): string {
  const text = printable(Buffer.from(body).toString());
  return text.length > BODY_SHOWN_MAX ? `${text.slice(0, BODY_SHOWN_MAX)}… (${bodySize} bytes)` : text;
}

/** undefined where the broker has no such topic or offset. */
async function orNothing<Result>(answer: Promise<Result>): Promise<Result | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RpcError && error.status === 'NOT_FOUND') return undefined;
    throw error;
  }
}
