import { CODES, delay } from '@orbitmq/base';
import { type Call, RpcError } from '@orbitmq/rpc';
import { codeOfAnswer } from './answers.ts';
import { receiveFrom } from './broker-receive.ts';
import type { Broker } from './brokers.ts';
import type { ReceiveRequest } from './receive-request.ts';
import type { RelayContext } from './relay-context.ts';

/** A broker that could not be waited at is tried again after so long: it may be back by then. Milliseconds. */
const RETRY_PAUSE_MS = 500;

/**
 * Waits at several brokers until one of them may have messages for a client. Nothing is handed out for that.
 * @param endMs monotonic
 * @returns undefined when none had any by then, the client is gone, or this server stops
 */
export async function firstWithMessages(
  context: RelayContext,
  request: ReceiveRequest,
  brokerNames: readonly string[],
  call: Call,
  endMs: number,
): Promise<Broker | undefined> {
  const { clock } = context;
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = clock.setTimer(Math.max(0, endMs - clock.monotonicMs()), end);
  const stopListening = [call.onCancel(end), call.onDrain(end)];
  try {
    return await new Promise<Broker | undefined>((resolve, reject) => {
      const stop = (): void => resolve(undefined);
      if (over.signal.aborted) stop();
      over.signal.addEventListener('abort', stop);
      for (const name of brokerNames) watch(context, request, name, call, over.signal).then(resolve, reject);
    });
  } finally {
    timer.cancel();
    for (const stop of stopListening) stop();
    over.abort();
  }
}

/** Waits at one broker, again and again when it goes and comes back, until it may have something or `over` says stop. */
async function watch(
  context: RelayContext,
  request: ReceiveRequest,
  brokerName: string,
  call: Call,
  over: AbortSignal,
): Promise<Broker | undefined> {
  while (!over.aborted) {
    const broker = context.brokers.named(brokerName);
    if (broker && (await hasMessages(broker, request, call, over))) return broker;
    if (!over.aborted) await delay(context.clock, RETRY_PAUSE_MS);
  }
  return undefined;
}

async function hasMessages(broker: Broker, request: ReceiveRequest, call: Call, over: AbortSignal): Promise<boolean> {
  let code = 0;
  try {
    await receiveFrom(broker, request, call, 'watch', over, (response) => {
      code ||= codeOfAnswer(response);
      return undefined;
    });
  } catch (error) {
    // Gone, or refused: whoever takes from it later tells the client what is the client's own doing.
    if (!(error instanceof RpcError)) throw error;
    return false;
  }
  return code === CODES.OK;
}
