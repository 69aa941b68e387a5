import type { Verb, VerbOption } from './verb.ts';

const PARENT: VerbOption = { flags: '-p, --parentTopic <topic>', description: 'topic of type LITE', required: true };
const GROUP: VerbOption = { flags: '-g, --group <group>', description: 'consumer group', required: true };

/** Verbs that show lite topics. */
export const LITE_VERBS: readonly Verb[] = [
  {
    name: 'getBrokerLiteInfo',
    summary: 'show how many lite topics and subscriptions brokers have',
    options: [
      { flags: '-b, --brokerAddr <broker>', description: 'one broker: its name, or what clients dial' },
      { flags: '-c, --cluster <cluster>', description: 'all brokers of a cluster' },
      { flags: '-d, --showDetail', description: 'also each topic of type LITE, with its groups' },
    ],
    load: async () => (await import('./commands/lite.ts')).getBrokerLiteInfo,
  },
  {
    name: 'getParentTopicInfo',
    summary: 'show a topic of type LITE',
    options: [PARENT],
    load: async () => (await import('./commands/lite.ts')).getParentTopicInfo,
  },
  {
    name: 'getLiteTopicInfo',
    summary: 'show a lite topic and who subscribes to it',
    options: [
      PARENT,
      { flags: '-l, --liteTopic <name>', description: 'lite topic', required: true },
      { flags: '-s, --showClientId', description: 'also the clients, not only their number' },
    ],
    load: async () => (await import('./commands/lite.ts')).getLiteTopicInfo,
  },
  {
    name: 'getLiteClientInfo',
    summary: 'show which lite topics a client subscribes to',
    options: [
      PARENT,
      GROUP,
      { flags: '-c, --clientId <id>', description: 'client id', required: true },
      { flags: '-s, --showDetail', description: 'also their names, up to 10000' },
    ],
    load: async () => (await import('./commands/lite.ts')).getLiteClientInfo,
  },
  {
    name: 'getLiteGroupInfo',
    summary: 'show how far a group is behind with its lite topics',
    options: [
      PARENT,
      GROUP,
      { flags: '-l, --liteTopic <name>', description: 'only this lite topic' },
      { flags: '-k, --topK <count>', description: 'name so many with the most lag of each broker; default 20' },
    ],
    load: async () => (await import('./commands/lite.ts')).getLiteGroupInfo,
  },
];
