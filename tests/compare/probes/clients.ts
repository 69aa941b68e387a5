import {
  ClientType,
  FilterType,
  Language,
  type Settings,
  type TelemetryCommand,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { codeName } from '../answer.ts';
import { describeSettings } from '../describe.ts';
import type { Outcome } from '../outcome.ts';
import type { Probe } from '../probe.ts';
import type { ProbeClient, UnaryName } from '../probe-client.ts';
import { consumerSettings, duration, endpointsOf, newMessage, producerSettings, resource } from '../requests.ts';
import type { World } from '../world.ts';
import { outcomesOf } from './cases.ts';

const { PRODUCER, PULL_CONSUMER, PUSH_CONSUMER, SIMPLE_CONSUMER } = ClientType;
/** After so long nothing is an answer, too. */
const QUIET_MS = 8_000;
const CONSUMERS = { PUSH_CONSUMER, SIMPLE_CONSUMER, PULL_CONSUMER };

/** Every call that is sent without, with an empty and with a blank client id. */
const clientIds: Probe = {
  id: 'client-id.missing',
  topics: { topic: { type: 'NORMAL' } },
  run: (world) => {
    const topic = resource(world.name('topic'));
    const group = resource(world.name('group'));
    const calls: Record<string, (client: ProbeClient) => Promise<string>> = {};
    const unary: Partial<Record<UnaryName, object>> = {
      queryRoute: { topic, endpoints: endpointsOf(world.target.address) },
      heartbeat: { group, clientType: SIMPLE_CONSUMER },
      sendMessage: { messages: [newMessage(topic.name)] },
      queryAssignment: { topic, group, endpoints: endpointsOf(world.target.address) },
      ackMessage: { topic, group, entries: [{ messageId: 'any', receiptHandle: 'any' }] },
      forwardMessageToDeadLetterQueue: { topic, group, receiptHandle: 'any', messageId: 'any' },
      endTransaction: { topic, messageId: 'any', transactionId: 'any', resolution: 1 },
      notifyClientTermination: { group },
      changeInvisibleDuration: { topic, group, receiptHandle: 'any', invisibleDuration: duration(10_000) },
      recallMessage: { topic, recallHandle: 'any' },
    };
    for (const [name, request] of Object.entries(unary)) {
      calls[name] = async (client) => (await client.call(name as UnaryName, request)).code;
    }
    calls['receiveMessage'] = async (client) =>
      (await world.receive(client, { topic: topic.name, group: group.name })).code;
    calls['telemetry'] = async (client) => kindOf(await tell(client, producerSettings([topic.name])));
    const ids = { none: undefined, empty: '', blank: '  ' };
    return outcomesOf(ids, (clientId) =>
      outcomesOf(calls, (call) => call(world.client({ headers: { 'x-mq-client-id': clientId } }))),
    );
  },
};

/** Headers that some clients do not send, or send otherwise. */
const headers: Probe = {
  id: 'client-id.other-headers',
  topics: { topic: { type: 'NORMAL' } },
  run: (world) => {
    const cases: Record<string, Record<string, string | undefined>> = {
      'no language': { 'x-mq-language': undefined },
      'an unknown language': { 'x-mq-language': 'COBOL' },
      'no version': { 'x-mq-client-version': undefined },
      'an odd version': { 'x-mq-client-version': 'new' },
      'no request id': { 'x-mq-request-id': undefined },
      'no protocol': { 'x-mq-protocol': undefined },
      'an authorization that nobody asked for': { authorization: 'MQv2-HMAC-SHA1 Credential=/, Signature=' },
      'a namespace': { 'x-mq-namespace': 'space' },
    };
    return outcomesOf(cases, async (extra) => {
      const sent = await world.send(world.client({ headers: extra }), world.name('topic'));
      return sent.code;
    });
  },
};

async function tell(client: ProbeClient, settings: Settings): Promise<TelemetryCommand | string> {
  const session = client.telemetry();
  session.send({ settings });
  return session.next();
}

function kindOf(answer: TelemetryCommand | string): string {
  if (typeof answer === 'string') return answer;
  return answer.settings === undefined ? `a command with status ${codeName(answer.status)}` : 'settings';
}

function describeAnswer(world: World, answer: TelemetryCommand | string): Outcome {
  if (typeof answer === 'string') return answer;
  return { status: codeName(answer.status), settings: describeSettings(world, answer.settings) };
}

/** Settings as they come back, for each kind of client and group. */
const merges: readonly Probe[] = [
  mergeProbe('producer', (world) => producerSettings([world.name('topic'), world.name('other')])),
  mergeProbe('producer-of-nothing', () => producerSettings([])),
  mergeProbe('producer-with-a-namespace', (world) => ({
    ...producerSettings([]),
    publishing: { topics: [resource(world.name('topic'), 'space')], maxBodySize: 1, validateMessageType: false },
  })),
  ...Object.entries(CONSUMERS).map(([name, type]) =>
    mergeProbe(name, (world) => consumerSettings(world.name('plain'), [world.name('topic')], type)),
  ),
  mergeProbe('consumer-with-a-namespace', (world) => {
    const settings = consumerSettings('', []);
    const expression = { type: FilterType.TAG, expression: '*' };
    return {
      ...settings,
      subscription: {
        ...settings.subscription!,
        group: resource(world.name('plain'), 'space'),
        subscriptions: [{ topic: resource(world.name('topic'), 'space'), expression }],
      },
    };
  }),
  mergeProbe('fifo-group', (world) => consumerSettings(world.name('fifo'), [world.name('topic')])),
  mergeProbe('group-with-delays', (world) => consumerSettings(world.name('delays'), [world.name('topic')])),
  mergeProbe('group-with-growing-delays', (world) => consumerSettings(world.name('growing'), [world.name('topic')])),
  mergeProbe('group-without-retries', (world) => consumerSettings(world.name('once'), [world.name('topic')])),
  mergeProbe('unknown-group', (world) => consumerSettings(world.name('new'), [world.name('topic')])),
  mergeProbe('simple-fifo', (world) => consumerSettings(world.name('fifo'), [world.name('topic')], SIMPLE_CONSUMER)),
  mergeProbe('wishes-of-the-client', (world) => {
    const settings = consumerSettings(world.name('plain'), [world.name('topic')]);
    return {
      ...settings,
      backoffPolicy: { maxAttempts: 3, customizedBackoff: { next: [duration(7_000)] } },
      metric: { on: true },
      subscription: {
        ...settings.subscription!,
        fifo: true,
        receiveBatchSize: 5,
        longPollingTimeout: duration(7_000),
        liteSubscriptionQuota: 3,
        maxLiteTopicSize: 4,
      },
    };
  }),
  mergeProbe('client-properties', (world) => ({
    ...producerSettings([world.name('topic')]),
    clientProperties: new Map([['team', 'orders']]),
  })),
  ...Object.entries({ NODE_JS: Language.NODE_JS, PYTHON: Language.PYTHON, CPP: Language.CPP }).map(([name, language]) =>
    mergeProbe(`client-in-${name}`, (world) => ({
      ...consumerSettings(world.name('plain'), [world.name('topic')]),
      userAgent: { language, version: '5.0.0', platform: '', hostname: '' },
    })),
  ),
];

function mergeProbe(name: string, settings: (world: World) => Settings): Probe {
  return {
    id: `settings.${name}`,
    topics: { topic: { type: 'NORMAL' }, other: { type: 'FIFO' } },
    groups: {
      plain: {},
      fifo: { isFifo: true },
      delays: { retryMaxTimes: 3, retryDelaysMs: [1_000, 2_500, 60_000] },
      growing: { retryMaxTimes: 5, retryExponential: { initial: 2_000, max: 60_000, multiplier: 3 } },
      once: { retryMaxTimes: 0 },
    },
    run: async (world) => describeAnswer(world, await tell(world.client(), settings(world))),
  };
}

/** Settings and commands that make no sense. */
const badSettings: Probe = {
  id: 'settings.bad',
  topics: { topic: { type: 'NORMAL' } },
  run: (world) => {
    const producer = producerSettings([world.name('topic')]);
    const { publishing: _, ...bare } = producer;
    const consumer = consumerSettings(world.name('group'), [world.name('topic')]);
    const properties = (pairs: readonly (readonly [string, string])[]): Settings => ({
      ...producer,
      clientProperties: new Map(pairs),
    });
    const { clientType: __, ...untyped } = producer;
    const cases: Record<string, Settings> = {
      'neither publishing nor subscription': bare,
      'no client type': untyped,
      'client type 0': { ...producer, clientType: ClientType.CLIENT_TYPE_UNSPECIFIED },
      'client type unknown': { ...producer, clientType: 99 as ClientType },
      'a producer that subscribes': { ...consumer, clientType: PRODUCER },
      'a consumer that publishes': { ...producer, clientType: PUSH_CONSUMER },
      'no subscription': consumerSettings(world.name('group'), []),
      'an expression of unknown type': withExpression(consumer, 99 as FilterType, '*'),
      'an illegal expression': withExpression(consumer, FilterType.SQL, 'a ='),
      'an expression without a type': withExpression(consumer, FilterType.FILTER_TYPE_UNSPECIFIED, '*'),
      '33 client properties': properties(Array.from({ length: 33 }, (_, index) => [`key${index}`, 'value'])),
      'a reserved client property': properties([['rocketmq.key', 'value']]),
      'a client property with a bad key': properties([['1 key', 'value']]),
      'a client property of 257 bytes': properties([['key', 'v'.repeat(257)]]),
    };
    return outcomesOf(cases, async (settings, name) =>
      kindOf(await tell(world.client({ clientId: `client-host@1@${name}` }), settings)),
    );
  },
};

function withExpression(settings: Settings, type: FilterType, expression: string): Settings {
  const subscriptions = settings.subscription!.subscriptions.map(({ topic }) => ({
    topic,
    expression: { type, expression },
  }));
  return { ...settings, subscription: { ...settings.subscription!, subscriptions } };
}

/** Commands of a client other than its first settings. */
const commands: Probe = {
  id: 'telemetry.commands',
  topics: { topic: { type: 'NORMAL' } },
  run: (world) => {
    const cases: Record<string, Partial<TelemetryCommand>> = {
      'settings again': { settings: producerSettings([world.name('topic')]) },
      'an answer to nothing': { verifyMessageResult: { nonce: 'nonce' } },
      'a stack trace for nobody': { threadStackTrace: { nonce: 'nonce', threadStackTrace: 'text' } },
      'a command of the server': { reconnectEndpointsCommand: { nonce: 'nonce' } },
      'no command': {},
    };
    return outcomesOf(cases, async (command, name) => {
      const session = world.client({ clientId: `client-host@1@${name}` }).telemetry();
      session.send({ settings: producerSettings([world.name('topic')]) });
      await session.next();
      session.send(command);
      const answer = await session.next(QUIET_MS);
      session.send({ settings: producerSettings([world.name('topic')]) });
      return { answer: kindOf(answer), 'settings after it': kindOf(await session.next(QUIET_MS)) };
    });
  },
};

/** A command before any settings. */
const commandFirst: Probe = {
  id: 'telemetry.commands-first',
  run: (world) => {
    const cases: Record<string, Partial<TelemetryCommand>> = {
      'an answer to nothing': { verifyMessageResult: { nonce: 'nonce' } },
      'no command': {},
    };
    return outcomesOf(cases, async (command, name) => {
      const session = world.client({ clientId: `client-host@1@${name}` }).telemetry();
      session.send(command);
      return kindOf(await session.next(QUIET_MS));
    });
  },
};

/** A stream whose client has nothing more to say. */
const halfClosed: Probe = {
  id: 'telemetry.end-of-the-client',
  topics: { topic: { type: 'NORMAL' } },
  run: async (world) => {
    const session = world.client().telemetry();
    session.send({ settings: producerSettings([world.name('topic')]) });
    await session.next();
    session.end();
    return kindOf(await session.next(QUIET_MS));
  },
};

/** Heartbeats of every kind of client, before and after it has told its settings. */
const heartbeats: Probe = {
  id: 'heartbeat.client-types',
  topics: { topic: { type: 'NORMAL' } },
  groups: { group: {} },
  run: (world) => {
    const group = resource(world.name('group'));
    const types = { ...ClientType, unknown: 99 as ClientType };
    const beat = async (client: ProbeClient, clientType: ClientType): Promise<string> =>
      (await client.call('heartbeat', clientType === PRODUCER ? { clientType } : { group, clientType })).code;
    const producer = producerSettings([world.name('topic')]);
    const consumer = consumerSettings(group.name, [world.name('topic')], SIMPLE_CONSUMER);
    return outcomesOf({ 'before settings': undefined, producer, consumer }, (settings, kind) =>
      outcomesOf(types, async (clientType, name) => {
        const clientId = `client-host@1@${kind}-${name}-${world.name('')}`;
        const client = settings ? await world.clientWith(settings, { clientId }) : world.client({ clientId });
        return beat(client, clientType);
      }),
    );
  },
};

/** A client that says goodbye. */
const terminations: Probe = {
  id: 'termination.client-types',
  topics: { topic: { type: 'NORMAL' } },
  run: (world) => {
    const group = resource(world.name('group'));
    const producer = producerSettings([world.name('topic')]);
    const consumer = consumerSettings(group.name, [world.name('topic')], SIMPLE_CONSUMER);
    const cases = {
      'an unknown client': undefined,
      'a producer': producer,
      'a consumer': consumer,
      'a consumer with another group': { ...consumer, other: true },
    };
    return outcomesOf(cases, async (settings, name) => {
      const clientId = `client-host@1@${name}-${world.name('')}`;
      const client = settings ? await world.clientWith(settings, { clientId }) : world.client({ clientId });
      const named = name.includes('another') ? resource(world.name('other')) : group;
      const request = name === 'a producer' ? {} : { group: named };
      const first = (await client.call('notifyClientTermination', request)).code;
      return [first, (await client.call('notifyClientTermination', request)).code];
    });
  },
};

/** What is said of clients: ids, settings, heartbeats, ends. */
export const clientProbes: readonly Probe[] = [
  ...[clientIds, headers, ...merges, badSettings, commands, commandFirst, halfClosed, heartbeats, terminations],
];
