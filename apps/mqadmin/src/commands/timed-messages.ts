import type { TimedMessage } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type AdminContext, onEach } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { type Options, UsageError } from '../usage.ts';
import type { Output } from '../verb.ts';

const SHOWN_DEFAULT = 1000;
const SHOWN_MAX = 1_000_000;
const CANCEL_ALL = Number.POSITIVE_INFINITY;

/** Timed messages of a topic that wait for their time, earliest first. */
export async function listTimedMessages(context: AdminContext, options: Options): Promise<Output> {
  const countMax = wholeNumberOf(options, 'count', 1, SHOWN_MAX) ?? SHOWN_DEFAULT;
  return output(await onTopic(context, options, 'list', countMax), countMax);
}

/** Cancels timed messages by id or key. */
export async function cancelTimedMessages(context: AdminContext, options: Options): Promise<Output> {
  if (!textOf(options, 'messageId') && !textOf(options, 'key')) {
    throw new UsageError('say which messages to cancel: by --messageId or --key');
  }
  return output(await onTopic(context, options, 'cancel', CANCEL_ALL), CANCEL_ALL);
}

interface Row {
  readonly brokerName: string;
  readonly message: TimedMessage;
}

async function onTopic(
  context: AdminContext,
  options: Options,
  what: 'list' | 'cancel',
  countMax: number,
): Promise<Row[]> {
  const topic = requiredText(options, 'topic');
  const [messageId, key] = [textOf(options, 'messageId') ?? '', textOf(options, 'key') ?? ''];
  const found = await onEach(await context.holdersOf(topic), async ({ admin, brokerName }) => {
    const messages = await admin.timedMessages(what, { topic, messageId, key }, countMax);
    return messages.map((message) => ({ brokerName, message }));
  });
  return found.flat();
}

function output(rows: readonly Row[], countMax: number): Output {
  const shown = rows.toSorted(byDelivery).slice(0, countMax);
  const cells = shown.map(({ brokerName, message }) => [
    brokerName,
    message.queueId,
    message.messageId,
    message.keys.join(' '),
    message.tag,
    new Date(Number(message.deliveryMs)).toISOString(),
    message.sizeBytes,
  ]);
  const columns = ['Broker Name', 'QID', 'Message ID', 'Keys', 'Tag', 'Delivery Time', 'Bytes'];
  return { text: renderTable(columns, cells), json: shown };
}

function byDelivery(left: Row, right: Row): number {
  return Number(left.message.deliveryMs - right.message.deliveryMs);
}
