// Drives rocketmq-client-nodejs by the line protocol of ../../README.md.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConsumeResult,
  ConsumeResultSuspend,
  FilterExpression,
  LitePushConsumerBuilder,
  OffsetOption,
  Producer,
  PushConsumer,
  SimpleConsumer,
} from 'rocketmq-client-nodejs';

const BODY_SHOWN_MAX = 64 * 1024;
const clients = new Map();
const unacked = new Map();
let handleNext = 0;

function write(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const toLog = (...args) => process.stderr.write(`${args.map(String).join(' ')}\n`);
const logger = { debug() {}, info: toLog, warn: toLog, error: toLog, close() {} };

function baseOptions(request) {
  return { endpoints: request.endpoints, sslEnabled: request.tls, namespace: request.namespace ?? '', logger };
}

// The client does not export its enum FilterType.
const FILTER_TYPES = { tag: 1, sql: 2 };

function subscriptionsOf(request) {
  const type = FILTER_TYPES[request.filterType ?? 'tag'];
  return new Map(
    Object.entries(request.subscriptions).map(([topic, expression]) => [topic, new FilterExpression(expression, type)]),
  );
}

function describeMessage(view) {
  return {
    messageId: view.messageId,
    topic: view.topic,
    tag: view.tag || null,
    keys: view.keys,
    properties: Object.fromEntries(view.properties),
    group: view.messageGroup || null,
    priority: view.priority ?? null,
    lite: view.liteTopic || null,
    attempt: view.deliveryAttempt,
    bornHost: view.bornHost,
    bornTimestampMs: view.bornTimestamp ? view.bornTimestamp.getTime() : 0,
    corrupted: view.corrupted === true,
    sizeBytes: view.body.length,
    md5: createHash('md5').update(view.body).digest('hex'),
    body: view.body.length <= BODY_SHOWN_MAX ? view.body.toString('base64') : null,
  };
}

function messageOptions(message) {
  return {
    topic: message.topic,
    body: Buffer.from(message.body, 'base64'),
    tag: message.tag ?? undefined,
    keys: message.keys ?? [],
    properties: new Map(Object.entries(message.properties ?? {})),
    messageGroup: message.group ?? undefined,
    priority: message.priority ?? undefined,
    liteTopic: message.lite ?? undefined,
    deliveryTimestamp: message.deliveryMs ? new Date(message.deliveryMs) : undefined,
  };
}

// The client does not export its enum TransactionResolution.
const RESOLUTIONS = { commit: 1, rollback: 2, unknown: 0 };

function checkerOf(request) {
  return {
    async check(view) {
      write({ event: 'check', name: request.name, messageId: view.messageId });
      return RESOLUTIONS[request.checker];
    },
  };
}

function offsetOptionOf(offset) {
  if (offset === undefined) return undefined;
  if (offset.tail !== undefined) return OffsetOption.ofTailN(offset.tail);
  if (offset.offset !== undefined) return OffsetOption.ofOffset(offset.offset);
  if (offset.timestampMs !== undefined) return OffsetOption.ofTimestamp(offset.timestampMs);
  return { min: OffsetOption.MIN_OFFSET, max: OffsetOption.MAX_OFFSET, last: OffsetOption.LAST_OFFSET }[offset.policy];
}

async function sendMany(request) {
  const producer = clients.get(request.name);
  const acked = [];
  let failed = 0;
  async function worker(first) {
    for (let index = first; index < request.count; index += request.concurrency) {
      try {
        const group = request.groups?.[index % request.groups.length];
        const body = Buffer.from(`${request.prefix}${index}`);
        await producer.send({ topic: request.topic, body, messageGroup: group, keys: [] });
        acked.push(index);
        if (acked.length % 50 === 0) write({ event: 'progress', name: request.name, acked: acked.length });
      } catch (error) {
        failed += 1;
        toLog(`send ${index}: ${error.message}`);
        await sleep(50);
      }
    }
  }
  await Promise.all(Array.from({ length: request.concurrency }, (_, first) => worker(first)));
  return { acked, failed };
}

const operations = {
  async startProducer(request) {
    const options = { ...baseOptions(request), topics: request.topics };
    if (request.checker) options.checker = checkerOf(request);
    const producer = new Producer(options);
    await producer.startup();
    clients.set(request.name, producer);
  },
  async send(request) {
    const receipt = await clients.get(request.name).send(messageOptions(request.message));
    return { messageId: receipt.messageId, recallHandle: receipt.recallHandle || null };
  },
  async recall(request) {
    const receipt = await clients.get(request.name).recallMessage(request.topic, request.recallHandle);
    return { messageId: receipt.messageId };
  },
  async sendInTransaction(request) {
    const producer = clients.get(request.name);
    const transaction = producer.beginTransaction();
    const receipt = await producer.send(messageOptions(request.message), transaction);
    if (request.end === 'commit') await transaction.commit();
    if (request.end === 'rollback') await transaction.rollback();
    return { messageId: receipt.messageId };
  },
  sendMany,
  async startPushConsumer(request) {
    const consumer = new PushConsumer({
      ...baseOptions(request),
      consumerGroup: request.group,
      subscriptions: subscriptionsOf(request),
      messageListener: {
        async consume(view) {
          write({ event: 'message', name: request.name, message: describeMessage(view) });
          if (request.holdMs) await sleep(request.holdMs);
          return view.deliveryAttempt < (request.failUntilAttempt ?? 1) ? ConsumeResult.FAILURE : ConsumeResult.SUCCESS;
        },
      },
    });
    await consumer.startup();
    clients.set(request.name, consumer);
  },
  async startLitePushConsumer(request) {
    let isFirst = true;
    const failed = new Set();
    const listener = {
      async consume(view) {
        write({ event: 'message', name: request.name, message: describeMessage(view) });
        if (request.holdMs) await sleep(request.holdMs);
        const suspends = isFirst && request.suspendFirstMs;
        isFirst = false;
        if (suspends) return ConsumeResultSuspend.of(request.suspendFirstMs);
        if (!request.failsOnce || failed.has(view.messageId)) return ConsumeResult.SUCCESS;
        failed.add(view.messageId);
        return ConsumeResult.FAILURE;
      },
    };
    const consumer = await new LitePushConsumerBuilder()
      .setClientConfiguration(baseOptions(request))
      .setConsumerGroup(request.group)
      .bindTopic(request.topic)
      .setMessageListener(listener)
      .build();
    clients.set(request.name, consumer);
  },
  async subscribeLite(request) {
    await clients.get(request.name).subscribeLite(request.lite, offsetOptionOf(request.offset));
  },
  async unsubscribeLite(request) {
    await clients.get(request.name).unsubscribeLite(request.lite);
  },
  async liteTopics(request) {
    return { names: [...clients.get(request.name).getLiteTopicSet()] };
  },
  async startSimpleConsumer(request) {
    const consumer = new SimpleConsumer({
      ...baseOptions(request),
      consumerGroup: request.group,
      subscriptions: subscriptionsOf(request),
      awaitDuration: request.awaitMs,
    });
    await consumer.startup();
    clients.set(request.name, consumer);
  },
  async receive(request) {
    const views = await clients.get(request.name).receive(request.max, request.invisibleMs);
    const messages = views.map((view) => {
      const handle = String(handleNext++);
      unacked.set(handle, view);
      return { ...describeMessage(view), handle };
    });
    return { messages };
  },
  async ack(request) {
    await clients.get(request.name).ack(unacked.get(request.handle));
  },
  async changeInvisible(request) {
    await clients.get(request.name).changeInvisibleDuration(unacked.get(request.handle), request.invisibleMs);
  },
  async close(request) {
    await clients.get(request.name).shutdown();
    clients.delete(request.name);
  },
};

async function serve(request) {
  try {
    write({ id: request.id, result: (await operations[request.op](request)) ?? {} });
  } catch (error) {
    toLog(error.stack);
    write({ id: request.id, error: String(error.message ?? error) });
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => void serve(JSON.parse(line)))
  .on('close', () => process.exit(0));
