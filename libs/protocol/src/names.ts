/**
 * Which names are legal. Names are allow-lists of characters, because they go into file names, metric labels and logs;
 * every function throws an MqError that says what was wanted and what was found, and returns nothing.
 */
import { type CodeName, MqError, quoted } from '@orbitmq/base';
import { DERIVED_TOPIC_LENGTH_MAX, GROUP_LENGTH_MAX, LITE_TOPIC_LENGTH_MAX, TOPIC_LENGTH_MAX } from './limits.ts';

const NAME = /^[%|a-zA-Z0-9_-]+$/;
const LITE_NAME = /^[a-zA-Z0-9_-]+$/;
const NAME_CHARACTERS = 'letters, digits, %, |, _ and -';
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Prefix of the topic that holds what a group has to consume again. */
export const RETRY_TOPIC_PREFIX = '%RETRY%';
/** Prefix of the topic that holds the dead letters of a group. */
export const DEAD_LETTER_TOPIC_PREFIX = '%DLQ%';
/** Prefixes of topics that belong to the server. */
export const SYSTEM_TOPIC_PREFIXES: readonly string[] = Object.freeze(['rmq_sys_', '%LMQ%']);
/** Prefix of groups that belong to the server. */
export const SYSTEM_GROUP_PREFIX = 'CID_RMQ_SYS_';

/** Topics that belong to the server. */
export const SYSTEM_TOPICS: ReadonlySet<string> = new Set([
  'TBW102',
  'SCHEDULE_TOPIC_XXXX',
  'BenchmarkTest',
  'RMQ_SYS_TRANS_HALF_TOPIC',
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  'RMQ_SYS_TRACE_TOPIC',
  'TRANS_CHECK_MAX_TIME_TOPIC',
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
  'CHECKPOINT_TOPIC',
]);

function refusal(code: CodeName, wanted: string, found: string, remedy: string): MqError {
  return new MqError(code, `${wanted}; found ${quoted(found)}; ${remedy}`);
}

/** Whether a topic belongs to the server: users neither send to it nor receive from it. */
export function isSystemTopic(name: string): boolean {
  return SYSTEM_TOPICS.has(name) || SYSTEM_TOPIC_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** Whether a topic is made from a group's name: a retry or dead-letter topic. */
export function isDerivedTopic(name: string): boolean {
  return name.startsWith(RETRY_TOPIC_PREFIX) || name.startsWith(DEAD_LETTER_TOPIC_PREFIX);
}

/**
 * Characters and length of a topic name, whoever uses it.
 * @throws MqError ILLEGAL_TOPIC
 */
export function checkTopicForm(name: string): void {
  const lengthMax = isDerivedTopic(name) ? DERIVED_TOPIC_LENGTH_MAX : TOPIC_LENGTH_MAX;
  const wanted = `a topic name has 1 to ${lengthMax} characters`;
  if (name.trim() === '') throw refusal('ILLEGAL_TOPIC', wanted, name, 'name a topic');
  if (name.length > lengthMax) {
    throw refusal('ILLEGAL_TOPIC', wanted, name, `it has ${name.length}, choose a shorter one`);
  }
  if (!NAME.test(name)) {
    throw refusal('ILLEGAL_TOPIC', `a topic name consists of ${NAME_CHARACTERS}`, name, 'leave the others out');
  }
}

/**
 * A topic name that comes from outside, to be sent to or created: legal, and not one that only the server may use.
 * @throws MqError ILLEGAL_TOPIC
 */
export function checkTopicName(name: string): void {
  checkTopicForm(name);
  if (isSystemTopic(name) || isDerivedTopic(name)) {
    throw refusal('ILLEGAL_TOPIC', 'topics of the server are not open to clients', name, 'choose another name');
  }
}

/**
 * A consumer group name that comes from outside.
 * @throws MqError ILLEGAL_CONSUMER_GROUP
 */
export function checkGroupName(name: string): void {
  const code = 'ILLEGAL_CONSUMER_GROUP';
  const wanted = `a consumer group name has 1 to ${GROUP_LENGTH_MAX} characters`;
  if (name.trim() === '') throw refusal(code, wanted, name, 'name a group');
  if (name.length > GROUP_LENGTH_MAX) throw refusal(code, wanted, name, `it has ${name.length}, choose a shorter one`);
  if (!NAME.test(name)) {
    throw refusal(code, `a consumer group name consists of ${NAME_CHARACTERS}`, name, 'leave the others out');
  }
  if (name.startsWith(SYSTEM_GROUP_PREFIX)) {
    throw refusal(code, `${SYSTEM_GROUP_PREFIX} begins names of the server's own groups`, name, 'choose another name');
  }
}

/**
 * Tag of a message: not blank, no | (it separates tags in subscriptions), no control characters.
 * @throws MqError ILLEGAL_MESSAGE_TAG
 */
export function checkTag(tag: string): void {
  if (tag.trim() !== '' && !tag.includes('|') && !CONTROL.test(tag)) return;
  throw refusal(
    'ILLEGAL_MESSAGE_TAG',
    'a tag is not blank and holds neither | nor control characters',
    tag,
    'choose another tag, or set none',
  );
}

/**
 * One of the keys of a message: not blank, no control characters.
 * @throws MqError ILLEGAL_MESSAGE_KEY
 */
export function checkKey(key: string): void {
  if (key.trim() !== '' && !CONTROL.test(key)) return;
  throw refusal('ILLEGAL_MESSAGE_KEY', 'a key is not blank and holds no control characters', key, 'correct the key');
}

/**
 * Message group: not blank, no control characters, at most `bytesMax` bytes in UTF-8.
 * @throws MqError ILLEGAL_MESSAGE_GROUP
 */
export function checkMessageGroup(group: string, bytesMax: number): void {
  if (group.trim() !== '' && !CONTROL.test(group) && Buffer.byteLength(group) <= bytesMax) return;
  throw refusal(
    'ILLEGAL_MESSAGE_GROUP',
    `a message group has 1 to ${bytesMax} bytes, is not blank and holds no control characters`,
    group,
    'choose another message group',
  );
}

/**
 * Name of a lite topic, at most `lengthMax` characters.
 * @throws MqError ILLEGAL_LITE_TOPIC
 */
export function checkLiteTopicName(name: string, lengthMax: number = LITE_TOPIC_LENGTH_MAX): void {
  if (name.length <= lengthMax && LITE_NAME.test(name)) return;
  throw refusal(
    'ILLEGAL_LITE_TOPIC',
    `a lite topic name has 1 to ${lengthMax} letters, digits, _ and -`,
    name,
    'choose another name',
  );
}
