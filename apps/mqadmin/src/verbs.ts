import { LITE_VERBS } from './lite-verbs.ts';
import { OFFSET_VERBS } from './offset-verbs.ts';
import { QUERY_VERBS } from './query-verbs.ts';
import { REPLICATION_VERBS } from './replication-verbs.ts';
import type { Verb, VerbOption } from './verb.ts';

const BROKER: VerbOption = {
  flags: '-b, --brokerAddr <broker>',
  description: 'one broker: its name, or what clients dial',
};
const CLUSTER: VerbOption = { flags: '-c, --clusterName <cluster>', description: 'all brokers of a cluster' };
const TOPIC: VerbOption = { flags: '-t, --topic <topic>', description: 'topic name', required: true };
const GROUP: VerbOption = { flags: '-g, --groupName <group>', description: 'consumer group', required: true };
const IGNORED = 'accepted, has no effect here';

function option(flags: string, description: string): VerbOption {
  return { flags, description };
}

const topicVerbs: readonly Verb[] = [
  {
    name: 'updateTopic',
    summary: 'make a topic, or alter it',
    options: [
      BROKER,
      CLUSTER,
      TOPIC,
      option('-r, --readQueueNums <count>', 'read queues, 1…1024; a new topic gets 8'),
      option('-w, --writeQueueNums <count>', 'write queues, 1…1024; a new topic gets 8'),
      option('-p, --perm <permission>', '2 write, 4 read, 6 both; a new topic gets 6'),
      option(
        '-a, --attributes <attributes>',
        '+message.type=FIFO,+reserve.time=3600000,-reserve.bytes,+lite.topic.expiration=60',
      ),
      option('-o, --order <order>', IGNORED),
      option('-u, --unit <unit>', IGNORED),
      option('-s, --hasUnitSub <flag>', IGNORED),
    ],
    load: async () => (await import('./commands/put-topic.ts')).updateTopic,
  },
  {
    name: 'deleteTopic',
    summary: 'remove a topic with its messages',
    options: [CLUSTER, TOPIC],
    load: async () => (await import('./commands/put-topic.ts')).deleteTopic,
  },
  {
    name: 'updateTopicPerm',
    summary: 'alter the permission of a topic',
    options: [
      BROKER,
      CLUSTER,
      TOPIC,
      { flags: '-p, --perm <permission>', description: '2 write, 4 read, 6 both', required: true },
    ],
    load: async () => (await import('./commands/put-topic.ts')).updateTopicPerm,
  },
  {
    name: 'topicList',
    summary: 'list all topics',
    options: [option('-c, --clusterModel', 'also clusters, brokers, queues and types')],
    load: async () => (await import('./commands/show-topics.ts')).topicList,
  },
  {
    name: 'topicRoute',
    summary: 'show where a topic is',
    options: [TOPIC, option('-l, --list', 'as a table')],
    load: async () => (await import('./commands/show-topics.ts')).topicRoute,
  },
  {
    name: 'topicStatus',
    summary: 'show the offsets of each queue of a topic',
    options: [CLUSTER, TOPIC],
    load: async () => (await import('./commands/show-topics.ts')).topicStatus,
  },
  {
    name: 'topicClusterList',
    summary: 'list the clusters that hold a topic',
    options: [TOPIC],
    load: async () => (await import('./commands/show-topics.ts')).topicClusterList,
  },
];

const groupVerbs: readonly Verb[] = [
  {
    name: 'updateSubGroup',
    summary: 'make a consumer group, or alter it',
    options: [
      BROKER,
      CLUSTER,
      GROUP,
      option('-s, --consumeEnable <flag>', 'whether the group may consume; a new one may'),
      option('-o, --consumeMessageOrderly <flag>', 'FIFO: keep the order within a message group'),
      option('-r, --retryMaxTimes <count>', 'deliveries after the first one; a new group gets 16'),
      option('-p, --groupRetryPolicy <json>', 'when a message comes again, in the form of the original'),
      option('--attributes <attributes>', '+priority.factor=80,-fifo.blocking,+lite.bind.topic=orders'),
      option('-m, --consumeFromMinEnable <flag>', IGNORED),
      option('-d, --consumeBroadcastEnable <flag>', IGNORED),
      option('-q, --retryQueueNums <count>', IGNORED),
      option('-i, --brokerId <id>', IGNORED),
      option('-w, --whichBrokerWhenConsumeSlowly <id>', IGNORED),
      option('-a, --notifyConsumerIdsChanged <flag>', IGNORED),
    ],
    load: async () => (await import('./commands/put-group.ts')).updateSubGroup,
  },
  {
    name: 'deleteSubGroup',
    summary: 'remove a consumer group with its progress',
    options: [BROKER, CLUSTER, GROUP, option('-r, --removeOffset <flag>', 'its progress always goes with it')],
    load: async () => (await import('./commands/put-group.ts')).deleteSubGroup,
  },
  {
    name: 'getConsumerConfig',
    summary: 'show the configuration of a consumer group',
    options: [BROKER, CLUSTER, GROUP],
    load: async () => (await import('./commands/put-group.ts')).getConsumerConfig,
  },
  {
    name: 'redriveDLQ',
    summary: 'hand dead letters of a consumer group back to it',
    options: [
      BROKER,
      CLUSTER,
      GROUP,
      option('--from <time>', 'dead since then: now, milliseconds since 1970, or yyyy-MM-dd#HH:mm:ss:SSS'),
      option('--to <time>', 'dead until then'),
      option('-k, --key <key>', 'only messages with this key'),
      option('-i, --id <id>', 'only the message with this id'),
      option('-t, --topic <topic>', 'only messages that come from this topic'),
      option('--rate <count>', 'no more than so many a second'),
      option('--dry-run', 'only say what would be done'),
    ],
    load: async () => (await import('./commands/redrive.ts')).redriveDLQ,
  },
  {
    name: 'consumerProgress',
    summary: 'show how far a group is, or all groups',
    options: [
      BROKER,
      CLUSTER,
      option('-g, --groupName <group>', 'consumer group; without it, all of them'),
      option('-t, --topicName <topic>', 'only this topic'),
    ],
    load: async () => (await import('./commands/consumer-progress.ts')).consumerProgress,
  },
  {
    name: 'consumerConnection',
    summary: 'list the clients of a consumer group',
    options: [BROKER, CLUSTER, { flags: '-g, --consumerGroup <group>', description: 'consumer group', required: true }],
    load: async () => (await import('./commands/connections.ts')).consumerConnection,
  },
  {
    name: 'producerConnection',
    summary: 'list the producers of a topic',
    options: [
      BROKER,
      CLUSTER,
      option('-t, --topic <topic>', 'topic name; without it, all producers'),
      option('-g, --producerGroup <group>', 'accepted; clients of the gRPC API have no producer group'),
    ],
    load: async () => (await import('./commands/connections.ts')).producerConnection,
  },
];

const clusterVerbs: readonly Verb[] = [
  {
    name: 'clusterList',
    summary: 'list all brokers',
    options: [CLUSTER],
    load: async () => (await import('./commands/show-cluster.ts')).clusterList,
  },
  {
    name: 'brokerStatus',
    summary: 'show the running state of brokers',
    options: [BROKER, CLUSTER],
    load: async () => (await import('./commands/show-cluster.ts')).brokerStatus,
  },
  {
    name: 'getBrokerConfig',
    summary: 'show the configuration of brokers',
    options: [BROKER, CLUSTER, option('-k, --keyPattern <text>', 'only keys that contain this')],
    load: async () => (await import('./commands/show-cluster.ts')).getBrokerConfig,
  },
];

const messageVerbs: readonly Verb[] = [
  {
    name: 'sendMessage',
    summary: 'send a message',
    options: [
      TOPIC,
      { flags: '-p, --body <text>', description: 'body, UTF-8', required: true },
      option('-k, --keys <keys>', 'keys, separated by spaces'),
      option('-c, --tags <tag>', 'tag'),
      option('-g, --messageGroup <group>', 'message group; makes it a FIFO message'),
      option('--priority <priority>', '0 or more, the highest is received first; makes it a PRIORITY message'),
      option('-d, --delay <seconds>', 'deliver it so much later; makes it a DELAY message'),
      option('-l, --liteTopic <name>', 'lite topic below the topic; makes it a LITE message'),
      option('-b, --broker <name>', 'send to this broker'),
      option('-i, --qid <id>', 'accepted; the broker chooses the queue'),
    ],
    load: async () => (await import('./commands/send-message.ts')).sendMessage,
  },
  {
    name: 'consumeMessage',
    summary: 'receive messages as a member of a group, print and acknowledge them',
    options: [
      TOPIC,
      { flags: '-g, --consumerGroup <group>', description: 'consumer group', required: true },
      option('-c, --messageNumber <count>', 'end after so many, 1…10000; default 128'),
      option('-b, --brokerName <name>', 'only from this broker'),
      option('--tags <expression>', 'only these tags: a || b'),
      option(
        '-l, --liteTopic <names>',
        'lite topics to read, separated by commas; of a group that is bound to the topic',
      ),
      option('--wait <seconds>', 'wait so long for messages, 5…3600; default 5'),
    ],
    load: async () => (await import('./commands/consume-message.ts')).consumeMessage,
  },
  {
    name: 'roundTrip',
    summary: 'send a message to each broker as a client would, and receive it',
    options: [
      {
        flags: '-e, --endpoints <address>',
        description: 'what clients are given: host:port of a name server or broker, or what leads there',
        required: true,
      },
      option(
        '-t, --topic <topic>',
        'use this one; without it, a topic and a group are made for the occasion and removed',
      ),
      option('-g, --consumerGroup <group>', 'default: named as the topic'),
      CLUSTER,
      option('--tls', 'encrypted; any certificate is taken, as official clients do'),
      option('--timeoutSeconds <count>', 'default 30'),
    ],
    load: async () => (await import('./commands/round-trip.ts')).roundTrip,
  },
  {
    name: 'listTimedMessages',
    summary: 'list messages of a topic that wait for their time',
    options: [
      TOPIC,
      option('-i, --messageId <id>', 'only this message'),
      option('-k, --key <key>', 'only messages with this key'),
      option('--count <count>', 'no more than so many; default 1000'),
    ],
    load: async () => (await import('./commands/timed-messages.ts')).listTimedMessages,
  },
  {
    name: 'cancelTimedMessages',
    summary: 'cancel messages of a topic that wait for their time',
    options: [
      TOPIC,
      option('-i, --messageId <id>', 'the message with this id'),
      option('-k, --key <key>', 'messages with this key'),
    ],
    load: async () => (await import('./commands/timed-messages.ts')).cancelTimedMessages,
  },
  {
    name: 'listTransactions',
    summary: 'list open transactions of a topic',
    options: [TOPIC, option('--count <count>', 'no more than so many; default 1000')],
    load: async () => (await import('./commands/transactions.ts')).listTransactions,
  },
  {
    name: 'endTransaction',
    summary: "end an open transaction in its producer's place",
    options: [
      TOPIC,
      { flags: '-i, --messageId <id>', description: 'the message with this id', required: true },
      { flags: '-e, --end <end>', description: 'commit or rollback', required: true },
    ],
    load: async () => (await import('./commands/transactions.ts')).endTransaction,
  },
];

/** All verbs, in the order in which help lists them. */
export const VERBS: readonly Verb[] = [
  ...topicVerbs,
  ...groupVerbs,
  ...OFFSET_VERBS,
  ...clusterVerbs,
  ...messageVerbs,
  ...REPLICATION_VERBS,
  ...QUERY_VERBS,
  ...LITE_VERBS,
];
