import { flag, type Group, listOf, matching, oneOf, only, type Schema, value, whole } from './value.ts';

const name = matching('^[%|a-zA-Z0-9_-]{1,127}$');
const attributes: Schema = { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean', 'null'] } };
const delayMs = whole(0, 2 ** 53 - 1);

const topic = only(
  {
    name,
    queueNums: whole(1, 1024),
    readQueueNums: whole(1, 1024),
    writeQueueNums: whole(1, 1024),
    perm: { enum: [0, 2, 4, 6] },
    messageType: oneOf('NORMAL', 'FIFO', 'DELAY', 'TRANSACTION', 'PRIORITY', 'LITE', 'MIXED'),
    attributes,
  },
  ['name'],
);

const retryPolicy = only(
  {
    type: oneOf('CUSTOMIZED', 'EXPONENTIAL'),
    customizedRetryPolicy: only({ next: listOf(delayMs) }, ['next']),
    exponentialRetryPolicy: only({ initial: delayMs, max: delayMs, multiplier: { type: 'number' } }),
  },
  ['type'],
);

const consumerGroup = only(
  {
    name,
    consumeEnable: flag,
    consumeMessageOrderly: flag,
    retryMaxTimes: whole(0, 1000),
    groupRetryPolicy: retryPolicy,
    attributes,
  },
  ['name'],
);

/** Topics and groups that are made and kept as they are declared. */
export const declared: Group['children'] = {
  topics: value(
    [],
    listOf(topic),
    'Topics that are made on each broker, and kept like this: name, queueNums (or readQueueNums and writeQueueNums), perm, messageType, attributes. What is taken out of the list stays as it is.',
  ),
  groups: value(
    [],
    listOf(consumerGroup),
    'Consumer groups, likewise: name, consumeEnable, consumeMessageOrderly, retryMaxTimes, groupRetryPolicy, attributes.',
  ),
};
