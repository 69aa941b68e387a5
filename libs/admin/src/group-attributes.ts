import { MqError, quoted } from '@orbitmq/base';
import { LITE_GROUP_ATTRIBUTES } from '@orbitmq/protocol';
import type { PutGroupRequest } from '@orbitmq/protocol/orbitmq.admin.v1';
import { nearestName } from '@orbitmq/runtime';
import { BLOCKING_ATTRIBUTE, PRIORITY_FACTOR } from '@orbitmq/shard';

interface AttributeRule {
  /** Ends the sentence that begins with the attribute and its value. */
  readonly wanted: string;
  readonly accepts: RegExp;
}

const LITE = LITE_GROUP_ATTRIBUTES;
const FLAG = { wanted: 'must be true or false', accepts: /^(true|false)$/i };

/** What a group's attributes may be. */
const RULES: ReadonlyMap<string, AttributeRule> = new Map([
  [PRIORITY_FACTOR, { wanted: 'must be a whole number, 0…100', accepts: /^(100|[1-9]?\d)$/ }],
  [BLOCKING_ATTRIBUTE, { wanted: 'must be QUEUE or MESSAGE_GROUP', accepts: /^(QUEUE|MESSAGE_GROUP)$/i }],
  [LITE.bindTopic, { wanted: 'must be the name of a topic of type LITE', accepts: /^[\w|%-]{1,127}$/ }],
  [LITE.subscriptionModel, { wanted: 'must be Shared or Exclusive', accepts: /^(Shared|Exclusive)$/ }],
  [LITE.resetOffsetExclusive, FLAG],
  [LITE.resetOffsetUnsubscribe, FLAG],
  [LITE.clientQuota, { wanted: 'must be a whole number, -1…999999999', accepts: /^(-1|0|[1-9]\d{0,8})$/ }],
  [LITE.clientEventCountMax, { wanted: 'must be a whole number, 10…999999999', accepts: /^[1-9]\d{1,8}$/ }],
  [LITE.wildcard, { wanted: 'must be true; remove it where it is not', accepts: /^true$/i }],
]);

/**
 * A group's attributes after a request.
 * @param former what the group has; undefined for a new one
 * @throws MqError BAD_REQUEST for an unknown attribute or a wrong value
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
  const other = [...attributes.keys()].find((name) => name.startsWith('lite.'));
  if (other !== undefined && !attributes.has(LITE.bindTopic)) {
    throw new MqError(
      'BAD_REQUEST',
      `${other} has no meaning without ${LITE.bindTopic}; put the parent topic there, too`,
    );
  }
  return attributes;
}

function ruleOf(name: string): AttributeRule {
  const rule = RULES.get(name);
  if (rule) return rule;
  const nearest = nearestName(name, RULES.keys());
  const remedy = nearest ? `did you mean ${nearest}?` : `there are ${[...RULES.keys()].join(', ')}`;
  throw new MqError('BAD_REQUEST', `there is no group attribute ${quoted(name)}; ${remedy}`);
}
