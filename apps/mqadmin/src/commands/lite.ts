import { type AdminContext, onEach, type Target } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import type { Options } from '../usage.ts';
import type { Output } from '../verb.ts';

const NAMED_MAX = 10_000;
const TOP_DEFAULT = 20;
const TOP_MAX = 1_000;

/** Numbers of lite topics and subscriptions of brokers. */
export async function getBrokerLiteInfo(context: AdminContext, options: Options): Promise<Output> {
  const targets = await context.targets({ ...options, clusterName: options.cluster });
  const rows = await onBrokers(targets, ({ admin }) => admin.brokerLiteInfo());
  const text = renderTable(
    ['Broker', 'Lite Topics', 'Subscriptions', 'Clients'],
    rows.map((row) => [row.brokerName, row.liteTopicCount, row.subscriptionCount, row.clientCount]),
  );
  if (options.showDetail !== true) return { text, json: rows };
  const details = rows.flatMap(({ brokerName, topics }) =>
    topics.map((topic) => [
      brokerName,
      topic.topic,
      topic.expirationMinutes,
      topic.liteTopicCount,
      topic.groups.join(','),
    ]),
  );
  const table = renderTable(['Broker', 'Parent Topic', 'Expiration', 'Lite Topics', 'Groups'], details);
  return { text: `${text}\n\n${table}`, json: rows };
}

/** A topic of type LITE on its brokers. */
export async function getParentTopicInfo(context: AdminContext, options: Options): Promise<Output> {
  const topic = requiredText(options, 'parentTopic');
  const rows = await onBrokers(await context.holdersOf(topic), ({ admin }) => admin.parentTopicInfo(topic));
  const cells = rows.map((row) => [row.brokerName, row.expirationMinutes, row.liteTopicCount, row.groups.join(',')]);
  return { text: renderTable(['Broker Name', 'Expiration', 'Lite Topics', 'Groups'], cells), json: rows };
}

/** A lite topic on the brokers of its parent. */
export async function getLiteTopicInfo(context: AdminContext, options: Options): Promise<Output> {
  const [topic, liteTopic] = [requiredText(options, 'parentTopic'), requiredText(options, 'liteTopic')];
  const rows = await onBrokers(await context.holdersOf(topic), ({ admin }) => admin.liteTopicInfo(topic, liteTopic));
  const cells = rows.map(({ brokerName, state, subscribers }) => [
    brokerName,
    state?.minOffset ?? '-',
    state?.maxOffset ?? '-',
    state ? new Date(Number(state.lastSentMs)).toISOString() : '-',
    subscribers.length,
  ]);
  const text = renderTable(['Broker Name', 'Min Offset', 'Max Offset', 'Last Sent', 'Subscribers'], cells);
  if (options.showClientId !== true) return { text, json: rows };
  const clients = rows.flatMap(({ brokerName, subscribers }) =>
    subscribers.map(({ group, clientId }) => [brokerName, group, clientId]),
  );
  return { text: `${text}\n\n${renderTable(['Broker Name', 'Group', 'Client Id'], clients)}`, json: rows };
}

/** The lite topics of one client. */
export async function getLiteClientInfo(context: AdminContext, options: Options): Promise<Output> {
  const topic = requiredText(options, 'parentTopic');
  const request = {
    topic,
    group: requiredText(options, 'group'),
    clientId: requiredText(options, 'clientId'),
    limit: options.showDetail === true ? NAMED_MAX : 0,
  };
  const rows = await onBrokers(await context.holdersOf(topic), ({ admin }) => admin.liteClientInfo(request));
  const cells = rows.map(({ brokerName, liteTopicCount, liteTopics, refreshedAgoMs }) => [
    brokerName,
    liteTopicCount < 0n ? 'N/A' : liteTopicCount,
    liteTopicCount < 0n ? 'N/A' : `${refreshedAgoMs} ms ago`,
    liteTopics.join(','),
  ]);
  return { text: renderTable(['Broker', 'Lite Topics', 'Refreshed', 'Names'], cells), json: rows };
}

/** The lag of a group. */
export async function getLiteGroupInfo(context: AdminContext, options: Options): Promise<Output> {
  const topic = requiredText(options, 'parentTopic');
  const liteTopic = textOf(options, 'liteTopic') ?? '';
  const top = wholeNumberOf(options, 'topK', 0, TOP_MAX) ?? TOP_DEFAULT;
  const request = { group: requiredText(options, 'group'), liteTopic, top };
  const rows = await onBrokers(await context.holdersOf(topic), ({ admin }) => admin.liteGroupInfo(request));
  const cells = rows.map((row) => [
    row.brokerName,
    row.liteTopicCount,
    row.progress?.maxOffset ?? '-',
    row.progress?.consumerOffset ?? '-',
    row.lagCount,
    row.inflightCount,
  ]);
  const columns = ['Broker Name', 'Lite Topics', 'Broker Offset', 'Consumer Offset', 'Lag', 'Inflight'];
  const text = renderTable(columns, cells);
  const worst = rows.flatMap(({ brokerName, top: named }) =>
    named.map((lag) => [brokerName, lag.liteTopic, lag.lagCount]),
  );
  if (worst.length === 0) return { text, json: rows };
  return { text: `${text}\n\n${renderTable(['Broker Name', 'Lite Topic', 'Lag'], worst)}`, json: rows };
}

async function onBrokers<Answer extends object>(
  targets: readonly Target[],
  ask: (target: Target) => Promise<Answer>,
): Promise<(Answer & { readonly brokerName: string })[]> {
  const answers = await onEach(targets, ask);
  return answers.map((answer, index) => ({ ...answer, brokerName: targets[index]!.brokerName }));
}
