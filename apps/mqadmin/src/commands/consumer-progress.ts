import { quoted } from '@orbitmq/base';
import type { QueueProgress } from '@orbitmq/protocol/orbitmq.admin.v1';
import { RpcError } from '@orbitmq/rpc';
import { type AdminContext, onEach, type Target } from '../admin-context.ts';
import { textOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { type Options, RefusedError } from '../usage.ts';
import type { Output } from '../verb.ts';

/** How far a group is, queue by queue; without a group, all groups with the messages they have still to consume. */
export async function consumerProgress(context: AdminContext, options: Options): Promise<Output> {
  const group = textOf(options, 'groupName');
  const targets = await context.targets(options);
  return group === undefined ? allGroups(targets) : oneGroup(targets, group, textOf(options, 'topicName') ?? '');
}

interface PlacedProgress extends QueueProgress {
  readonly brokerName: string;
}

async function oneGroup(targets: readonly Target[], group: string, topic: string): Promise<Output> {
  const rows = await progressOf(targets, group, topic);
  if (rows === undefined) {
    const what = `the consumer group ${quoted(group)}${topic && ` and the topic ${quoted(topic)}`}`;
    throw new RefusedError(`no broker has ${what}`);
  }
  const total = rows.reduce((sum, { lag }) => sum + lag, 0n);
  const inflight = rows.reduce((sum, { inflightCount }) => sum + inflightCount, 0n);
  const cells = rows.map((row) => [
    row.topic,
    row.brokerName,
    row.queueId,
    row.maxOffset,
    row.consumerOffset,
    row.lag,
    row.inflightCount,
    row.readyAgainCount,
  ]);
  const columns = ['Topic', 'Broker Name', 'QID', 'Broker Offset', 'Consumer Offset', 'Diff', 'Inflight', 'To Retry'];
  const text = `${renderTable(columns, cells)}\n\nDiff Total: ${total}\nInflight Total: ${inflight}`;
  return { text, json: { group, diffTotal: total, inflightTotal: inflight, queues: rows } };
}

/**
 * Progress of a group on all brokers. A broker knows the topics that the group consumes there; a topic that it consumes
 * on another broker counts here too.
 * @returns undefined when no broker knows the group (and the topic, if one is named)
 */
async function progressOf(
  targets: readonly Target[],
  group: string,
  topic: string,
): Promise<PlacedProgress[] | undefined> {
  const ask = async ({ admin }: Target, name: string): Promise<QueueProgress[] | undefined> =>
    (await orNothing(admin.consumerProgress(group, name)))?.queues;
  const answers = await onEach(targets, (target) => ask(target, topic));
  if (answers.every((answer) => answer === undefined)) return undefined;
  const topics = new Set(answers.flatMap((answer) => answer?.map((queue) => queue.topic) ?? []));
  const complete = await onEach(targets, async (target) => {
    const known = answers[targets.indexOf(target)];
    if (known === undefined) return [];
    const missing = topics.difference(new Set(known.map((queue) => queue.topic)));
    const more = await Promise.all([...missing].map(async (name) => (await ask(target, name)) ?? []));
    return [...known, ...more.flat()].map((queue) => ({ brokerName: target.brokerName, ...queue }));
  });
  return complete.flat().sort((left, right) => (left.topic === right.topic ? 0 : left.topic < right.topic ? -1 : 1));
}

interface GroupSummary {
  readonly group: string;
  readonly count: number;
  readonly lag: bigint;
  readonly inflight: bigint;
  readonly languages: Set<string>;
  readonly isOrderly: boolean;
}

async function allGroups(targets: readonly Target[]): Promise<Output> {
  const summaries = new Map<string, GroupSummary>();
  const groups = (await onEach(targets, ({ admin }) => admin.groups())).flat();
  const orderly = new Map(groups.map(({ name, consumeMessageOrderly }) => [name, consumeMessageOrderly]));
  for (const [group, isOrderly] of orderly) {
    const [progress = [], clients] = await Promise.all([
      progressOf(targets, group, ''),
      onEach(targets, ({ admin }) => admin.consumers(group)),
    ]);
    const all = clients.flatMap((answer) => answer.clients);
    summaries.set(group, {
      group,
      // A client is connected to each broker of its topics.
      count: new Set(all.map(({ clientId }) => clientId)).size,
      languages: new Set(all.map(({ language }) => language)),
      isOrderly,
      lag: progress.reduce((sum, { lag }) => sum + lag, 0n),
      inflight: progress.reduce((sum, { inflightCount }) => sum + inflightCount, 0n),
    });
  }
  const rows = [...summaries.values()].sort((left, right) => (left.group < right.group ? -1 : 1));
  const cells = rows.map((row) => [
    row.group,
    row.count,
    [...row.languages].sort().join(','),
    row.isOrderly ? 'FIFO' : 'NORMAL',
    row.lag,
    row.inflight,
  ]);
  const json = rows.map(({ languages, ...row }) => ({ ...row, languages: [...languages] }));
  return { text: renderTable(['Group', 'Count', 'Language', 'Type', 'Diff Total', 'Inflight'], cells), json };
}

/** undefined where the broker has no such group or topic. */
async function orNothing<Result>(answer: Promise<Result>): Promise<Result | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RpcError && error.status === 'NOT_FOUND') return undefined;
    throw error;
  }
}
