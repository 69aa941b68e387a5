import { quoted, systemClock } from '@orbitmq/base';
import type { PutTopicRequest, Topic } from '@orbitmq/protocol/orbitmq.admin.v1';
import type { ListTopicsResponse_Placement } from '@orbitmq/protocol/orbitmq.route.v1';
import { type AdminContext, onEach, type Target } from '../admin-context.ts';
import { attributeChanges, requiredText, textOf, wholeNumberOf } from '../options.ts';
import { type Options, UsageError } from '../usage.ts';
import type { Output } from '../verb.ts';

const QUEUES_MAX = 1024;
const SHOWN_MAX_MS = 1000;
const SHOWN_INTERVAL_MS = 10;

/** Makes a topic or alters it on a broker or on all of a cluster. */
export async function updateTopic(context: AdminContext, options: Options): Promise<Output> {
  const request: PutTopicRequest = {
    name: requiredText(options, 'topic'),
    readQueueCount: wholeNumberOf(options, 'readQueueNums', 1, QUEUES_MAX),
    writeQueueCount: wholeNumberOf(options, 'writeQueueNums', 1, QUEUES_MAX),
    permission: permissionOf(options),
    ...attributeChanges(textOf(options, 'attributes')),
  };
  return put(context, await context.targets(options), request);
}

/** Alters the permission of a topic where it is. */
export async function updateTopicPerm(context: AdminContext, options: Options): Promise<Output> {
  const name = requiredText(options, 'topic');
  const permission = permissionOf(options);
  const holders = await context.holdersOf(name);
  const isNarrowed = options.brokerAddr !== undefined || options.clusterName !== undefined;
  const wanted = isNarrowed ? new Set((await context.targets(options)).map(({ admin }) => admin)) : undefined;
  const targets = wanted ? holders.filter(({ admin }) => wanted.has(admin)) : holders;
  if (targets.length === 0) throw new UsageError(`the topic ${quoted(name)} is not on the brokers that -b or -c names`);
  return put(context, targets, { name, permission, ...attributeChanges(undefined) });
}

/** Removes a topic from all brokers of a cluster that have it. */
export async function deleteTopic(context: AdminContext, options: Options): Promise<Output> {
  const name = requiredText(options, 'topic');
  const clusterName = textOf(options, 'clusterName');
  const holders = await context.holdersOf(name);
  const targets = clusterName === undefined ? holders : holders.filter((each) => each.clusterName === clusterName);
  if (targets.length === 0)
    throw new UsageError(`the topic ${quoted(name)} is not in the cluster ${quoted(clusterName!)}`);
  await onEach(targets, ({ admin }) => admin.deleteTopic(name));
  const brokerNames = new Set(targets.map(({ brokerName }) => brokerName));
  await untilShown(context, name, (placements) => placements.every(({ brokerName }) => !brokerNames.has(brokerName)));
  const lines = targets.map(({ brokerName }) => `delete topic [${name}] from broker [${brokerName}] success.`);
  return { text: lines.join('\n'), json: { topic: name, brokers: targets.map(({ brokerName }) => brokerName) } };
}

async function put(context: AdminContext, targets: readonly Target[], request: PutTopicRequest): Promise<Output> {
  const responses = await onEach(targets, ({ admin }) => admin.putTopic(request));
  await untilShown(context, request.name, (placements) =>
    responses.every(({ topic }, index) => {
      const shown = placements.find(({ brokerName }) => brokerName === targets[index]!.brokerName)?.topic;
      return shown?.writeQueueCount === topic!.writeQueueCount && shown.permission === topic!.permission;
    }),
  );
  const lines = responses.map(({ topic, created }, index) => {
    const { brokerName, address } = targets[index]!;
    return `${created ? 'create' : 'update'} topic to ${brokerName} (${address}) success.\n${describe(topic!)}`;
  });
  const json = responses.map((response, index) => ({ broker: targets[index]!.brokerName, ...response }));
  return { text: lines.join('\n'), json };
}

/**
 * Waits until the name server shows what was done, so that whoever comes next finds it; brokers tell it within
 * milliseconds. Ends after a second whatever is shown: the brokers have it.
 */
async function untilShown(
  context: AdminContext,
  topicName: string,
  isShown: (placements: readonly ListTopicsResponse_Placement[]) => boolean,
): Promise<void> {
  const endMs = systemClock.monotonicMs() + SHOWN_MAX_MS;
  for (;;) {
    const placement = await context.cluster.topic(topicName).catch(() => undefined);
    if (isShown(placement?.placements ?? []) || systemClock.monotonicMs() >= endMs) return;
    await new Promise((resolve) => setTimeout(resolve, SHOWN_INTERVAL_MS));
  }
}

function describe(topic: Topic): string {
  const attributes = [...topic.attributes].map(([name, value]) => `${name}=${value}`).join(', ');
  return (
    `TopicConfig [topicName=${topic.name}, readQueueNums=${topic.readQueueCount}, ` +
    `writeQueueNums=${topic.writeQueueCount}, perm=${permissionText(topic.permission)}, attributes={${attributes}}]`
  );
}

function permissionOf(options: Options): number | undefined {
  const permission = wholeNumberOf(options, 'perm', 0, 6);
  if (permission === undefined || permission % 2 === 0) return permission;
  throw new UsageError(`--perm must be 2 (write), 4 (read), 6 (both) or 0 (neither); found "${permission}"`);
}

/** RocketMQ's way to show a permission: `RW-`. */
export function permissionText(permission: number): string {
  return `${permission & 4 ? 'R' : '-'}${permission & 2 ? 'W' : '-'}-`;
}
