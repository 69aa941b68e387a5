import type { BoundMethod, Call, Sink } from '@orbitmq/rpc';
import type { DeliveryHold } from './delivery-hold.ts';

/** What consumers ask that depends on what others have settled. */
const HELD: ReadonlySet<string> = new Set([
  'ReceiveMessage',
  'PullMessage',
  'AckMessage',
  'ChangeInvisibleDuration',
  'ForwardMessageToDeadLetterQueue',
  'UpdateOffset',
  'GetOffset',
]);

/** The methods of a leader that comes back: those of consumers wait until the hold is over, all others don't. */
export function heldCalls(methods: readonly BoundMethod[], hold: DeliveryHold): BoundMethod[] {
  return methods.map((method) =>
    HELD.has(method.path.slice(method.path.lastIndexOf('/') + 1)) ? held(method, hold) : method,
  );
}

function held(method: BoundMethod, hold: DeliveryHold): BoundMethod {
  if (method.kind === 'unary') {
    const { kind, path } = method;
    return {
      kind,
      path,
      decode: (bytes) => method.decode(bytes),
      encode: (response) => method.encode(response),
      // and no `replyHandler`, which would not wait
      handler: async (request: unknown, call: Call) => {
        if (!hold.isOver) await hold.released;
        return await method.handler(request, call);
      },
    };
  }
  if (method.kind === 'serverStream') {
    return {
      ...method,
      handler: async (request: unknown, call: Call, sink: Sink<unknown>) => {
        if (!hold.isOver) await hold.released;
        await method.handler(request, call, sink);
      },
    };
  }
  return method;
}
