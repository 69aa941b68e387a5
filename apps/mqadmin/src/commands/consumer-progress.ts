import { quoted } from '@orbitmq/base';
import { RpcError } from '@orbitmq/rpc';
import { type AdminContext, onEach, type Target } from '../admin-context.ts';
import { textOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { type Options, type Output, RefusedError } from '../verb.ts';

/** How far a group is, queue by queue; without a group, all groups with the messages they have still to consume. */
export async function consumerProgress(context: AdminContext, options: Options): Promise<Output> {
  const group = textOf(options, 'groupName');
  const targets = await context.targets(options);
  return group === undefined ? allGroups(targets) : oneGroup(targets, group, textOf(options, 'topicName') ?? '');
}

async function oneGroup(targets: readonly Target[], group: string, topic: string): Promise<Output> {
  const progress = await onEach(targets, ({ admin }) => orNothing(admin.consumerProgress(group, topic)));
  if (progress.every((each) => each === undefined)) {
    throw new RefusedError(
      `no broker has the consumer group ${quoted(group)}${topic && ` and the topic ${quoted(topic)}`}`,
    );
  }
  const rows = progress.flatMap((each, index) =>
    (each?.queues ?? []).map((queue) => ({ brokerName: targets[index]!.brokerName, ...queue })),
  );
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

interface GroupSummary {
  readonly group: string;
  count: number;
  lag: bigint;
  inflight: bigint;
  readonly languages: Set<string>;
  readonly isOrderly: boolean;
}

async function allGroups(targets: readonly Target[]): Promise<Output> {
  const summaries = new Map<string, GroupSummary>();
  await onEach(targets, async ({ admin }) => {
    for (const { name, consumeMessageOrderly } of await admin.groups()) {
      const [{ queues }, { clients }] = await Promise.all([admin.consumerProgress(name, ''), admin.consumers(name)]);
      const summary = summaries.get(name) ?? {
        group: name,
        count: 0,
        lag: 0n,
        inflight: 0n,
        languages: new Set(),
        isOrderly: consumeMessageOrderly,
      };
      summaries.set(name, summary);
      // A client is connected to each broker of its topics; the broker that sees most of them is nearest to the truth.
      summary.count = Math.max(summary.count, clients.length);
      for (const { language } of clients) summary.languages.add(language);
      for (const { lag, inflightCount } of queues) {
        summary.lag += lag;
        summary.inflight += inflightCount;
      }
    }
  });
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
