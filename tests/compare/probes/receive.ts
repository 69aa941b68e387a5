import { FilterType, type ReceiveMessageRequest } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Outcome } from '../outcome.ts';
import type { Probe } from '../probe.ts';
import type { ProbeClient } from '../probe-client.ts';
import { duration, queueOf } from '../requests.ts';
import type { World } from '../world.ts';
import { outcomesOf } from './cases.ts';

const HOUR_MS = 3_600_000;
const TIMEOUT_MS = 45_000;

/** A receive of a group and topic with no messages, changed by a case. */
async function receiveCode(
  world: World,
  client: ProbeClient,
  change: Partial<ReceiveMessageRequest>,
  timeoutMs = TIMEOUT_MS,
): Promise<string> {
  const request = world.receiveRequest({ topic: world.name('topic'), group: world.name('group') });
  return (await client.stream('receiveMessage', { ...request, ...change }, timeoutMs)).code;
}

/** A probe whose cases change a receive that gets nothing; the outcome of each is its code. */
function codes(id: string, cases: (world: World) => Readonly<Record<string, Partial<ReceiveMessageRequest>>>): Probe {
  return {
    id,
    topics: { topic: { type: 'NORMAL' } },
    groups: { group: {} },
    run: async (world) => {
      const client = await world.consumer(world.name('group'), world.name('topic'));
      return outcomesOf(cases(world), (change) => receiveCode(world, client, change));
    },
  };
}

const batchSizes = codes('receive.batch-sizes', () => ({
  '-1': { batchSize: -1 },
  '0': { batchSize: 0 },
  '1': { batchSize: 1 },
  '32': { batchSize: 32 },
  '33': { batchSize: 33 },
  'the largest': { batchSize: 0x7fff_ffff },
}));

const invisibleDurations = codes('receive.invisible-durations', () => ({
  none: { invisibleDuration: undefined } as never,
  '0': { invisibleDuration: duration(0) },
  negative: { invisibleDuration: duration(-1_000) },
  '9,999 ms': { invisibleDuration: duration(9_999) },
  '10 s': { invisibleDuration: duration(10_000) },
  '12 hours': { invisibleDuration: duration(12 * HOUR_MS) },
  '12 hours and 1 ms': { invisibleDuration: duration(12 * HOUR_MS + 1) },
  'none, but renewed': { invisibleDuration: undefined, autoRenew: true } as never,
}));

const filters = codes('receive.filters', () => {
  const tag = (expression: string) => ({ filterExpression: { type: FilterType.TAG, expression } });
  const sql = (expression: string) => ({ filterExpression: { type: FilterType.SQL, expression } });
  return {
    none: { filterExpression: undefined } as never,
    'of no type': { filterExpression: { type: FilterType.FILTER_TYPE_UNSPECIFIED, expression: '*' } },
    'of unknown type': { filterExpression: { type: 99 as FilterType, expression: '*' } },
    'tag: nothing': tag(''),
    'tag: blank': tag('  '),
    'tag: all': tag('*'),
    'tag: two': tag('a || b'),
    'tag: only bars': tag('||'),
    'tag: one bar': tag('a|b'),
    'tag: an empty alternative': tag('a || || b'),
    'tag: a tag and all': tag('a || *'),
    'sql: nothing': sql(''),
    'sql: blank': sql('  '),
    'sql: equality': sql("a = 'b'"),
    'sql: a number': sql('a > 5'),
    'sql: between': sql('a BETWEEN 1 AND 5'),
    'sql: between the wrong way round': sql('a BETWEEN 5 AND 1'),
    'sql: in': sql("a IN ('b', 'c')"),
    'sql: in numbers': sql('a IN (1, 2)'),
    'sql: is null': sql('a IS NULL'),
    'sql: contains': sql("a CONTAINS 'b'"),
    'sql: starts with': sql("a STARTSWITH 'b'"),
    'sql: not ends with': sql("NOT (a ENDSWITH 'b')"),
    'sql: a not ends with': sql("a NOT ENDSWITH 'b'"),
    'sql: true': sql('TRUE'),
    'sql: a property alone': sql('a'),
    'sql: not a property': sql('NOT a'),
    'sql: a number alone': sql('1'),
    'sql: like': sql("a LIKE 'b%'"),
    'sql: arithmetic': sql('a + 1 > 2'),
    'sql: unequal in another way': sql("a != 'b'"),
    'sql: no right side': sql('a ='),
    'sql: parentheses left open': sql("(a = 'b'"),
    'sql: a text left open': sql("a = 'b"),
    'sql: words behind it': sql("a = 'b' c"),
    'sql: a dot in a name': sql("a.b = 'c'"),
    'sql: a comment': sql("a = 'b' -- c"),
    'sql: a comment between': sql("a /* c */ = 'b'"),
    'sql: a decimal': sql('a > 0.5'),
    'sql: zero with a point': sql('a > 0.0'),
    'sql: a long': sql('a > 5L'),
    'sql: a long zero': sql('a > 0L'),
    'sql: beyond 64 bits': sql('a > 9223372036854775808'),
    'sql: an exponent': sql('a > 1e3'),
    'sql: two texts compared': sql("'a' = 'a'"),
    'sql: texts by size': sql("a > 'b'"),
    'sql: the constant first': sql("'b' = a"),
    'sql: true first': sql('TRUE = a'),
    'sql: small letters': sql("a = 'b' and not (c is null) or d between 1 and 2"),
  };
});

const queues = codes('receive.queues', (world) => {
  const queue = queueOf(world.name('topic'), world.target.brokerName);
  const broker = queue.broker!;
  return {
    none: { messageQueue: undefined } as never,
    'no broker': { messageQueue: { ...queue, broker: undefined } },
    'an unknown broker': { messageQueue: { ...queue, broker: { ...broker, name: 'no-such-broker' } } },
    'an empty broker name': { messageQueue: { ...queue, broker: { ...broker, name: '' } } },
    'a slave': { messageQueue: { ...queue, broker: { ...broker, id: 1 } } },
    'queue -1': { messageQueue: { ...queue, id: -1 } },
    'queue 1,000': { messageQueue: { ...queue, id: 1000 } },
  };
});

const attemptIds = codes('receive.attempt-ids', () => ({
  empty: { attemptId: '' },
  'any text': { attemptId: 'größe' },
  '300 characters': { attemptId: 'a'.repeat(300) },
}));

/** How long a receive that gets nothing waits, by what was asked and how long the client would wait. Milliseconds. */
const POLLINGS: Readonly<Record<string, { readonly pollingMs: number | undefined; readonly timeoutMs: number }>> = {
  '1 s, deadline in 8 s': { pollingMs: 1_000, timeoutMs: 8_000 },
  '5 s, deadline in 8 s': { pollingMs: 5_000, timeoutMs: 8_000 },
  '7 s, deadline in 10 s': { pollingMs: 7_000, timeoutMs: 10_000 },
  '30 s, deadline in 33 s': { pollingMs: 30_000, timeoutMs: 33_000 },
  '5 s, deadline in 4 s': { pollingMs: 5_000, timeoutMs: 4_000 },
  'negative, deadline in 8 s': { pollingMs: -1_000, timeoutMs: 8_000 },
  'none, deadline in 9 s': { pollingMs: undefined, timeoutMs: 9_000 },
};

const pollings: Probe = {
  id: 'receive.polling-times',
  topics: { topic: { type: 'NORMAL' } },
  groups: { group: {} },
  run: async (world) => {
    const client = await world.consumer(world.name('group'), world.name('topic'));
    return outcomesOf(POLLINGS, async ({ pollingMs, timeoutMs }) => {
      const wish = pollingMs === undefined ? undefined : duration(pollingMs);
      const startedMs = performance.now();
      const code = await receiveCode(world, client, { longPollingTimeout: wish } as never, timeoutMs);
      return { code, waited: roughly(performance.now() - startedMs) };
    });
  },
};

/** Roughly, as the machine may be busy: at once, about as long as asked, or about as long as is allowed. */
function roughly(elapsedMs: number): Outcome {
  if (elapsedMs < 3_000) return 'at once';
  return elapsedMs < 14_000 ? 'some seconds' : 'long';
}

/** A receive by who has not said who it is. */
const beforeSettings: Probe = {
  id: 'receive.before-settings',
  topics: { topic: { type: 'NORMAL' } },
  groups: { group: {} },
  run: (world) =>
    outcomesOf({ explicit: false, renewed: true }, async (autoRenew, name) => {
      const client = world.client({ clientId: `client-host@1@${name}-${world.name('')}` });
      const group = world.name(`group-${name}`);
      await world.send(client, world.name('topic'));
      const { code, messages } = await world.receive(client, { topic: world.name('topic'), group, autoRenew });
      return { code, messages: messages.length };
    }),
};

/** Topics and groups that may not be read. */
const permissions: Probe = {
  id: 'receive.permissions',
  topics: {
    topic: { type: 'NORMAL' },
    'read-only': { type: 'NORMAL', permission: 4 },
    'write-only': { type: 'NORMAL', permission: 2 },
    neither: { type: 'NORMAL', permission: 0 },
  },
  groups: { group: {}, closed: { isConsumable: false } },
  run: (world) => {
    const cases = {
      'a topic to read': ['read-only', 'group'],
      'a topic to write': ['write-only', 'group'],
      'a topic for nothing': ['neither', 'group'],
      'a closed group': ['topic', 'closed'],
    } as const;
    return outcomesOf(cases, async ([topicKey, groupKey]) => {
      const topic = world.name(topicKey);
      const group = world.name(groupKey);
      const client = await world.consumer(group, topic);
      return (await world.receive(client, { topic, group })).code;
    });
  },
};

/** The parts of an answer, in order. */
const parts: Probe = {
  id: 'receive.parts-of-the-answer',
  topics: { topic: { type: 'NORMAL', readQueueCount: 1, writeQueueCount: 1 }, empty: { type: 'NORMAL' } },
  groups: { group: {} },
  run: (world) =>
    outcomesOf({ 'with two messages': 'topic', 'with none': 'empty' }, async (key) => {
      const [topic, group] = [world.name(key), world.name('group')];
      const client = await world.consumer(group, topic);
      if (key === 'topic') {
        await world.send(client, topic);
        await world.send(client, topic);
      }
      const { response } = await client.stream('receiveMessage', world.receiveRequest({ topic, group }), TIMEOUT_MS);
      return (response ?? []).map((part) => {
        if (part.status) return 'status';
        if (part.message) return 'message';
        return part.deliveryTimestamp ? 'delivery timestamp' : 'another';
      });
    }),
};

/** What a group that begins is given: messages from before, from after, or all. */
const firstPosition: Probe = {
  id: 'receive.first-position',
  topics: { topic: { type: 'NORMAL' } },
  run: async (world) => {
    const [topic, group] = [world.name('topic'), world.name('group')];
    const producer = await world.producer(topic);
    for (const tag of ['before', 'before', 'before']) await world.send(producer, topic, { system: { tag } });
    const consumer = await world.consumer(group, topic);
    const got = await world.collect(consumer, 3, { topic, group }, 12_000);
    return got.length;
  },
};

/** Two groups, and two consumers of one group. */
const groups: Probe = {
  id: 'receive.groups',
  topics: { topic: { type: 'NORMAL' } },
  run: async (world) => {
    const topic = world.name('topic');
    const producer = await world.producer(topic);
    for (let index = 0; index < 10; index++) await world.send(producer, topic);
    const consumers = await Promise.all(['one', 'one', 'two'].map((key) => world.consumer(world.name(key), topic)));
    const got = await Promise.all(
      ['one', 'one', 'two'].map(async (key, index) => {
        const count = key === 'one' ? 5 : 10;
        return world.collect(consumers[index]!, count, { topic, group: world.name(key) }, 20_000);
      }),
    );
    const ids = (of: number[]) => new Set(of.flatMap((index) => got[index]!.map((m) => m.systemProperties!.messageId)));
    return { 'both of one': ids([0, 1]).size, 'the one of the other': ids([2]).size };
  },
};

/** What tags and expressions let through. */
const matches: Probe = {
  id: 'receive.what-filters-let-through',
  topics: { topic: { type: 'NORMAL' } },
  run: async (world) => {
    const topic = world.name('topic');
    const producer = await world.producer(topic);
    const messages: Record<string, { tag?: string; properties?: Record<string, string> }> = {
      plain: {},
      'tag a': { tag: 'a' },
      'tag A': { tag: 'A' },
      'tag b': { tag: 'b' },
      'tag a b': { tag: 'a b' },
      'p 5': { properties: { p: '5' } },
      'p 5.5': { properties: { p: '5.5' } },
      'p text': { properties: { p: 'text' } },
      'p true': { properties: { p: 'true' } },
      'q 5': { properties: { q: '5' } },
      'p 5 q 5': { properties: { p: '5', q: '5' } },
      'p 5 tag a': { tag: 'a', properties: { p: '5' } },
    };
    for (const [key, { tag, properties }] of Object.entries(messages)) {
      const system = { keys: [key], ...(tag === undefined ? {} : { tag }) };
      await world.send(producer, topic, { userProperties: properties ?? {}, system });
    }
    const cases: Record<string, { filter?: string; sql?: string }> = {
      'tag a': { filter: 'a' },
      'tags a and b': { filter: 'a || b' },
      'tags in a heap': { filter: '  a||b  ' },
      'a tag with a space': { filter: 'a b' },
      'no tag': { filter: '' },
      'p = 5': { sql: 'p = 5' },
      "p = '5'": { sql: "p = '5'" },
      'p > 5': { sql: 'p > 5' },
      'p >= 5': { sql: 'p >= 5' },
      'p <> 5': { sql: 'p <> 5' },
      'p = q': { sql: 'p = q' },
      'p IS NULL': { sql: 'p IS NULL' },
      'p IS NOT NULL AND q IS NULL': { sql: 'p IS NOT NULL AND q IS NULL' },
      "p IN ('5', 'text')": { sql: "p IN ('5', 'text')" },
      "p NOT IN ('5')": { sql: "p NOT IN ('5')" },
      'p BETWEEN 5 AND 6': { sql: 'p BETWEEN 5 AND 6' },
      'p NOT BETWEEN 5 AND 6': { sql: 'p NOT BETWEEN 5 AND 6' },
      'p = TRUE': { sql: 'p = TRUE' },
      "p CONTAINS 'ex'": { sql: "p CONTAINS 'ex'" },
      "p NOT CONTAINS 'ex'": { sql: "p NOT CONTAINS 'ex'" },
      "p STARTSWITH '5'": { sql: "p STARTSWITH '5'" },
      "NOT (p = '5')": { sql: "NOT (p = '5')" },
      "TAGS = 'a'": { sql: "TAGS = 'a'" },
      "TAGS = 'a' AND p = 5": { sql: "TAGS = 'a' AND p = 5" },
      "KEYS = 'plain'": { sql: "KEYS = 'plain'" },
      TRUE: { sql: 'TRUE' },
      'FALSE OR p = 5': { sql: 'FALSE OR p = 5' },
    };
    return outcomesOf(cases, async (expression, name) => {
      const group = world.name(`group-${Object.keys(cases).indexOf(name)}`);
      const client = await world.consumer(group, topic);
      const found = await world.collect(client, Object.keys(messages).length, { topic, group, ...expression }, 8_000);
      return found.map(({ systemProperties }) => systemProperties!.keys.join(' ')).sort();
    });
  },
};

/** Two clients of a group with different expressions. */
const different: Probe = {
  id: 'receive.different-filters-in-a-group',
  topics: { topic: { type: 'NORMAL' } },
  groups: { group: {} },
  run: async (world) => {
    const [topic, group] = [world.name('topic'), world.name('group')];
    const one = await world.consumer(group, topic);
    const other = await world.consumer(group, topic);
    const first = await world.receive(one, { topic, group, filter: 'a' });
    const second = await world.receive(other, { topic, group, filter: 'b' });
    const third = await world.receive(one, { topic, group, filter: 'a' });
    return [first.code, second.code, third.code];
  },
};

/** ReceiveMessage. */
export const receiveProbes: readonly Probe[] = [
  ...[batchSizes, invisibleDurations, filters, queues, attemptIds, pollings, beforeSettings, permissions, parts],
  ...[firstPosition, groups, matches, different],
];
