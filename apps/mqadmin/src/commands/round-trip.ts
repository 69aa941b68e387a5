import { MqError, quoted, SECOND_MS, systemClock, systemRandom } from '@orbitmq/base';
import {
  AddressScheme,
  Code,
  Encoding,
  FilterType,
  type Message,
  type MessageQueue,
  MessageType,
  MessagingServiceDefinition,
  Permission,
  SystemProperties,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { createRpcClient, type RpcClient, RpcError } from '@orbitmq/rpc';
import { type AdminContext, addressOf, onEach, type Target } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { type Options, RefusedError, UsageError } from '../usage.ts';
import type { Output } from '../verb.ts';
import { callOptions, checkStatus } from './broker-session.ts';
import { newMessageId, timestampOf } from './send-message.ts';

const TIMEOUT_S_DEFAULT = 30;
const TIMEOUT_S_MAX = 3600;
const CALL_MS_MAX = 10 * SECOND_MS;
const POLL_S = 5n;
/** A topic that was just made is in the routes within this. Milliseconds. */
const RETRY_MS = 200;
/** A broker that is not in the route by then is left out. Milliseconds. */
const ROUTE_MS_MAX = 10 * SECOND_MS;
const ACCESS_POINT = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/;

/** One message that went to a broker and came back. */
interface Trip {
  readonly brokerName: string;
  /** What was dialled for it. */
  readonly address: string;
  readonly sendMs: number;
  readonly receiveMs: number;
}

interface Plan {
  /** What a client is given. */
  readonly accessPoint: string;
  readonly topic: string;
  readonly group: string;
  readonly isTls: boolean;
  /** Brokers on which the topic was just made: all of them are waited for. */
  readonly brokerNames: readonly string[];
  /** Monotonic milliseconds. */
  readonly endMs: number;
}

/**
 * Does what a client does that is given an access point: asks for the route, sends a message to each broker of it, receives and
 * acknowledges it. Without a topic it makes one for the occasion, and removes it.
 */
export async function roundTrip(context: AdminContext, options: Options): Promise<Output> {
  const timeoutS = wholeNumberOf(options, 'timeoutSeconds', 1, TIMEOUT_S_MAX) ?? TIMEOUT_S_DEFAULT;
  const given = textOf(options, 'topic');
  const name = given ?? `round-trip-${Buffer.from(systemRandom.bytes(6)).toString('hex')}`;
  const accessPoint = requiredText(options, 'endpoints');
  if (!ACCESS_POINT.test(accessPoint)) {
    throw new UsageError(`-e takes the host:port that clients are given; found ${quoted(accessPoint)}`);
  }
  const targets = given === undefined ? await context.targets(options) : [];
  const plan: Plan = {
    accessPoint,
    topic: name,
    group: textOf(options, 'consumerGroup') ?? name,
    isTls: options.tls === true,
    brokerNames: targets.map((target) => target.brokerName),
    endMs: systemClock.monotonicMs() + timeoutS * SECOND_MS,
  };
  try {
    await onEach(targets, (target) => make(target, name));
    const trips = await travel(plan);
    const columns = ['Broker Name', 'Dialled', 'Send ms', 'Receive ms'];
    const text = renderTable(
      columns,
      trips.map((trip) => Object.values(trip)),
    );
    return { text, json: trips };
  } finally {
    await onEach(targets, (target) => remove(target, name));
  }
}

async function make({ admin }: Target, name: string): Promise<void> {
  const attributes = { attributesPut: new Map<string, string>(), attributesRemoved: [] };
  await admin.putTopic({ name, readQueueCount: 1, writeQueueCount: 1, ...attributes });
  await admin.putGroup({ name, retryPolicy: undefined, ...attributes });
}

/** What is not there (any more) needs no removal; a broker that is away is not what a round trip is judged by. */
async function remove({ admin }: Target, name: string): Promise<void> {
  for (const removal of [admin.deleteTopic(name), admin.deleteGroup(name)]) {
    await removal.catch((error: unknown) => {
      if (!(error instanceof RpcError)) throw error;
    });
  }
}

async function travel(plan: Plan): Promise<Trip[]> {
  const entry = clientOf(plan, plan.accessPoint);
  try {
    const queues = await route(entry, plan);
    return await Promise.all(queues.map((queue) => tripTo(queue, plan)));
  } finally {
    entry.close();
  }
}

/** A writable queue of each broker. Asks again while the topic, or a broker of it, is not known there yet. */
async function route(entry: RpcClient, plan: Plan): Promise<MessageQueue[]> {
  const request = { topic: resource(plan.topic), endpoints: endpointsOf(plan.accessPoint) };
  const beganMs = systemClock.monotonicMs();
  const partialFromMs = beganMs + Math.min(ROUTE_MS_MAX, (plan.endMs - beganMs) / 2);
  for (;;) {
    let reason: string;
    try {
      const response = await entry.unary(MessagingServiceDefinition, 'queryRoute', request, callOptions(leftMs(plan)));
      const writable = response.messageQueues.filter(({ permission }) => permission === Permission.READ_WRITE);
      const first = new Map(writable.map((queue) => [queue.broker!.name, queue]));
      // What a drained broker has is in the route, too, and can't be written to.
      const known = new Set(response.messageQueues.map(({ broker }) => broker?.name));
      const isWhole = plan.brokerNames.every((name) => known.has(name));
      if (first.size > 0 && (isWhole || systemClock.monotonicMs() >= partialFromMs)) return [...first.values()];
      reason = response.status?.message || `the route of ${quoted(plan.topic)} has no queue to write to`;
      if (response.status?.code !== Code.OK && response.status?.code !== Code.TOPIC_NOT_FOUND)
        throw refused(plan, reason);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      reason = error.message;
    }
    if (leftMs(plan) <= 1) throw refused(plan, `no route for ${quoted(plan.topic)}: ${reason}`);
    await new Promise<void>((resolve) => void systemClock.setTimer(RETRY_MS, resolve));
  }
}

async function tripTo(queue: MessageQueue, plan: Plan): Promise<Trip> {
  const brokerName = queue.broker!.name;
  const address = addressOf(queue.broker!.endpoints);
  const client = clientOf(plan, address);
  try {
    const beganMs = systemClock.monotonicMs();
    const messageId = await send(client, queue, plan);
    const sentMs = systemClock.monotonicMs();
    await receiveOwn(client, queue, messageId, plan);
    const receiveMs = Math.round(systemClock.monotonicMs() - sentMs);
    return { brokerName, address, sendMs: Math.round(sentMs - beganMs), receiveMs };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw refused(plan, `broker ${brokerName} at ${address}: ${error.message}`);
  } finally {
    client.close();
  }
}

async function send(client: RpcClient, queue: MessageQueue, plan: Plan): Promise<string> {
  const types = queue.acceptMessageTypes;
  const messageType = [MessageType.NORMAL, MessageType.FIFO].find((type) => types.includes(type));
  if (messageType === undefined) {
    throw new UsageError(
      `the topic ${quoted(plan.topic)} takes neither NORMAL nor FIFO messages; name another one with -t`,
    );
  }
  const nowMs = Math.floor(systemClock.wallMs());
  const messageId = newMessageId(nowMs);
  const systemProperties: SystemProperties = {
    ...SystemProperties.decode(new Uint8Array()),
    messageId,
    messageType,
    bodyEncoding: Encoding.IDENTITY,
    bornTimestamp: timestampOf(nowMs),
    ...(messageType === MessageType.FIFO ? { messageGroup: messageId } : {}),
  };
  const body = Buffer.from(`round trip ${messageId}`);
  const message: Message = { topic: resource(plan.topic), userProperties: new Map(), systemProperties, body };
  const request = { messages: [message] };
  const response = await client.unary(MessagingServiceDefinition, 'sendMessage', request, callOptions(leftMs(plan)));
  checkStatus(response.status, queue.broker!.name);
  return messageId;
}

/** Takes messages until its own comes; what others have sent is given back. */
async function receiveOwn(client: RpcClient, queue: MessageQueue, messageId: string, plan: Plan): Promise<void> {
  const [topic, group] = [resource(plan.topic), resource(plan.group)];
  const request = {
    group,
    messageQueue: { ...queue, topic },
    filterExpression: { type: FilterType.TAG, expression: '*' },
    batchSize: 32,
    invisibleDuration: { seconds: 30n, nanos: 0 },
    autoRenew: false,
    longPollingTimeout: { seconds: POLL_S, nanos: 0 },
  };
  let isBack = false;
  let otherCount = 0;
  while (!isBack) {
    if (leftMs(plan) <= 1) {
      const others = otherCount > 0 ? `; ${otherCount} others did` : '';
      throw refused(
        plan,
        `the message ${messageId} was stored by ${queue.broker!.name}, but did not come back${others}`,
      );
    }
    const options = callOptions(Number(POLL_S) * SECOND_MS + leftMs(plan));
    for await (const { status, message } of client.serverStream(
      MessagingServiceDefinition,
      'receiveMessage',
      request,
      options,
    )) {
      if (status !== undefined && status.code !== Code.MESSAGE_NOT_FOUND) checkStatus(status, queue.broker!.name);
      if (message === undefined) continue;
      const receiptHandle = message.systemProperties?.receiptHandle ?? '';
      const foundId = message.systemProperties?.messageId ?? '';
      if (foundId === messageId) {
        isBack = true;
        const entries = [{ messageId, receiptHandle }];
        const answer = await client.unary(
          MessagingServiceDefinition,
          'ackMessage',
          { topic, group, entries },
          callOptions(CALL_MS_MAX),
        );
        checkStatus(answer.status, queue.broker!.name);
      } else {
        otherCount++;
        const other = { topic, group, receiptHandle, invisibleDuration: { seconds: 1n, nanos: 0 }, messageId: foundId };
        await client.unary(MessagingServiceDefinition, 'changeInvisibleDuration', other, callOptions(CALL_MS_MAX));
      }
    }
  }
}

function clientOf(plan: Plan, address: string): RpcClient {
  // As official clients do: encrypted, and any certificate is taken.
  return createRpcClient({ addresses: address.split(','), tls: plan.isTls ? { insecure: true } : undefined });
}

function leftMs({ endMs }: Plan): number {
  return Math.max(1, Math.min(CALL_MS_MAX, endMs - systemClock.monotonicMs()));
}

function refused({ accessPoint }: Plan, reason: string): RefusedError {
  return new RefusedError(`no round trip through ${accessPoint}: ${reason}`);
}

function resource(name: string): { resourceNamespace: string; name: string } {
  return { resourceNamespace: '', name };
}

function endpointsOf(accessPoint: string) {
  const [, host, port] = ACCESS_POINT.exec(accessPoint) ?? [];
  if (host === undefined) throw new MqError('ILLEGAL_ACCESS_POINT', `${quoted(accessPoint)} is no host:port`);
  const plain = host.replace(/^\[|\]$/g, '');
  const scheme = plain.includes(':')
    ? AddressScheme.IPv6
    : /^[\d.]+$/.test(plain)
      ? AddressScheme.IPv4
      : AddressScheme.DOMAIN_NAME;
  return { scheme, addresses: [{ host: plain, port: Number(port) }] };
}
