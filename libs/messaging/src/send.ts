import { javaStringHash, MqError, quoted } from '@orbitmq/base';
import {
  CLIENT_ADDRESS_HEADER,
  checkMessage,
  checkSameTopic,
  deriveMessageType,
  encodeStoredSystem,
  type IncomingMessage,
  isDerivedTopic,
  MD5_BYTES,
} from '@orbitmq/protocol';
import { MessageType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call, Reply } from '@orbitmq/rpc';
import type { EarlierSend, SendRequest } from '@orbitmq/shard';
import type { Topic, TopicMessageType } from '@orbitmq/views';
import { refusing } from './answers.ts';
import { ArrivedSends, type SendTaker } from './arrived-sends.ts';
import { checkBrokerWrites } from './broker-permission.ts';
import { clientIdOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { queueOfMessageGroup, queueOfPriority, RoundRobin } from './queue-choice.ts';
import { ACCEPTED_TYPES, WRITE_BIT } from './route-source.ts';
import type { SendAnswer } from './send-answer.ts';
import { type Incoming, type Receipt, type SendHost, SendUnderWay } from './send-under-way.ts';
import type { SendsElsewhere } from './sends-elsewhere.ts';
import { checkTransactional, sendHalf } from './transactions.ts';

const TYPE_NAMES: readonly TopicMessageType[] = typeNames();

/**
 * SendMessage. Requests that came together are checked, each as a whole, before anything of them is stored; then all messages of one are
 * appended in one synchronous step, and its answer waits until the log has stored them. A message that was sent before is not appended
 * again, and answered as then; only where it must be looked up on the disk, others may come in between.
 */
export class Sending implements SendHost, SendTaker {
  readonly context: MessagingContext;
  readonly refuse: (error: unknown, reply: Reply<SendAnswer>) => void;
  private readonly elsewhere: SendsElsewhere;
  private readonly roundRobin: RoundRobin;
  private readonly arrived: ArrivedSends;

  constructor(context: MessagingContext, elsewhere: SendsElsewhere) {
    this.context = context;
    this.elsewhere = elsewhere;
    this.roundRobin = new RoundRobin(context.random);
    this.arrived = new ArrivedSends(context, this);
    this.refuse = refusing('SendMessage', context.events, (status) => ({ status, entries: [] }));
  }

  send(messages: readonly IncomingMessage[], call: Call, reply: Reply<SendAnswer>): void {
    this.arrived.add(messages, call, reply);
  }

  /** Checks a request. One that breaks a rule is refused, and one that comes while the broker is being emptied goes elsewhere. */
  admit({ messages, call, reply, startedMs, nowMs }: Incoming): boolean {
    const { sessions, shard } = this.context;
    try {
      sessions.seen(clientIdOf(call), startedMs);
      const { drainRefusal } = shard;
      if (drainRefusal === undefined) {
        this.check(messages, nowMs);
        return true;
      }
      this.elsewhere.send(messages, call, drainRefusal).then(
        (answer) => reply.respond(answer),
        (error: unknown) => this.refuse(error, reply),
      );
    } catch (error) {
      this.refuse(error, reply);
    }
    return false;
  }

  store(incoming: Incoming): void {
    const { messages, reply } = incoming;
    try {
      const found = this.topicOf(messages);
      const late =
        found instanceof Promise ? found.then((topic) => this.begin(topic, incoming)) : this.begin(found, incoming);
      late?.catch((error: unknown) => this.refuse(error, reply));
    } catch (error) {
      this.refuse(error, reply);
    }
  }

  /** @returns undefined, unless something else has to be waited for before all can be appended */
  private begin(topic: Topic, incoming: Incoming): Promise<void> | undefined {
    for (const message of incoming.messages) checkType(topic, message);
    const { shard } = this.context;
    const send = new SendUnderWay(this, topic, incoming);
    try {
      const appending = this.append(send);
      if (appending !== undefined) {
        return appending.catch((error: unknown) => stopAt(send, error)).then(() => shard.whenSettled(send));
      }
    } catch (error) {
      stopAt(send, error);
    }
    shard.whenSettled(send);
    return undefined;
  }

  private check(messages: readonly IncomingMessage[], nowMs: number): void {
    const { limits, messageLimits } = this.context.config;
    checkBrokerWrites(this.context.config);
    if (messages.length > limits.sendBatchMax) {
      throw new MqError(
        'BAD_REQUEST',
        `one send holds at most ${limits.sendBatchMax} messages; found ${messages.length}; send them in several calls`,
      );
    }
    checkSameTopic(messages);
    for (const message of messages) checkMessage(message, messageLimits, nowMs);
    if (messages.some(isTransactional)) checkTransactional(messages);
  }

  private topicOf(messages: readonly IncomingMessage[]): Topic | Promise<Topic> {
    const { topicName } = messages[0]!;
    const known = this.context.shard.metadata.topic(topicName);
    // dead letters are the server's to write, whatever permission their topic was given
    if (known && !isDerivedTopic(topicName)) return known;
    const messageType = typeOf(messages[0]!);
    const other = messages.find((message) => typeOf(message) !== messageType);
    if (!other) return this.context.provision.topicOfFirstMessage(topicName, messageType);
    throw new MqError(
      'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
      `all messages of one send have the same type; found ${messageType} and ${typeOf(other)}; send them apart`,
    );
  }

  /**
   * Appends what a request has still to append. Stops at the first message that can't be, so that the order of a batch holds.
   * @param from first byte of the log at which the first of them may lie when it was sent before
   * @returns undefined when that is done
   * @throws MqError when the log refuses a message, or it can't be known whether it was sent before
   */
  private append(send: SendUnderWay, from = 0): Promise<void> | undefined {
    const { topic, messages, sent, nowMs } = send;
    const { shard } = this.context;
    if ((topic.permission & WRITE_BIT) === 0 || topic.writeQueueCount === 0) throw notWritable(topic);
    let repeatedFrom = from;
    while (sent.length < messages.length) {
      const message = messages[sent.length]!;
      const earlier = shard.findSent(topic, message, repeatedFrom);
      if (earlier instanceof Promise) return this.appendLater(send, earlier);
      repeatedFrom = 0;
      sent.push(
        earlier === undefined
          ? this.appendOne(topic, message, this.request(send, message), nowMs)
          : this.receiptOf(topic, message, earlier),
      );
    }
    return undefined;
  }

  /** Goes on when it is known whether the next message was sent before; it may have been once more meanwhile. */
  private async appendLater(send: SendUnderWay, reading: Promise<EarlierSend | undefined>): Promise<void> {
    const { topic, messages, sent } = send;
    const { position } = this.context.shard;
    const earlier = await reading;
    if (earlier === undefined) {
      await this.append(send, position);
      return;
    }
    sent.push(this.receiptOf(topic, messages[sent.length]!, earlier));
    await this.append(send);
  }

  /** What the producer was told, or should have been told, when it sent this message before. */
  private receiptOf(topic: Topic, message: IncomingMessage, earlier: EarlierSend): Receipt {
    const { recallHandles, shard, transactionIds } = this.context;
    const { epoch } = shard;
    switch (earlier.kind) {
      case 'message':
        return receipt(earlier.queueOffset, '', '', true);
      case 'timer':
        return receipt(0, '', recallHandles.encode({ topicUid: topic.uid, ...earlier.timer, epoch }), true);
      case 'half': {
        const place = { topicUid: topic.uid, ...earlier.half, epoch };
        return receipt(0, transactionIds.encode(place, message.messageId), '', true);
      }
    }
  }

  /** The next message to be appended. */
  private request(send: SendUnderWay, message: IncomingMessage): SendRequest {
    const { topic, call, nowMs, sent, digests } = send;
    const { tag } = message;
    const messageType = deriveMessageType(message);
    const system = encodeStoredSystem(message, {
      messageType,
      bornTimestampMs: nowMs,
      bornHost: message.bornHost === '' ? hostOf(call.metadata.get(CLIENT_ADDRESS_HEADER) ?? call.peer) : '',
      storeHost: this.context.config.storeHost,
      digests,
      digestAt: send.digestAt + sent.length * MD5_BYTES,
    });
    const queueId = this.queueOf(topic, message, messageType);
    const tagHash = tag === undefined ? 0 : javaStringHash(tag);
    return { topic, queueId, tagHash, message: { system, rest: message.rest } };
  }

  private queueOf(topic: Topic, { messageGroup, priority }: IncomingMessage, messageType: MessageType): number {
    if (messageGroup !== undefined) return queueOfMessageGroup(messageGroup, topic.writeQueueCount);
    if (messageType === MessageType.PRIORITY) return queueOfPriority(priority!, topic.writeQueueCount);
    return this.roundRobin.next(topic);
  }

  private appendOne(topic: Topic, message: IncomingMessage, request: SendRequest, nowMs: number): Receipt {
    const { recallHandles, shard } = this.context;
    const { deliveryTimestampMs } = message;
    if (topic.messageType === 'LITE') {
      const { tagHash, message: bytes } = request;
      const { queueOffset } = shard.sendLite({ topic, liteTopic: message.liteTopic!, tagHash, message: bytes });
      return receipt(queueOffset, '', '', false);
    }
    if (isTransactional(message)) return receipt(0, sendHalf(this.context, message, request), '', false);
    // What is due already comes at once, as any other message.
    if (deliveryTimestampMs === undefined || deliveryTimestampMs <= nowMs) {
      return receipt(shard.send(request).queueOffset, '', '', false);
    }
    const { timer } = shard.sendTimed({ ...request, deliveryTimestampMs });
    return receipt(0, '', recallHandles.encode({ topicUid: topic.uid, ...timer, epoch: shard.epoch }), false);
  }
}

/**
 * What is appended stays, and its answer waits for it: only the others are refused.
 * @throws error when nothing is appended, or it is no operating error
 */
function stopAt(send: SendUnderWay, error: unknown): void {
  if (!(error instanceof MqError) || send.sent.length === 0) throw error;
  send.refusal = error;
}

function receipt(queueOffset: number, transactionId: string, recallHandle: string, isRepeated: boolean): Receipt {
  return { queueOffset, transactionId, recallHandle, isRepeated };
}

function isTransactional(message: IncomingMessage): boolean {
  return deriveMessageType(message) === MessageType.TRANSACTION;
}

function typeOf(message: IncomingMessage): TopicMessageType {
  return TYPE_NAMES[deriveMessageType(message)]!;
}

function checkType(topic: Topic, message: IncomingMessage): void {
  if (ACCEPTED_TYPES[topic.messageType].includes(deriveMessageType(message))) return;
  const messageType = typeOf(message);
  throw new MqError(
    'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
    `topic ${quoted(topic.name)} takes ${topic.messageType} messages; found a ${messageType} one; ${remedyFor(topic.messageType)}, or send it to a topic of type ${messageType}`,
  );
}

function remedyFor(topicType: TopicMessageType): string {
  if (topicType === 'FIFO') return 'set a message group';
  if (topicType === 'DELAY') return 'set a delivery time';
  if (topicType === 'PRIORITY') return 'set a priority';
  if (topicType === 'LITE') return 'set a lite topic';
  if (topicType === 'TRANSACTION') return 'send it in a transaction';
  return topicType === 'NORMAL'
    ? 'set neither message group nor delivery time nor priority nor lite topic, and use no transaction'
    : 'set what makes such a message';
}

function notWritable(topic: Topic): MqError {
  return new MqError(
    'FORBIDDEN',
    `topic ${quoted(topic.name)} has a queue that may be written; found permission ${topic.permission}; give it write permission with mqadmin updateTopicPerm`,
  );
}

/** Address of `address:port`, without the brackets of IPv6. */
function hostOf(peer: string): string {
  const end = peer.lastIndexOf(':');
  const host = end < 0 ? peer : peer.slice(0, end);
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

function typeNames(): TopicMessageType[] {
  const names: TopicMessageType[] = [];
  for (const name of ['NORMAL', 'FIFO', 'DELAY', 'TRANSACTION', 'LITE', 'PRIORITY'] as const) {
    names[MessageType[name]] = name;
  }
  return names;
}
