import {
  ClientType,
  type Resource,
  TransactionResolution,
  TransactionSource,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Probe } from '../probe.ts';
import type { ProbeClient, TelemetrySession } from '../probe-client.ts';
import {
  consumerSettings,
  duration,
  endpointsOf,
  newMessage,
  producerSettings,
  queueOf,
  resource,
} from '../requests.ts';
import type { World } from '../world.ts';
import { outcomesOf } from './cases.ts';

/** Makes a call about a topic and gives its code. */
type TopicCall = (client: ProbeClient, topic: Resource | undefined, world: World) => Promise<string>;
/** Makes a call about a group, and about a topic that is there, and gives its code. */
type GroupCall = (client: ProbeClient, group: Resource | undefined, world: World) => Promise<string>;

const HANDLE = 'no handle';

const topicsOf = (world: World): Readonly<Record<string, Resource | undefined>> => ({
  'none given': undefined,
  empty: resource(''),
  blank: resource('  '),
  '127 characters': resource(world.name('t').padEnd(127, 't')),
  '128 characters': resource('t'.repeat(128)),
  'with a space': resource('a topic'),
  'with a slash': resource('a/topic'),
  'with a dot': resource('a.topic'),
  'with an umlaut': resource('töpic'),
  'with a percent sign and a bar': resource(world.name('100%|topic')),
  'a system topic': resource('RMQ_SYS_TRANS_HALF_TOPIC'),
  'the template topic': resource('TBW102'),
  'the prefix of system topics': resource('rmq_sys_topic'),
  'a retry topic': resource('%RETRY%group'),
  'a dead letter topic': resource('%DLQ%group'),
  '255 characters of a dead letter topic': resource(`%DLQ%${'t'.repeat(250)}`),
  '256 characters of a dead letter topic': resource(`%DLQ%${'t'.repeat(251)}`),
  unknown: resource(world.name('no-such-topic')),
});

const TOPIC_CALLS: Readonly<Record<string, TopicCall>> = {
  QueryRoute: async (client, topic, world) =>
    (await client.call('queryRoute', { topic, endpoints: endpointsOf(world.target.address) })).code,
  SendMessage: async (client, topic) =>
    (await client.call('sendMessage', { messages: [{ ...newMessage(''), topic }] })).code,
  QueryAssignment: async (client, topic, world) =>
    (
      await client.call('queryAssignment', {
        topic,
        group: resource(world.name('group')),
        endpoints: endpointsOf(world.target.address),
      })
    ).code,
  ReceiveMessage: async (client, topic, world) => {
    const request = world.receiveRequest({ topic: '', group: world.name('group') });
    const messageQueue = { ...queueOf('', world.target.brokerName), topic };
    return (await client.stream('receiveMessage', { ...request, messageQueue }, 45_000)).code;
  },
  AckMessage: async (client, topic, world) => {
    const entries = [{ messageId: 'any', receiptHandle: HANDLE }];
    return (await client.call('ackMessage', { topic, group: resource(world.name('group')), entries })).code;
  },
  ChangeInvisibleDuration: async (client, topic, world) => {
    const fields = { receiptHandle: HANDLE, invisibleDuration: duration(20_000), messageId: 'any' };
    return (await client.call('changeInvisibleDuration', { topic, group: resource(world.name('group')), ...fields }))
      .code;
  },
  ForwardMessageToDeadLetterQueue: async (client, topic, world) => {
    const fields = { receiptHandle: HANDLE, messageId: 'any', deliveryAttempt: 1, maxDeliveryAttempts: 17 };
    const group = resource(world.name('group'));
    return (await client.call('forwardMessageToDeadLetterQueue', { topic, group, ...fields })).code;
  },
  EndTransaction: async (client, topic) => {
    const fields = {
      messageId: 'any',
      transactionId: 'unknown',
      resolution: TransactionResolution.COMMIT,
      source: TransactionSource.SOURCE_CLIENT,
    };
    return (await client.call('endTransaction', { topic, ...fields })).code;
  },
  RecallMessage: async (client, topic) => (await client.call('recallMessage', { topic, recallHandle: HANDLE })).code,
  'Telemetry of a producer': (client, topic) => settingsCode(client.telemetry(), { topic }),
  'Telemetry of a consumer': (client, topic, world) =>
    settingsCode(client.telemetry(), { topic, group: resource(world.name('group')) }),
};

const groupsOf = (world: World): Readonly<Record<string, Resource | undefined>> => ({
  'none given': undefined,
  empty: resource(''),
  blank: resource('  '),
  '120 characters': resource(world.name('g').padEnd(120, 'g')),
  '121 characters': resource('g'.repeat(121)),
  '255 characters': resource('g'.repeat(255)),
  '256 characters': resource('g'.repeat(256)),
  'with a space': resource('a group'),
  'with a slash': resource('a/group'),
  'with an umlaut': resource('grüppe'),
  'with a percent sign and a bar': resource(world.name('100%|group')),
  'the prefix of system groups': resource('CID_RMQ_SYS_group'),
  'of the original itself': resource('TOOLS_CONSUMER'),
  unknown: resource(world.name('no-such-group')),
});

const GROUP_CALLS: Readonly<Record<string, GroupCall>> = {
  Heartbeat: async (client, group) =>
    (await client.call('heartbeat', { ...(group ? { group } : {}), clientType: ClientType.SIMPLE_CONSUMER })).code,
  QueryAssignment: async (client, group, world) => {
    const topic = resource(world.name('topic'));
    return (await client.call('queryAssignment', { topic, group, endpoints: endpointsOf(world.target.address) })).code;
  },
  ReceiveMessage: async (client, group, world) => {
    const request = world.receiveRequest({ topic: world.name('topic'), group: '' });
    return (await client.stream('receiveMessage', { ...request, group }, 45_000)).code;
  },
  AckMessage: async (client, group, world) => {
    const entries = [{ messageId: 'any', receiptHandle: HANDLE }];
    return (await client.call('ackMessage', { topic: resource(world.name('topic')), group, entries })).code;
  },
  ChangeInvisibleDuration: async (client, group, world) => {
    const fields = { receiptHandle: HANDLE, invisibleDuration: duration(20_000), messageId: 'any' };
    const topic = resource(world.name('topic'));
    return (await client.call('changeInvisibleDuration', { topic, group, ...fields })).code;
  },
  ForwardMessageToDeadLetterQueue: async (client, group, world) => {
    const fields = { receiptHandle: HANDLE, messageId: 'any', deliveryAttempt: 1, maxDeliveryAttempts: 17 };
    const topic = resource(world.name('topic'));
    return (await client.call('forwardMessageToDeadLetterQueue', { topic, group, ...fields })).code;
  },
  NotifyClientTermination: async (client, group) =>
    (await client.call('notifyClientTermination', group ? { group } : {})).code,
  Telemetry: (client, group, world) =>
    settingsCode(client.telemetry(), { group, topic: resource(world.name('topic')) }),
};

/** How settings about a topic, and about a group when there is one, are answered. */
async function settingsCode(
  session: TelemetrySession,
  about: { readonly topic: Resource | undefined; readonly group?: Resource | undefined },
): Promise<string> {
  const { topic } = about;
  if (!('group' in about)) {
    const settings = producerSettings([]);
    session.send({ settings: { ...settings, publishing: { ...settings.publishing!, topics: topic ? [topic] : [] } } });
  } else {
    const settings = consumerSettings('', ['']);
    const subscription = settings.subscription!;
    const subscriptions = subscription.subscriptions.map((entry) => ({ ...entry, topic }));
    session.send({ settings: { ...settings, subscription: { ...subscription, group: about.group, subscriptions } } });
  }
  const answer = await session.next();
  if (typeof answer === 'string') return answer;
  return answer.settings === undefined ? 'another command' : 'settings';
}

/** Each case has a client of its own, which has said who it is unless the case is about that. */
async function clientFor(world: World, call: string, isProducer: boolean): Promise<ProbeClient> {
  const clientId = `client-host@1@${world.name(String(nextClient++))}`;
  if (call.startsWith('Telemetry')) return world.client({ clientId });
  const topic = world.name('topic');
  return isProducer
    ? world.clientWith(producerSettings([topic]), { clientId })
    : world.clientWith(consumerSettings(world.name('group'), [topic], ClientType.SIMPLE_CONSUMER), { clientId });
}

let nextClient = 0;
const PRODUCER_CALLS = ['SendMessage', 'EndTransaction', 'RecallMessage'];

/** Each call with each name that is a topic's, or is none. */
export const topicNameProbes: readonly Probe[] = Object.entries(TOPIC_CALLS).map(([call, run]) => ({
  id: `topic-names.${call.replaceAll(' ', '-')}`,
  topics: { topic: { type: 'NORMAL' } },
  groups: { group: {} },
  run: (world) =>
    outcomesOf(topicsOf(world), async (topic) => {
      const client = await clientFor(world, call, PRODUCER_CALLS.includes(call));
      return run(client, topic, world);
    }),
}));

/** Each call with each name that is a group's, or is none. */
export const groupNameProbes: readonly Probe[] = Object.entries(GROUP_CALLS).map(([call, run]) => ({
  id: `group-names.${call}`,
  topics: { topic: { type: 'NORMAL' } },
  groups: { group: {} },
  run: (world) =>
    outcomesOf(groupsOf(world), async (group) => {
      const client = await clientFor(world, call, false);
      return run(client, group, world);
    }),
}));
