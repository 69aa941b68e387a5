import { digestBodies, type IncomingMessage, MD5_BYTES } from '@orbitmq/protocol';
import type { Call, Reply } from '@orbitmq/rpc';
import type { MessagingContext } from './context.ts';
import type { SendAnswer } from './send-answer.ts';
import type { Incoming } from './send-under-way.ts';

/** What becomes of requests that have arrived. */
export interface SendTaker {
  /** Looks whether a request is to be stored; one that is not, it answers itself. */
  admit(incoming: Incoming): boolean;
  /** Stores a request. Called in the order in which they came, one right after the other. */
  store(incoming: Incoming): void;
}

/**
 * Requests that a connection has brought in one piece go on together, when all of them have been read: the digests of many bodies at once take
 * a fourth of the time, and so do the looks whether messages were sent before. None waits for what is not there yet.
 */
export class ArrivedSends {
  private readonly context: Pick<MessagingContext, 'clock' | 'shard'>;
  private readonly taker: SendTaker;
  private arrived: Incoming[] = [];
  /** When the first of them came, by both clocks. */
  private startedMs = 0;
  private nowMs = 0;

  constructor(context: Pick<MessagingContext, 'clock' | 'shard'>, taker: SendTaker) {
    this.context = context;
    this.taker = taker;
  }

  add(messages: readonly IncomingMessage[], call: Call, reply: Reply<SendAnswer>): void {
    if (this.arrived.length === 0) {
      const { clock } = this.context;
      this.startedMs = clock.monotonicMs();
      this.nowMs = clock.wallMs();
      // What was received in one piece is read in one go, and this runs behind it.
      queueMicrotask(this.take);
    }
    const { startedMs, nowMs } = this;
    this.arrived.push({ messages, call, reply, startedMs, nowMs, digests: undefined, digestAt: 0 });
  }

  private readonly take = (): void => {
    const { arrived, taker } = this;
    this.arrived = [];
    const admitted = arrived.filter((incoming) => taker.admit(incoming));
    const messages = admitted.length === 1 ? admitted[0]!.messages : admitted.flatMap((incoming) => incoming.messages);
    if (messages.length > 1) this.prepare(admitted, messages);
    for (const incoming of admitted) taker.store(incoming);
  };

  /** @param messages of all requests, in order */
  private prepare(admitted: readonly Incoming[], messages: readonly IncomingMessage[]): void {
    const { shard } = this.context;
    const digests = digestBodies(messages);
    let digestAt = 0;
    for (const incoming of admitted) {
      incoming.digests = digests;
      incoming.digestAt = digestAt;
      digestAt += incoming.messages.length * MD5_BYTES;
    }
    const { topicName } = messages[0]!;
    const topic = shard.metadata.topic(topicName);
    if (topic === undefined || messages.some((message) => message.topicName !== topicName)) return;
    shard.foreseeSends(topic, messages);
  }
}
