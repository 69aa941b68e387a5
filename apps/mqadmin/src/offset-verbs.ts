import type { Verb, VerbOption } from './verb.ts';

const BROKER: VerbOption = { flags: '-b, --broker <broker>', description: 'only this broker' };
const TOPIC: VerbOption = {
  flags: '-t, --topic <topic>',
  description: 'topic name; without it, all topics on which the group has begun',
};
const DRY_RUN: VerbOption = { flags: '--dry-run', description: 'only say what would be done' };
const FORCE: VerbOption = { flags: '-f, --force <flag>', description: 'accepted; it is always done at once' };

/** Verbs that set where groups go on. */
export const OFFSET_VERBS: readonly Verb[] = [
  {
    name: 'resetOffsetByTime',
    summary: 'set where a group goes on, by time or by offset',
    options: [
      { flags: '-g, --group <group>', description: 'consumer group', required: true },
      TOPIC,
      {
        flags: '-s, --timestamp <time>',
        description: 'now, earliest, latest, milliseconds since 1970, or yyyy-MM-dd#HH:mm:ss:SSS',
      },
      BROKER,
      { flags: '-q, --queue <id>', description: 'only this queue' },
      { flags: '-o, --offset <offset>', description: 'offset of the queue, in place of a time' },
      FORCE,
      { flags: '-c, --cplus', description: 'accepted, has no effect here' },
      DRY_RUN,
    ],
    load: async () => (await import('./commands/set-offsets.ts')).resetOffsetByTime,
  },
  {
    name: 'skipAccumulatedMessage',
    summary: 'let a group pass over all that it has not consumed',
    options: [
      { flags: '-g, --group <group>', description: 'consumer group', required: true },
      TOPIC,
      BROKER,
      { flags: '-c, --cluster <cluster>', description: 'all brokers of a cluster' },
      FORCE,
      DRY_RUN,
    ],
    load: async () => (await import('./commands/set-offsets.ts')).skipAccumulatedMessage,
  },
  {
    name: 'cloneGroupOffset',
    summary: 'let a group go on where another one is',
    options: [
      { flags: '-s, --srcGroup <group>', description: 'group whose place is taken over', required: true },
      { flags: '-d, --destGroup <group>', description: 'group that is set', required: true },
      TOPIC,
      BROKER,
      { flags: '-o, --offline <flag>', description: 'accepted, has no effect here' },
      DRY_RUN,
    ],
    load: async () => (await import('./commands/set-offsets.ts')).cloneGroupOffset,
  },
];
