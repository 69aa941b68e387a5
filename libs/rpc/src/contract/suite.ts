import { describe } from 'node:test';
import { describeClient } from './client.ts';
import type { RpcEngine } from './harness.ts';
import { describeHttp1 } from './http1.ts';
import { describePassingOn } from './passing-on.ts';
import { describeStopping } from './stopping.ts';
import { describeStreams } from './streams.ts';
import { describeTransport } from './transport.ts';
import { describeUnary } from './unary.ts';

export { describeSameOutcome, type SameOutcomeOptions } from './same-outcome.ts';
export type { RpcEngine };

/** What every engine behind the seam must do: one call of this is the test of an engine. */
export function describeRpcEngine(name: string, engine: RpcEngine): void {
  describe(name, () => {
    describeUnary(engine);
    describeStreams(engine);
    describeTransport(engine);
    describeHttp1(engine);
    describeStopping(engine);
    describeClient(engine);
    describePassingOn(engine);
  });
}
