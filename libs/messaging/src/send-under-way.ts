import type { MqError } from '@orbitmq/base';
import type { IncomingMessage } from '@orbitmq/protocol';
import type { SendMessageResponse, SendResultEntry, Status } from '@orbitmq/protocol/apache.rocketmq.v2';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call, Reply } from '@orbitmq/rpc';
import type { SettleWaiter } from '@orbitmq/shard';
import type { Topic } from '@orbitmq/views';
import { OK_STATUS, statusOf, unknownIfStored } from './answers.ts';
import type { MessagingContext } from './context.ts';
import { type SendAnswer, StoredAnswer } from './send-answer.ts';

/** What a producer is told of a message that was appended. */
export interface Receipt {
  readonly queueOffset: number;
  /** For what can be committed or rolled back; otherwise empty. */
  readonly transactionId: string;
  /** For what can be recalled; otherwise empty. */
  readonly recallHandle: string;
  /** It was stored by an earlier send of the same message. */
  readonly isRepeated: boolean;
}

/** What all sends of a broker share. */
export interface SendHost {
  readonly context: Pick<MessagingContext, 'clock' | 'events'>;
  /** Ends a call with an error. */
  refuse(error: unknown, reply: Reply<SendAnswer>): void;
}

/** A request as it came. */
export interface Incoming {
  readonly messages: readonly IncomingMessage[];
  readonly call: Call;
  readonly reply: Reply<SendAnswer>;
  /** When it came, by the monotonic and by the wall clock. */
  readonly startedMs: number;
  readonly nowMs: number;
  /** The digests of its bodies from this byte on, when they were computed together with others. */
  digests: Uint8Array | undefined;
  digestAt: number;
}

/** A request whose messages are appended one after the other, and answered when the log has stored them. */
export class SendUnderWay implements SettleWaiter {
  readonly topic: Topic;
  readonly messages: readonly IncomingMessage[];
  readonly call: Call;
  readonly nowMs: number;
  /** Of the first messages, in order. */
  readonly sent: Receipt[] = [];
  /** Why not all of them were appended. */
  refusal: MqError | undefined = undefined;
  readonly digests: Uint8Array | undefined;
  readonly digestAt: number;
  private readonly host: SendHost;
  private readonly reply: Reply<SendAnswer>;
  private readonly startedMs: number;

  constructor(host: SendHost, topic: Topic, incoming: Incoming) {
    const { messages, call, reply, startedMs, nowMs } = incoming;
    this.digests = incoming.digests;
    this.digestAt = incoming.digestAt;
    this.host = host;
    this.topic = topic;
    this.messages = messages;
    this.call = call;
    this.reply = reply;
    this.startedMs = startedMs;
    this.nowMs = nowMs;
  }

  /** For the shard: what was appended is stored. */
  settled(): void {
    const { clock, events } = this.host.context;
    const { topic, messages, sent } = this;
    for (let index = 0; index < sent.length; index++) {
      if (sent[index]!.isRepeated) {
        events.sendRepeated(topic);
        continue;
      }
      const { system, rest } = messages[index]!;
      events.messageIn(topic, topic.messageType, system.length + rest.length);
    }
    events.sendAnswered(clock.monotonicMs() - this.startedMs);
    this.reply.respond(this.response());
  }

  /** For the shard: nobody knows what is stored. */
  unsettled(error: Error): void {
    this.host.refuse(unknownIfStored(error), this.reply);
  }

  private response(): SendAnswer {
    const { messages, sent, refusal } = this;
    if (refusal === undefined && sent.every(isInQueue)) return new StoredAnswer(messages, sent);
    return responseOf(messages, sent, refusal);
  }
}

/** Nothing but its place is to be told of it. */
function isInQueue({ transactionId, recallHandle }: Receipt): boolean {
  return transactionId === '' && recallHandle === '';
}

/** One entry for each message, in order. */
function responseOf(
  messages: readonly IncomingMessage[],
  sent: readonly Receipt[],
  refusal: MqError | undefined,
): SendMessageResponse {
  const refused = refusal && statusOf(refusal);
  const entries = messages.map((message, index) => entryOf(message, sent[index], refused));
  if (!refused) return { status: OK_STATUS, entries };
  const message = `${sent.length} of ${messages.length} messages were stored; read the entries, and send the others again`;
  return { status: { code: Code.MULTIPLE_RESULTS, message }, entries };
}

function entryOf(message: IncomingMessage, sent: Receipt | undefined, refused: Status | undefined): SendResultEntry {
  return {
    status: sent ? OK_STATUS : refused,
    messageId: message.messageId,
    transactionId: sent?.transactionId ?? '',
    offset: BigInt(sent?.queueOffset ?? 0),
    recallHandle: sent?.recallHandle ?? '',
  };
}
