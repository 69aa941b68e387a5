import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CodeName, MqError } from '@orbitmq/base';
import {
  checkGroupName,
  checkKey,
  checkLiteTopicName,
  checkMessageGroup,
  checkTag,
  checkTopicForm,
  checkTopicName,
  SYSTEM_TOPICS,
} from './names.ts';

const isRefused = (code: CodeName, check: () => void, name: string): void => {
  assert.throws(
    check,
    (error: unknown) => {
      assert.ok(error instanceof MqError);
      assert.equal(error.code, code);
      assert.ok(error.message.length < 512, 'names are cut in messages');
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none may get through
      assert.doesNotMatch(error.message, /[\u0000-\u001f]/);
      return true;
    },
    JSON.stringify(name),
  );
};

const NO_NAMES = [
  '',
  ' ',
  'a b',
  'a/b',
  '../../x',
  '..',
  '.',
  'a\\b',
  'C:',
  'a.b',
  'a\u0000b',
  'a\n',
  'größe',
  'ａ',
  '\u202e',
  '💥',
  'a\u001b[31m',
  'a;b',
  'a"b',
];

test('topic names', () => {
  for (const name of ['a', 'A-b_9', 'ns%topic', 'a|b', '__proto__', 'constructor', 'x'.repeat(127), 'CON', '%RETRY']) {
    checkTopicName(name);
  }
  for (const name of [...NO_NAMES, 'x'.repeat(128), 'x'.repeat(1_000_000)]) {
    isRefused('ILLEGAL_TOPIC', () => checkTopicName(name), name);
    isRefused('ILLEGAL_TOPIC', () => checkTopicForm(name), name);
  }
  for (const name of [...SYSTEM_TOPICS, 'rmq_sys_x', '%LMQ%$a$b', '%RETRY%group', '%DLQ%group']) {
    isRefused('ILLEGAL_TOPIC', () => checkTopicName(name), name);
    if (!name.includes('$')) checkTopicForm(name);
  }
  checkTopicForm(`%DLQ%${'x'.repeat(250)}`);
  isRefused('ILLEGAL_TOPIC', () => checkTopicForm(`%DLQ%${'x'.repeat(251)}`), 'long');
});

test('group names', () => {
  for (const name of ['a', 'GID_a-b', '__proto__', 'x'.repeat(120)]) checkGroupName(name);
  for (const name of [...NO_NAMES, 'x'.repeat(121), 'CID_RMQ_SYS_x']) {
    isRefused('ILLEGAL_CONSUMER_GROUP', () => checkGroupName(name), name);
  }
});

test('tags, keys and message groups', () => {
  for (const text of ['a', 'a b', 'größe', '__proto__', '💥', '../x']) {
    checkTag(text);
    checkKey(text);
    checkMessageGroup(text, 63);
  }
  for (const text of ['', ' ', '\t', '\u3000', 'a\u0000', 'a\u007f', 'a\u0085', 'a\r\nb']) {
    isRefused('ILLEGAL_MESSAGE_TAG', () => checkTag(text), text);
    isRefused('ILLEGAL_MESSAGE_KEY', () => checkKey(text), text);
    isRefused('ILLEGAL_MESSAGE_GROUP', () => checkMessageGroup(text, 63), text);
  }
  isRefused('ILLEGAL_MESSAGE_TAG', () => checkTag('a|b'), 'a|b');
  checkKey('a|b');
  checkMessageGroup('x'.repeat(63), 63);
  isRefused('ILLEGAL_MESSAGE_GROUP', () => checkMessageGroup('x'.repeat(64), 63), 'long');
  isRefused('ILLEGAL_MESSAGE_GROUP', () => checkMessageGroup('ü'.repeat(32), 63), 'long in UTF-8');
});

test('lite topic names', () => {
  for (const name of ['a', 'A-b_9', 'x'.repeat(64)]) checkLiteTopicName(name);
  for (const name of [...NO_NAMES, 'a%b', 'a|b', 'x'.repeat(65)]) {
    isRefused('ILLEGAL_LITE_TOPIC', () => checkLiteTopicName(name), name);
  }
});
