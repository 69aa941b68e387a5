import { MqError, quoted } from '@orbitmq/base';
import type { PutGroupRequest, PutTopicRequest, RetryPolicy } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type GroupDefaults, groupConfigOf } from '../group-request.ts';
import { topicConfigOf } from '../topic-request.ts';
import { Fields } from './fields.ts';

/** Topics and groups that are to be there, as somebody has written them down. What a request leaves out is left as it is. */
export interface Declaration {
  readonly topics: readonly PutTopicRequest[];
  readonly groups: readonly PutGroupRequest[];
}

/** A declaration that can't be used: all that is wrong with it, a sentence each. */
export class DeclarationError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.name = 'DeclarationError';
    this.problems = problems;
  }
}

const TOPIC_KEYS = ['name', 'queueNums', 'readQueueNums', 'writeQueueNums', 'perm', 'messageType', 'attributes'];
const GROUP_KEYS = [
  ...['name', 'consumeEnable', 'consumeMessageOrderly', 'retryMaxTimes', 'groupRetryPolicy', 'attributes'],
];
const MESSAGE_TYPE = 'message.type';
/** Checks of a request speak of its fields; whoever wrote the file knows its keys. */
const KEYS: ReadonlyMap<string, string> = new Map([
  ['read_queue_count', 'readQueueNums'],
  ['write_queue_count', 'writeQueueNums'],
  ['permission', 'perm'],
  ['retry_max_times', 'retryMaxTimes'],
  ['retry_policy', 'groupRetryPolicy'],
]);

/**
 * Reads a declaration in JSON: `{"topics": [{"name": …}], "groups": [{"name": …}]}`, with the names of `mqadmin updateTopic` and
 * `updateSubGroup`.
 * @throws DeclarationError with everything that is wrong
 */
export function readDeclaration(text: string, defaults: GroupDefaults): Declaration {
  const problems: string[] = [];
  const file = new Fields('the file', parse(text), ['topics', 'groups'], problems);
  const topics = file.list('topics').map((value, index) => topicOf(value, `topics[${index}]`, problems));
  const groups = file.list('groups').map((value, index) => groupOf(value, `groups[${index}]`, problems, defaults));
  checkNamedOnce('topic', topics, problems);
  checkNamedOnce('group', groups, problems);
  if (problems.length > 0) throw new DeclarationError([...new Set(problems)]);
  return { topics, groups };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DeclarationError([`the file is no JSON: ${(error as Error).message}`]);
  }
}

function topicOf(value: unknown, at: string, problems: string[]): PutTopicRequest {
  const fields = new Fields(placeOf(at, value), value, TOPIC_KEYS, problems);
  const queueCount = fields.wholeNumber('queueNums');
  const { put, removed } = fields.attributes('attributes');
  const messageType = fields.text('messageType');
  if (messageType !== undefined) {
    const other = put.get(MESSAGE_TYPE);
    if (other !== undefined && other !== messageType) {
      fields.problem(
        `messageType is ${quoted(messageType)} and the attribute ${MESSAGE_TYPE} ${quoted(other)}; say it once`,
      );
    }
    put.set(MESSAGE_TYPE, messageType);
  }
  const request: PutTopicRequest = {
    name: fields.text('name') ?? '',
    readQueueCount: fields.wholeNumber('readQueueNums') ?? queueCount,
    writeQueueCount: fields.wholeNumber('writeQueueNums') ?? queueCount,
    permission: fields.wholeNumber('perm'),
    attributesPut: put,
    attributesRemoved: removed,
  };
  const { name, readQueueCount, writeQueueCount, permission } = request;
  const nothing = { name: 'any', attributesPut: new Map<string, string>(), attributesRemoved: [] };
  check(fields, (each) => topicConfigOf(each, undefined), request, [
    { ...nothing, name },
    { ...nothing, readQueueCount },
    { ...nothing, writeQueueCount },
    { ...nothing, permission },
    ...[...put].map((attribute) => ({ ...nothing, attributesPut: withType(attribute, put) })),
    ...removed.map((attribute) => ({ ...nothing, attributesRemoved: [attribute] })),
  ]);
  return request;
}

/** What an attribute may be depends on the type, unless that is wrong, too. */
function withType([name, value]: [string, string], put: ReadonlyMap<string, string>): Map<string, string> {
  const type = put.get(MESSAGE_TYPE);
  return new Map(
    type === undefined
      ? [[name, value]]
      : [
          [MESSAGE_TYPE, type],
          [name, value],
        ],
  );
}

function groupOf(value: unknown, at: string, problems: string[], defaults: GroupDefaults): PutGroupRequest {
  const fields = new Fields(placeOf(at, value), value, GROUP_KEYS, problems);
  const { put, removed } = fields.attributes('attributes');
  const request: PutGroupRequest = {
    name: fields.text('name') ?? '',
    consumeEnable: fields.flag('consumeEnable'),
    consumeMessageOrderly: fields.flag('consumeMessageOrderly'),
    retryMaxTimes: fields.wholeNumber('retryMaxTimes'),
    retryPolicy: policyOf(fields, problems),
    attributesPut: put,
    attributesRemoved: removed,
  };
  const { name, retryMaxTimes, retryPolicy } = request;
  const nothing = {
    name: 'any',
    retryPolicy: undefined,
    attributesPut: new Map<string, string>(),
    attributesRemoved: [],
  };
  check(fields, (each) => groupConfigOf(each, undefined, defaults), request, [
    { ...nothing, name },
    { ...nothing, retryMaxTimes },
    { ...nothing, retryPolicy },
    { ...nothing, attributesPut: put, attributesRemoved: removed },
  ]);
  return request;
}

/** A retry policy in the original's form. */
function policyOf(group: Fields, problems: string[]): RetryPolicy | undefined {
  const value = group.any('groupRetryPolicy');
  if (value === undefined) return undefined;
  const place = `${group.place}.groupRetryPolicy`;
  const fields = new Fields(place, value, ['type', 'customizedRetryPolicy', 'exponentialRetryPolicy'], problems);
  const type = fields.text('type');
  if (type === 'CUSTOMIZED') {
    const policy = new Fields(
      `${place}.customizedRetryPolicy`,
      fields.any('customizedRetryPolicy'),
      ['next'],
      problems,
    );
    const delays = policy.list('next');
    const wrong = delays.find((delay) => !Number.isSafeInteger(delay));
    if (wrong !== undefined)
      policy.problem(`next must be a list of whole milliseconds; found ${JSON.stringify(wrong)}`);
    const delaysMs = wrong === undefined ? delays.map((delay) => BigInt(delay as number)) : [0n];
    return { customized: { delaysMs }, exponential: undefined };
  }
  if (type === 'EXPONENTIAL') {
    const keys = ['initial', 'max', 'multiplier'];
    const policy = new Fields(`${place}.exponentialRetryPolicy`, fields.any('exponentialRetryPolicy'), keys, problems);
    const exponential = {
      initialMs: BigInt(policy.wholeNumber('initial') ?? 5_000),
      maxMs: BigInt(policy.wholeNumber('max') ?? 7_200_000),
      multiplier: policy.number('multiplier') ?? 2,
    };
    return { customized: undefined, exponential };
  }
  fields.problem(`type must be CUSTOMIZED or EXPONENTIAL; found ${quoted(type ?? '')}`);
  return undefined;
}

/** Notes all that is wrong with a request: with the parts one by one, else with the whole. */
function check<Request>(
  fields: Fields,
  use: (request: Request) => unknown,
  whole: Request,
  parts: readonly Request[],
): void {
  const refusals = parts.flatMap((part) => refusalOf(use, part) ?? []);
  if (refusals.length === 0) refusals.push(...[refusalOf(use, whole) ?? []].flat());
  for (const refusal of new Set(refusals)) fields.problem(refusal);
}

function refusalOf<Request>(use: (request: Request) => unknown, request: Request): string | undefined {
  try {
    use(request);
    return undefined;
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    const field = /^\w+/.exec(error.message)?.[0] ?? '';
    return (KEYS.get(field) ?? field) + error.message.slice(field.length);
  }
}

function placeOf(at: string, value: unknown): string {
  const name = (value as { name?: unknown } | null)?.name;
  return typeof name === 'string' ? `${at} (${quoted(name)})` : at;
}

function checkNamedOnce(kind: string, all: readonly { readonly name: string }[], problems: string[]): void {
  const seen = new Set<string>();
  for (const { name } of all) {
    if (name !== '' && seen.has(name)) problems.push(`the ${kind} ${quoted(name)} is declared twice: remove one`);
    seen.add(name);
  }
}
