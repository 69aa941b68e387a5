import { CODES, MqError } from '@orbitmq/base';
import type { Code, Status } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call, Reply, UnaryHandler } from '@orbitmq/rpc';
import type { Shard } from '@orbitmq/shard';
import type { MessagingEvents } from './events.ts';

/** Status of everything that went well. */
export const OK_STATUS: Status = Object.freeze({ code: CODES.OK as Code, message: 'OK' });

/** The status that tells a client about an operating error. */
export function statusOf(error: MqError): Status {
  return { code: CODES[error.code] as Code, message: error.message };
}

/**
 * Wraps a unary handler: operating errors become the response's `status` (the gRPC status stays OK, as RocketMQ's
 * clients expect); anything else passes through and ends the process.
 * @param refuse makes the response that only carries a status
 */
export function answering<Request, Response>(
  method: string,
  events: MessagingEvents,
  handler: UnaryHandler<Request, Response>,
  refuse: (status: Status) => Response,
): UnaryHandler<Request, Response> {
  const answerError = (error: unknown): Response => {
    if (!(error instanceof MqError)) throw error;
    events.callRefused(method, error.code);
    return refuse(statusOf(error));
  };
  return (request: Request, call: Call) => {
    try {
      const response = handler(request, call);
      return response instanceof Promise ? response.catch(answerError) : response;
    } catch (error) {
      return answerError(error);
    }
  };
}

/**
 * Says no for a method that answers through a reply, as `answering` does for others.
 * @param refuse makes the response that only carries a status
 */
export function refusing<Response>(
  method: string,
  events: MessagingEvents,
  refuse: (status: Status) => Response,
): (error: unknown, reply: Reply<Response>) => void {
  return (error, reply) => {
    if (!(error instanceof MqError)) {
      reply.reject(error);
      return;
    }
    events.callRefused(method, error.code);
    reply.respond(refuse(statusOf(error)));
  };
}

/**
 * Waits until everything appended before is stored, by slaves too where they are waited for. When it throws, nobody knows
 * whether it is stored.
 * @throws MqError SLAVE_PERSISTENCE_TIMEOUT when slaves did not confirm in time; MASTER_PERSISTENCE_TIMEOUT when the log has
 *         failed, or this broker is not the master any more
 */
export async function stored(shard: Shard): Promise<void> {
  try {
    await shard.settled();
  } catch (cause) {
    throw unknownIfStored(cause);
  }
}

/** What `stored` throws when waiting for the shard has failed with this. */
export function unknownIfStored(cause: unknown): MqError {
  if (cause instanceof MqError && cause.code === 'SLAVE_PERSISTENCE_TIMEOUT') return cause;
  return new MqError(
    'MASTER_PERSISTENCE_TIMEOUT',
    'the broker could not confirm that this was stored; it may be or may not be; try again',
    { cause },
  );
}
