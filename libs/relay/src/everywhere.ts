import { CODES } from '@orbitmq/base';
import type { Call } from '@orbitmq/rpc';
import { codeOfAnswer, encodeStatusAnswer, noBroker, partFailureOf } from './answers.ts';
import type { Broker } from './brokers.ts';
import { forward } from './forward.ts';
import type { RelayContext } from './relay-context.ts';

/** One broker that hangs must not make a client miss its own deadline, 3 s by default. Milliseconds. */
const WAIT_MAX_MS = 2000;

/**
 * Heartbeat, NotifyClientTermination: to all brokers, because it is the client that they are about. One that
 * accepts is enough.
 */
export async function relayEverywhere(context: RelayContext, request: Uint8Array, call: Call): Promise<Uint8Array> {
  const brokers = context.brokers.all();
  if (brokers.length === 0) throw noBroker();
  const answers = await Promise.all(brokers.map((broker) => answerWithin(broker, request, call)));
  return answers.find((answer) => codeOfAnswer(answer) === CODES.OK) ?? answers[0]!;
}

/** The answer of one broker, or a status that says why there is none; it comes before the client's own deadline. */
export async function answerWithin(broker: Broker, request: Uint8Array, call: Call): Promise<Uint8Array> {
  try {
    return await forward(broker, request, call, WAIT_MAX_MS);
  } catch (error) {
    return encodeStatusAnswer(partFailureOf(error, broker.name));
  }
}
