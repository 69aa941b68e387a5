import {
  ClientType,
  FilterType,
  type Message,
  type ReceiveMessageRequest,
  type SendResultEntry,
  type Settings,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Connections } from './connections.ts';
import { ProbeClient, type ProbeClientOptions } from './probe-client.ts';
import {
  consumerSettings,
  duration,
  type MessageWish,
  newMessage,
  producerSettings,
  queueOf,
  resource,
} from './requests.ts';
import type { CompareTarget, GroupWish, TopicWish } from './targets.ts';

/** Deadline of a receive beyond its polling time; clients have 3 s, but the machine may be busy. */
const REQUEST_TIMEOUT_MS = 40_000;
const POLLING_MS = 5_000;

/** A message that was sent, and what its sender was told. */
export interface Sent {
  readonly message: Message;
  readonly code: string;
  readonly entry: SendResultEntry | undefined;
}

/** What a receive is asked for; the rest is usual. */
export interface ReceiveWish {
  readonly topic: string;
  readonly group: string;
  readonly batchSize?: number;
  /** Milliseconds; default 60,000. */
  readonly invisibleMs?: number;
  /** Milliseconds; default 5,000, the shortest that both allow. */
  readonly pollingMs?: number;
  readonly filter?: string;
  readonly sql?: string;
  readonly queueId?: number;
  readonly attemptId?: string;
  readonly autoRenew?: boolean;
}

/** What a probe works with: names and clients of its own at one target. */
export class World {
  readonly target: CompareTarget;
  readonly #clients: ProbeClient[] = [];
  readonly #probe: string;
  readonly #run: string;

  readonly #connections: Connections;

  /** @param run tells the names of this run from those of others against the same target */
  constructor(target: CompareTarget, connections: Connections, probe: string, run: string) {
    this.target = target;
    this.#connections = connections;
    this.#probe = probe.replaceAll('.', '-');
    this.#run = run;
  }

  /** Name of a topic or group that only this probe uses. */
  name(key: string): string {
    return `${key}-${this.#probe}-${this.#run}`;
  }

  /** A text with the names of this probe made those that were given to `name`. */
  withoutNames(text: string): string {
    return text.replaceAll(`-${this.#probe}-${this.#run}`, '');
  }

  putTopic(key: string, wish: TopicWish): Promise<void> {
    return this.target.putTopic(this.name(key), wish);
  }

  putGroup(key: string, wish: GroupWish): Promise<void> {
    const { liteTopicsOf } = wish;
    const bound = liteTopicsOf === undefined ? {} : { 'lite.bind.topic': this.name(liteTopicsOf) };
    return this.target.putGroup(this.name(key), { ...wish, attributes: { ...wish.attributes, ...bound } });
  }

  /** A client that has said nothing yet. */
  client(options: Partial<ProbeClientOptions> = {}): ProbeClient {
    const clientId = `client-host@${process.pid}@${this.#clients.length}@${this.#probe}-${this.#run}`;
    const client = new ProbeClient(this.#connections.next(), { clientId, ...options });
    this.#clients.push(client);
    return client;
  }

  /** A client whose settings the server has answered. */
  async clientWith(settings: Settings, options: Partial<ProbeClientOptions> = {}): Promise<ProbeClient> {
    const client = this.client(options);
    const session = client.telemetry();
    session.send({ settings });
    const answer = await session.next();
    if (typeof answer === 'string') throw new Error(`the settings of ${this.#probe} were answered by ${answer}`);
    return client;
  }

  /** @param topics full names */
  producer(...topics: string[]): Promise<ProbeClient> {
    return this.clientWith(producerSettings(topics));
  }

  /** A consumer that takes what it is given for as long as it wants. */
  consumer(group: string, ...topics: string[]): Promise<ProbeClient> {
    return this.clientWith(consumerSettings(group, topics, ClientType.SIMPLE_CONSUMER));
  }

  async send(client: ProbeClient, topic: string, wish: MessageWish = {}): Promise<Sent> {
    const message = newMessage(topic, wish);
    const { code, response } = await client.call('sendMessage', { messages: [message] });
    return { message, code, entry: response?.entries[0] };
  }

  receiveRequest(wish: ReceiveWish): Partial<ReceiveMessageRequest> {
    const { attemptId, autoRenew, invisibleMs } = wish;
    return {
      group: resource(wish.group),
      messageQueue: queueOf(wish.topic, this.target.brokerName, wish.queueId),
      filterExpression:
        wish.sql === undefined
          ? { type: FilterType.TAG, expression: wish.filter ?? '*' }
          : { type: FilterType.SQL, expression: wish.sql },
      batchSize: wish.batchSize ?? 32,
      longPollingTimeout: duration(wish.pollingMs ?? POLLING_MS),
      ...(autoRenew ? { autoRenew } : { invisibleDuration: duration(invisibleMs ?? 60_000) }),
      ...(attemptId === undefined ? {} : { attemptId }),
    };
  }

  async receive(client: ProbeClient, wish: ReceiveWish): Promise<{ code: string; messages: Message[] }> {
    const timeoutMs = (wish.pollingMs ?? POLLING_MS) + REQUEST_TIMEOUT_MS;
    const { code, response } = await client.stream('receiveMessage', this.receiveRequest(wish), timeoutMs);
    const messages = (response ?? []).flatMap(({ message }) => (message === undefined ? [] : [message]));
    return { code, messages };
  }

  /** Receives until `count` messages have come; fewer when they do not within `timeoutMs`. */
  async collect(client: ProbeClient, count: number, wish: ReceiveWish, timeoutMs = 30_000): Promise<Message[]> {
    const deadlineMs = performance.now() + timeoutMs;
    const messages: Message[] = [];
    while (messages.length < count && performance.now() < deadlineMs) {
      const got = await this.receive(client, { ...wish, batchSize: Math.min(count - messages.length, 32) });
      messages.push(...got.messages);
    }
    return messages;
  }

  /** The one message that comes. */
  async collectOne(client: ProbeClient, wish: ReceiveWish, timeoutMs = 30_000): Promise<Message | undefined> {
    return (await this.collect(client, 1, wish, timeoutMs))[0];
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}
