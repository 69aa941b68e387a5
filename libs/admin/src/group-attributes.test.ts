import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupAttributesOf } from './group-attributes.ts';

function changed(
  put: Record<string, string>,
  removed: string[] = [],
  former: Record<string, string> = {},
): Record<string, string> {
  const request = { attributesPut: new Map(Object.entries(put)), attributesRemoved: removed };
  return Object.fromEntries(groupAttributesOf(request, new Map(Object.entries(former))));
}

test('attributes are put and removed, and the others stay', () => {
  assert.deepEqual(changed({ 'priority.factor': '80' }), { 'priority.factor': '80' });
  assert.deepEqual(changed({ 'fifo.blocking': 'MESSAGE_GROUP' }, [], { 'priority.factor': '0' }), {
    'fifo.blocking': 'MESSAGE_GROUP',
    'priority.factor': '0',
  });
  assert.deepEqual(changed({}, ['priority.factor', 'fifo.blocking'], { 'priority.factor': '0' }), {});
});

test('what an earlier version took can be removed', () => {
  assert.deepEqual(changed({}, ['colour'], { colour: 'red' }), {});
});

const bound = { 'lite.bind.topic': 'orders' };

test('a group is bound to the lite topics of a parent', () => {
  const lite = {
    ...bound,
    'lite.sub.model': 'Exclusive',
    'lite.sub.reset.offset.exclusive': 'true',
    'lite.sub.reset.offset.unsubscribe': 'false',
    'lite.sub.client.quota': '100000',
    'lite.sub.client.max.event.cnt': '400',
    'lite.sub.wildcard': 'true',
  };
  assert.deepEqual(changed(lite), lite);
  assert.deepEqual(changed({}, Object.keys(lite), lite), {});
  assert.throws(() => changed({}, ['lite.bind.topic'], lite), /has no meaning without lite.bind.topic/);
});

test('what is unknown or out of range is refused, with what was meant', () => {
  const cases: readonly (readonly [Record<string, string>, string[], RegExp])[] = [
    [{ 'priority.facto': '1' }, [], /no group attribute "priority.facto"; did you mean priority.factor\?/],
    [{ colour: 'red' }, [], /no group attribute "colour"; there are priority.factor, fifo.blocking/],
    [{}, ['fifo.blockin'], /did you mean fifo.blocking\?/],
    [JSON.parse('{"__proto__":"x"}'), [], /no group attribute "__proto__"/],
    [{ 'priority.factor': '101' }, [], /priority.factor is "101"; must be a whole number, 0…100/],
    [{ 'priority.factor': '-1' }, [], /must be a whole number/],
    [{ 'priority.factor': '' }, [], /must be a whole number/],
    [{ 'fifo.blocking': 'NEVER' }, [], /must be QUEUE or MESSAGE_GROUP/],
    [{ 'lite.bind.topic': 'a topic' }, [], /must be the name of a topic of type LITE/],
    [{ ...bound, 'lite.sub.model': 'shared' }, [], /must be Shared or Exclusive/],
    [{ ...bound, 'lite.sub.reset.offset.exclusive': '1' }, [], /must be true or false/],
    [{ ...bound, 'lite.sub.client.quota': '-2' }, [], /must be a whole number, -1/],
    [{ ...bound, 'lite.sub.client.max.event.cnt': '9' }, [], /must be a whole number, 10/],
    [{ ...bound, 'lite.sub.wildcard': 'false' }, [], /must be true; remove it/],
    [{ ...bound, 'lite.sub.wildcards': 'true' }, [], /did you mean lite.sub.wildcard\?/],
    [{ 'lite.sub.model': 'Shared' }, [], /lite.sub.model has no meaning without lite.bind.topic/],
  ];
  for (const [put, removed, message] of cases) assert.throws(() => changed(put, removed), message);
});
