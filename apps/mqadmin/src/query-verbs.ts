import type { Verb, VerbOption } from './verb.ts';

const TOPIC: VerbOption = { flags: '-t, --topic <topic>', description: 'topic name', required: true };
const BROKER: VerbOption = { flags: '-b, --brokerName <broker>', description: 'only this broker' };
const BEGIN: VerbOption = {
  flags: '-b, --beginTimestamp <time>',
  description: 'stored from then on: milliseconds since 1970, or yyyy-MM-dd#HH:mm:ss:SSS',
};
const END: VerbOption = { flags: '-e, --endTimestamp <time>', description: 'stored up to then' };

const byId: Omit<Verb, 'name'> = {
  summary: 'show a message by its id, and what became of it',
  options: [
    { flags: '-i, --msgId <id>', description: 'message id, or offset message id', required: true },
    { flags: '-t, --topic <topic>', description: 'topic name; without it, any topic' },
    { flags: '-c, --cluster <cluster>', description: 'all brokers of a cluster' },
    BROKER,
  ],
  load: async () => (await import('./commands/query-messages.ts')).queryMsgById,
};

/** Verbs that show stored messages. */
export const QUERY_VERBS: readonly Verb[] = [
  { name: 'queryMsgById', ...byId },
  { name: 'queryMsgByUniqueKey', ...byId },
  {
    name: 'queryMsgByKey',
    summary: 'list messages with a key, the newest first',
    options: [
      TOPIC,
      { flags: '-k, --msgKey <key>', description: 'key', required: true },
      BEGIN,
      END,
      { flags: '-c, --maxNum <count>', description: 'at most so many, 1…10000; default 64' },
    ],
    load: async () => (await import('./commands/query-messages.ts')).queryMsgByKey,
  },
  {
    name: 'queryMsgByOffset',
    summary: 'show the message at an offset of a queue, and what became of it',
    options: [
      TOPIC,
      BROKER,
      { flags: '-i, --queueId <id>', description: 'queue', required: true },
      { flags: '-o, --offset <offset>', description: 'offset in the queue', required: true },
    ],
    load: async () => (await import('./commands/query-messages.ts')).queryMsgByOffset,
  },
  {
    name: 'printMsg',
    summary: 'print messages of a topic',
    options: [
      TOPIC,
      BEGIN,
      END,
      { flags: '-d, --printBody <flag>', description: 'false: without bodies' },
      { flags: '--maxNum <count>', description: 'at most so many, 1…100000; default 256' },
      { flags: '--brokerName <broker>', description: 'only this broker' },
    ],
    load: async () => (await import('./commands/query-messages.ts')).printMsg,
  },
];
