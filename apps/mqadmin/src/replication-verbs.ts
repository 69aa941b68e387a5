import type { Verb, VerbOption } from './verb.ts';

const BROKER: VerbOption = {
  flags: '-b, --brokerAddr <broker>',
  description: 'one broker: its name, or what clients dial; a slave by the latter',
};
const CLUSTER: VerbOption = { flags: '-c, --clusterName <cluster>', description: 'all brokers of a cluster' };

/** Verbs about brokers as a whole, masters and slaves. */
export const REPLICATION_VERBS: readonly Verb[] = [
  {
    name: 'haStatus',
    summary: 'show how slaves follow their masters',
    options: [
      BROKER,
      CLUSTER,
      { flags: '--attest', description: 'compare the state of slaves with that of the master' },
    ],
    load: async () => (await import('./commands/replication.ts')).haStatus,
  },
  {
    name: 'getSyncStateSet',
    summary: 'show the in-sync set of brokers',
    options: [
      BROKER,
      CLUSTER,
      { flags: '-a, --controllerAddress <address>', description: 'accepted, has no effect here' },
    ],
    load: async () => (await import('./commands/replication.ts')).getSyncStateSet,
  },
  {
    name: 'getBrokerEpoch',
    summary: 'show the epochs of the log of brokers',
    options: [BROKER, CLUSTER],
    load: async () => (await import('./commands/replication.ts')).getBrokerEpoch,
  },
  {
    name: 'electMaster',
    summary: 'hand the lead of a broker over to a member in sync',
    options: [
      { flags: '--brokerName <name>', description: 'the broker', required: true },
      { flags: '-b, --brokerId <id>', description: 'who is to lead; default: any slave in sync' },
      { flags: '-c, --clusterName <cluster>', description: 'accepted, has no effect here' },
      { flags: '-a, --controllerAddress <address>', description: 'accepted, has no effect here' },
      {
        flags: '--unclean',
        description: 'although it is not in sync and may lack acknowledged messages: when no better copy comes back',
      },
    ],
    load: async () => (await import('./commands/replication.ts')).electMaster,
  },
  {
    name: 'drainBroker',
    summary: 'let no more messages into a broker, and wait until it is empty',
    options: [
      { flags: '-b, --brokerName <name>', description: 'the broker', required: true },
      { flags: '--timeoutSeconds <count>', description: 'wait so long for it to be empty; default 600' },
      {
        flags: '--graceSeconds <count>',
        description: 'still take what clients with older routes send, 0…3600; default 35',
      },
      { flags: '--ignoreTopic <topics>', description: 'what may be lost: topics, separated by commas' },
      { flags: '--ignoreGroup <groups>', description: 'what may be lost: that of groups, separated by commas' },
      { flags: '--undo', description: 'let the broker take messages again' },
    ],
    load: async () => (await import('./commands/drain-broker.ts')).drainBroker,
  },
];
