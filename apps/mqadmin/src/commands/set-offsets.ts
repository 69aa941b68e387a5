import { quoted } from '@orbitmq/base';
import type { OffsetChange, SetOffsetsRequest } from '@orbitmq/protocol/orbitmq.admin.v1';
import { RpcError } from '@orbitmq/rpc';
import { type AdminContext, onEach, type Target } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { timeOf, timeText } from '../times.ts';
import { type Options, RefusedError, UsageError } from '../usage.ts';
import type { Output } from '../verb.ts';

type OffsetTarget = Pick<SetOffsetsRequest, 'earliest' | 'latest' | 'timeMs' | 'offset' | 'sourceGroup'>;

const NO_TARGET: OffsetTarget = {
  earliest: undefined,
  latest: undefined,
  timeMs: undefined,
  offset: undefined,
  sourceGroup: undefined,
};
const QUEUES_MAX = 1024;

/** Sets where a group goes on: by time, or a queue by its offset. */
export function resetOffsetByTime(context: AdminContext, options: Options): Promise<Output> {
  return setOffsets(context, options, requiredText(options, 'group'), timeOrOffset(options));
}

/** Lets a group pass over all that it has not consumed. */
export function skipAccumulatedMessage(context: AdminContext, options: Options): Promise<Output> {
  return setOffsets(context, options, requiredText(options, 'group'), { ...NO_TARGET, latest: true });
}

/** Lets a group go on where another one is. */
export function cloneGroupOffset(context: AdminContext, options: Options): Promise<Output> {
  const sourceGroup = requiredText(options, 'srcGroup');
  return setOffsets(context, options, requiredText(options, 'destGroup'), { ...NO_TARGET, sourceGroup });
}

function timeOrOffset(options: Options): OffsetTarget {
  const time = textOf(options, 'timestamp');
  const offset = wholeNumberOf(options, 'offset', 0, Number.MAX_SAFE_INTEGER);
  if ((time === undefined) === (offset === undefined)) {
    throw new UsageError('give either a time with -s, or a queue with -q and its offset with -o');
  }
  if (offset !== undefined) return { ...NO_TARGET, offset: BigInt(offset) };
  if (time === 'earliest') return { ...NO_TARGET, earliest: true };
  if (time === 'latest') return { ...NO_TARGET, latest: true };
  return { ...NO_TARGET, timeMs: BigInt(timeOf('-s', time!)) };
}

interface PlacedChange extends OffsetChange {
  readonly brokerName: string;
}

async function setOffsets(
  context: AdminContext,
  options: Options,
  group: string,
  target: OffsetTarget,
): Promise<Output> {
  const topic = textOf(options, 'topic') ?? '';
  const queueId = wholeNumberOf(options, 'queue', 0, QUEUES_MAX - 1);
  const dryRun = options.dryRun === true;
  if (target.offset !== undefined && queueId === undefined) {
    throw new UsageError('-o needs -q: each queue has offsets of its own');
  }
  const targets = await targetsOf(context, options, topic);
  if (target.offset !== undefined && targets.length > 1) {
    const found = targets.map(({ brokerName }) => quoted(brokerName)).join(', ');
    throw new UsageError(`-o needs -b: the topic is on the brokers ${found}, each with queues of its own`);
  }
  const request: SetOffsetsRequest = { group, topic, queueId, dryRun, ...target };
  const answers = await onEach(targets, async ({ admin, brokerName }): Promise<PlacedChange[] | undefined> => {
    const answer = await orNothing(admin.setOffsets(request));
    return answer?.changes.map((change) => ({ brokerName, ...change }));
  });
  if (answers.every((answer) => answer === undefined)) {
    const names = [group, target.sourceGroup ?? group].filter((name, index, all) => all.indexOf(name) === index);
    const what = `the consumer group ${names.map((name) => quoted(name)).join(' and ')}${topic && ` and the topic ${quoted(topic)}`}`;
    throw new RefusedError(`no broker has ${what}`);
  }
  const without = targets.filter((_, index) => answers[index] === undefined).map(({ brokerName }) => brokerName);
  const changes = answers.flatMap((answer) => answer ?? []);
  return { text: render(changes, without, dryRun), json: { group, dryRun, changes, brokersWithout: without } };
}

async function targetsOf(context: AdminContext, options: Options, topic: string): Promise<readonly Target[]> {
  const [broker, cluster] = [textOf(options, 'broker'), textOf(options, 'cluster')];
  if (broker !== undefined || cluster !== undefined || topic === '') {
    return await context.targets({ brokerAddr: broker, clusterName: cluster });
  }
  return await context.holdersOf(topic);
}

function render(changes: readonly PlacedChange[], without: readonly string[], dryRun: boolean): string {
  const cells = changes.map((change) => [
    change.topic,
    change.brokerName,
    change.queueId,
    change.consumerOffset,
    timeText(change.consumerOffsetMs),
    change.newOffset,
    timeText(change.newOffsetMs),
    change.redeliveredCount,
    change.skippedCount,
    change.inflightCount,
  ]);
  const columns = [
    'Topic',
    'Broker Name',
    'QID',
    'Old Offset',
    'Stored',
    'New Offset',
    'Stored',
    'Redelivered',
    'Skipped',
    'In Flight',
  ];
  const sum = (count: (change: PlacedChange) => bigint): bigint =>
    changes.reduce((total, change) => total + count(change), 0n);
  const would = dryRun ? 'would be' : 'are';
  const lines = [
    renderTable(columns, cells),
    '',
    `${sum(({ redeliveredCount }) => redeliveredCount)} messages ${would} delivered again, ` +
      `${sum(({ skippedCount }) => skippedCount)} skipped, ${sum(({ inflightCount }) => inflightCount)} taken from consumers.`,
  ];
  if (dryRun) lines.push('This was a dry run: nothing has changed.');
  for (const brokerName of without)
    lines.push(`broker ${brokerName} has no such group or topic: nothing is set there.`);
  return lines.join('\n');
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
