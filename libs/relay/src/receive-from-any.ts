import { CODES, type MqError } from '@orbitmq/base';
import { encodeReceiveDeliveryTimestamp, encodeReceiveStatus, pollingMs } from '@orbitmq/protocol';
import type { Call, Sink } from '@orbitmq/rpc';
import { codeOfAnswer, failureIn, failureOf } from './answers.ts';
import { receiveFrom } from './broker-receive.ts';
import type { Broker } from './brokers.ts';
import type { ReceiveRequest } from './receive-request.ts';
import { firstWithMessages } from './receive-watch.ts';
import type { RelayContext } from './relay-context.ts';

/** The answer is on its way so long before the client's deadline. Milliseconds. */
const DEADLINE_MARGIN_MS = 500;
/** First code of the failures that are a server's own: another broker may do better. */
const SERVER_FAILURE_CODE_MIN = CODES.INTERNAL_ERROR;
const STATUS_NONE = encodeReceiveStatus(
  CODES.MESSAGE_NOT_FOUND,
  'no message came within the polling time; receive again',
);

/** What became of asking one broker: its answer went to the client, or it has nothing, or it could not answer. */
type Outcome = 'answered' | 'nothing' | MqError;

/**
 * ReceiveMessage of a client that takes messages of any broker of the topic: what one of them has is given at once, and when
 * none has, all are waited at together. Only the broker that answers the client hands anything out: messages that are
 * leased for an answer that nobody reads would be invisible until their time is over.
 * @param brokers the preferred one first, several
 * @throws MqError when none of them could answer, or the one that has messages; ILLEGAL_POLLING_TIME; RpcError what the client's own doing is
 */
export async function receiveFromAny(
  context: RelayContext,
  request: ReceiveRequest,
  brokers: readonly Broker[],
  call: Call,
  sink: Sink<Uint8Array>,
): Promise<void> {
  const { clock } = context;
  const { requestedMs } = request;
  const wish = { requestedMs, requestTimeoutMs: undefined, deadlineMarginMs: DEADLINE_MARGIN_MS };
  const endMs = clock.monotonicMs() + pollingMs({ ...wish, remainingMs: call.remainingMs() });
  let failure: MqError | undefined;
  let failureCount = 0;
  for (const broker of brokers) {
    const outcome = await takeFrom(broker, request, call, sink);
    if (outcome === 'answered') return;
    if (outcome === 'nothing') continue;
    failure ??= outcome;
    failureCount++;
  }
  if (failureCount === brokers.length) throw failure!;
  const names = brokers.map(({ name }) => name);
  for (;;) {
    const found = await firstWithMessages(context, request, names, call, endMs);
    if (found === undefined) break;
    const outcome = await takeFrom(found, request, call, sink);
    if (outcome === 'answered') return;
    // It has something, and can't give it: better told than tried again until the polling time is over.
    if (outcome !== 'nothing') throw outcome;
  }
  sink.write(STATUS_NONE);
  sink.write(encodeReceiveDeliveryTimestamp(clock.wallMs()));
}

/**
 * Gives the client what a broker has now.
 * @throws RpcError what the broker says in gRPC's terms; MqError when it failed after its answer had begun
 */
async function takeFrom(broker: Broker, request: ReceiveRequest, call: Call, sink: Sink<Uint8Array>): Promise<Outcome> {
  let outcome: Outcome | undefined;
  try {
    await receiveFrom(broker, request, call, 'take', undefined, (response) => {
      outcome ??= outcomeOf(response);
      return outcome === 'answered' ? sink.write(response) : undefined;
    });
  } catch (error) {
    const failure = failureOf(error, broker.name);
    if (outcome === 'answered') throw failure;
    return failure;
  }
  return outcome ?? 'nothing';
}

/** What the first response of a broker means. */
function outcomeOf(response: Uint8Array): Outcome {
  const code = codeOfAnswer(response);
  if (code === CODES.MESSAGE_NOT_FOUND) return 'nothing';
  if (code !== CODES.TOO_MANY_REQUESTS && code < SERVER_FAILURE_CODE_MIN) return 'answered';
  return failureIn(response);
}
