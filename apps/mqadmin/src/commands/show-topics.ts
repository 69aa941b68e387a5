import { type ListTopicsResponse_TopicPlacement, TopicType } from '@orbitmq/protocol/orbitmq.route.v1';
import { type AdminContext, addressOf, onEach } from '../admin-context.ts';
import { requiredText, textOf } from '../options.ts';
import { renderTable } from '../table.ts';
import type { Options } from '../usage.ts';
import type { Output } from '../verb.ts';
import { permissionText } from './put-topic.ts';

const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(TopicType).map(([name, number]) => [number, name.replace('TOPIC_TYPE_', '')]),
);

/** Names of all topics; with `-c` also clusters, brokers and types. */
export async function topicList(context: AdminContext, options: Options): Promise<Output> {
  const topics = await context.cluster.topics();
  if (options.clusterModel !== true) {
    const names = topics.map(({ name }) => name);
    return { text: names.join('\n'), json: names };
  }
  const rows = topics.flatMap(({ name, placements }) =>
    placements.map(({ cluster, brokerName, topic }) => [
      cluster,
      name,
      brokerName,
      topic!.readQueueCount,
      topic!.writeQueueCount,
      permissionText(topic!.permission),
      TYPE_NAMES.get(topic!.type),
    ]),
  );
  const columns = ['Cluster Name', 'Topic', 'Broker Name', 'Read Queues', 'Write Queues', 'Perm', 'Type'];
  return { text: renderTable(columns, rows), json: topics };
}

/** Where a topic is: queues of each broker, and where the brokers are. */
export async function topicRoute(context: AdminContext, options: Options): Promise<Output> {
  const { placements } = await placed(context, requiredText(options, 'topic'));
  const brokers = await context.brokers();
  const rows = placements.map(({ cluster, brokerName, brokerId, topic }) => {
    const broker = brokers.find(
      ({ identity }) => identity!.brokerName === brokerName && identity!.brokerId === brokerId,
    );
    return { cluster, brokerName, brokerId, address: addressOf(broker?.identity?.clientEndpoints), topic: topic! };
  });
  if (options.list !== true) {
    const json = {
      brokerDatas: rows.map(({ cluster, brokerName, brokerId, address }) => ({
        cluster,
        brokerName,
        brokerAddrs: { [brokerId]: address },
      })),
      queueDatas: rows.map(({ brokerName, topic }) => ({
        brokerName,
        readQueueNums: topic.readQueueCount,
        writeQueueNums: topic.writeQueueCount,
        perm: topic.permission,
        type: TYPE_NAMES.get(topic.type),
      })),
    };
    return { text: JSON.stringify(json, undefined, 2), json };
  }
  const cells = rows.map(({ cluster, brokerName, brokerId, address, topic }) => [
    cluster,
    brokerName,
    brokerId,
    address,
    topic.readQueueCount,
    topic.writeQueueCount,
    permissionText(topic.permission),
    TYPE_NAMES.get(topic.type),
  ]);
  const columns = ['Cluster Name', 'Broker Name', 'BID', 'Addr', 'Read Queues', 'Write Queues', 'Perm', 'Type'];
  return { text: renderTable(columns, cells), json: rows };
}

/** First and next offset of each queue of a topic. */
export async function topicStatus(context: AdminContext, options: Options): Promise<Output> {
  const name = requiredText(options, 'topic');
  const clusterName = textOf(options, 'clusterName');
  const holders = await context.holdersOf(name);
  const targets = clusterName === undefined ? holders : holders.filter((each) => each.clusterName === clusterName);
  const statuses = await onEach(targets, ({ admin }) => admin.topicStatus(name));
  const rows = statuses.flatMap(({ queues }, index) =>
    queues.map(({ queueId, minOffset, maxOffset }) => ({
      brokerName: targets[index]!.brokerName,
      queueId,
      minOffset,
      maxOffset,
    })),
  );
  const cells = rows.map((row) => [
    row.brokerName,
    row.queueId,
    row.minOffset,
    row.maxOffset,
    row.maxOffset - row.minOffset,
  ]);
  return { text: renderTable(['Broker Name', 'QID', 'Min Offset', 'Max Offset', 'Messages'], cells), json: rows };
}

/** Clusters that hold a topic. */
export async function topicClusterList(context: AdminContext, options: Options): Promise<Output> {
  const { placements } = await placed(context, requiredText(options, 'topic'));
  const clusters = [...new Set(placements.map(({ cluster }) => cluster))].sort();
  return { text: clusters.join('\n'), json: clusters };
}

async function placed(context: AdminContext, name: string): Promise<ListTopicsResponse_TopicPlacement> {
  const placement = await context.cluster.topic(name);
  if (placement) return placement;
  throw await context.topicNotFound(name, 'topicList shows those that are there');
}
