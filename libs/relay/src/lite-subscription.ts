import { CODES } from '@orbitmq/base';
import { Code } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import { codeOfAnswer } from './answers.ts';
import { answerWithin } from './everywhere.ts';
import type { RelayContext } from './relay-context.ts';
import type { TopicRequest } from './topic-call.ts';

/** What this side says of a broker that did not answer; no broker refuses a subscription with these. */
const UNANSWERED: ReadonlySet<number> = new Set([Code.INTERNAL_SERVER_ERROR, Code.PROXY_TIMEOUT]);

/**
 * SyncLiteSubscription: to all brokers of the topic, as messages of a lite topic may lie on each of them and most
 * clients tell only their access point. A refusal of one counts, because the client has to know of it; a broker that
 * can't be reached does not, because clients say all again every 30 s.
 */
export async function relayLiteSubscription(
  context: RelayContext,
  request: TopicRequest,
  call: Call,
): Promise<Uint8Array> {
  const holders = await context.choice.holders(request.topicName);
  const answers = await Promise.all(holders.map((broker) => answerWithin(broker, request.bytes, call)));
  const isRefusal = (answer: Uint8Array): boolean => {
    const code = codeOfAnswer(answer);
    return code !== CODES.OK && !UNANSWERED.has(code);
  };
  return answers.find(isRefusal) ?? answers.find((answer) => codeOfAnswer(answer) === CODES.OK) ?? answers[0]!;
}
