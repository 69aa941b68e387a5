import { quoted } from '@orbitmq/base';
import type { Group, PutGroupRequest, RetryPolicy } from '@orbitmq/protocol/orbitmq.admin.v1';
import { type AdminContext, onEach } from '../admin-context.ts';
import { attributeChanges, flagOf, requiredText, textOf, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { type Options, RefusedError, UsageError } from '../usage.ts';
import type { Output } from '../verb.ts';

const RETRY_TIMES_MAX = 1000;
const POLICY_FORM =
  '{"type":"CUSTOMIZED","customizedRetryPolicy":{"next":[1000,5000]}} or ' +
  '{"type":"EXPONENTIAL","exponentialRetryPolicy":{"initial":5000,"max":7200000,"multiplier":2}}, in milliseconds';

/** Makes a consumer group or alters it on a broker or on all of a cluster. */
export async function updateSubGroup(context: AdminContext, options: Options): Promise<Output> {
  refuseMisplacedAttributes(options);
  const request: PutGroupRequest = {
    name: requiredText(options, 'groupName'),
    consumeEnable: flagOf(options, 'consumeEnable'),
    consumeMessageOrderly: flagOf(options, 'consumeMessageOrderly'),
    retryMaxTimes: wholeNumberOf(options, 'retryMaxTimes', 0, RETRY_TIMES_MAX),
    retryPolicy: policyOf(textOf(options, 'groupRetryPolicy')),
    ...attributeChanges(textOf(options, 'attributes')),
  };
  const targets = await context.targets(options);
  const responses = await onEach(targets, ({ admin }) => admin.putGroup(request));
  const lines = responses.map(({ group, created }, index) => {
    const { brokerName, address } = targets[index]!;
    return `${created ? 'create' : 'update'} subscription group to ${brokerName} (${address}) success.\n${describe(group!)}`;
  });
  const json = responses.map((response, index) => ({ broker: targets[index]!.brokerName, ...response }));
  return { text: lines.join('\n'), json };
}

/** `-a` gives attributes to topics, and is a flag of groups that has no effect: what is meant for the one is not to vanish in the other. */
function refuseMisplacedAttributes(options: Options): void {
  const text = textOf(options, 'notifyConsumerIdsChanged');
  if (text !== undefined && /^[+-]/.test(text)) {
    throw new UsageError(`attributes of a group are given with --attributes; found ${quoted(text)} behind -a`);
  }
}

/** Removes a consumer group with its progress. */
export async function deleteSubGroup(context: AdminContext, options: Options): Promise<Output> {
  const name = requiredText(options, 'groupName');
  const targets = await context.targets(options);
  const holders = await onEach(targets, async (target) =>
    (await target.admin.groups()).some((group) => group.name === name) ? [target] : [],
  );
  const found = holders.flat();
  if (found.length === 0) {
    throw new RefusedError(`there is no consumer group ${quoted(name)} there; consumerProgress shows those that are`);
  }
  await onEach(found, ({ admin }) => admin.deleteGroup(name));
  const lines = found.map(
    ({ brokerName }) => `delete subscription group [${name}] from broker [${brokerName}] success.`,
  );
  return { text: lines.join('\n'), json: { group: name, brokers: found.map(({ brokerName }) => brokerName) } };
}

/** Configuration of a consumer group on each broker. */
export async function getConsumerConfig(context: AdminContext, options: Options): Promise<Output> {
  const name = requiredText(options, 'groupName');
  const targets = await context.targets(options);
  const found = await onEach(targets, async ({ admin, brokerName, clusterName }) => {
    const group = (await admin.groups()).find((each) => each.name === name);
    return group ? [{ clusterName, brokerName, group }] : [];
  });
  const rows = found.flat();
  if (rows.length === 0) throw new RefusedError(`there is no consumer group ${quoted(name)} there`);
  const cells = rows.map(({ clusterName, brokerName, group }) => [
    clusterName,
    brokerName,
    group.consumeEnable,
    group.consumeMessageOrderly,
    group.retryMaxTimes,
    policyText(group.retryPolicy),
    attributesText(group.attributes),
  ]);
  const columns = [
    'Cluster Name',
    'Broker Name',
    'Consume Enable',
    'Orderly',
    'Retry Max',
    'Retry Policy',
    'Attributes',
  ];
  return { text: renderTable(columns, cells), json: rows };
}

function describe(group: Group): string {
  return (
    `SubscriptionGroupConfig{groupName=${group.name}, consumeEnable=${group.consumeEnable}, ` +
    `consumeMessageOrderly=${group.consumeMessageOrderly}, retryMaxTimes=${group.retryMaxTimes}, ` +
    `groupRetryPolicy=${policyText(group.retryPolicy)}, attributes={${attributesText(group.attributes)}}}`
  );
}

function attributesText(attributes: ReadonlyMap<string, string>): string {
  return [...attributes].map(([name, value]) => `${name}=${value}`).join(', ');
}

function policyText(policy: RetryPolicy | undefined): string {
  if (policy?.customized) return `CUSTOMIZED ${policy.customized.delaysMs.join(' ')} ms`;
  if (!policy?.exponential) return '';
  const { initialMs, maxMs, multiplier } = policy.exponential;
  return `EXPONENTIAL ${initialMs}…${maxMs} ms ×${multiplier}`;
}

/** The policy in the original's JSON form. @throws UsageError */
function policyOf(text: string | undefined): RetryPolicy | undefined {
  if (text === undefined) return undefined;
  try {
    const { type, customizedRetryPolicy, exponentialRetryPolicy } = JSON.parse(text) as OriginalPolicy;
    if (type === 'CUSTOMIZED' && customizedRetryPolicy) {
      return { customized: { delaysMs: customizedRetryPolicy.next.map(BigInt) }, exponential: undefined };
    }
    if (type === 'EXPONENTIAL' && exponentialRetryPolicy) {
      const { initial, max, multiplier } = exponentialRetryPolicy;
      const exponential = { initialMs: BigInt(initial), maxMs: BigInt(max), multiplier: Number(multiplier) };
      return { customized: undefined, exponential };
    }
  } catch {
    // Whatever is wrong with it: the form below says what is expected.
  }
  throw new UsageError(`--groupRetryPolicy must be ${POLICY_FORM}; found ${quoted(text)}`);
}

interface OriginalPolicy {
  readonly type?: string;
  readonly customizedRetryPolicy?: { readonly next: readonly number[] };
  readonly exponentialRetryPolicy?: { readonly initial: number; readonly max: number; readonly multiplier: number };
}
