import type { MqError } from '@orbitmq/base';
import { UnreachableError } from '@orbitmq/rpc';
import { failureOf } from './answers.ts';
import type { Broker } from './brokers.ts';

/**
 * Tries brokers in order until one is reached. A broker that may have got the call is the last one tried: whoever asked
 * decides whether to do it again.
 * @param brokers at least one
 * @throws MqError when none was reached, or the one that was did not answer; RpcError with what it said in gRPC's terms
 */
export async function firstReachable<Result>(
  brokers: readonly Broker[],
  attempt: (broker: Broker) => Promise<Result>,
): Promise<Result> {
  let failure: MqError | undefined;
  for (const broker of brokers) {
    try {
      return await attempt(broker);
    } catch (error) {
      failure = failureOf(error, broker.name);
      if (!(error instanceof UnreachableError)) break;
    }
  }
  throw failure!;
}
