import { MqError, quoted } from '@orbitmq/base';
import type { PutGroupRequest } from '@orbitmq/protocol/orbitmq.admin.v1';
import { nearestName } from '@orbitmq/runtime';
import { BLOCKING_ATTRIBUTE, PRIORITY_FACTOR } from '@orbitmq/shard';

interface AttributeRule {
  /** Ends the sentence that begins with the attribute and its value. */
  readonly wanted: string;
  readonly accepts: RegExp;
}

/** What a group's attributes may be. */
const RULES: ReadonlyMap<string, AttributeRule> = new Map([
  [PRIORITY_FACTOR, { wanted: 'must be a whole number, 0…100', accepts: /^(100|[1-9]?\d)$/ }],
  [BLOCKING_ATTRIBUTE, { wanted: 'must be QUEUE or MESSAGE_GROUP', accepts: /^(QUEUE|MESSAGE_GROUP)$/i }],
]);

/** RocketMQ's attributes of groups that read lite topics. */
const LITE_ATTRIBUTES: ReadonlySet<string> = new Set([
  'lite.bind.topic',
  'lite.sub.model',
  'lite.sub.reset.offset.exclusive',
  'lite.sub.reset.offset.unsubscribe',
  'lite.sub.client.quota',
  'lite.sub.client.max.event.cnt',
  'lite.sub.wildcard',
]);

/**
 * A group's attributes after a request.
 * @param former what the group has; undefined for a new one
 * @throws MqError BAD_REQUEST for an unknown attribute or a wrong value, UNSUPPORTED for those of lite topics
 */
export function groupAttributesOf(
  request: Pick<PutGroupRequest, 'attributesPut' | 'attributesRemoved'>,
  former: ReadonlyMap<string, string> | undefined,
): ReadonlyMap<string, string> {
  const attributes = new Map(former);
  for (const name of request.attributesRemoved) {
    if (!attributes.delete(name)) ruleOf(name);
  }
  for (const [name, value] of request.attributesPut) {
    const { wanted, accepts } = ruleOf(name);
    if (!accepts.test(value)) throw new MqError('BAD_REQUEST', `${name} is ${quoted(value)}; ${wanted}`);
    attributes.set(name, value);
  }
  return attributes;
}

function ruleOf(name: string): AttributeRule {
  const rule = RULES.get(name);
  if (rule) return rule;
  if (LITE_ATTRIBUTES.has(name)) {
    throw new MqError('UNSUPPORTED', `the group attribute ${name} belongs to lite topics, which this version lacks`);
  }
  const nearest = nearestName(name, RULES.keys());
  const remedy = nearest ? `did you mean ${nearest}?` : `there are ${[...RULES.keys()].join(', ')}`;
  throw new MqError('BAD_REQUEST', `there is no group attribute ${quoted(name)}; ${remedy}`);
}
