import { CODES, type CodeName, MqError, quoted } from '@orbitmq/base';
import { HeartbeatResponse, type Status } from '@orbitmq/protocol/apache.rocketmq.v2';
import { RpcError, UnreachableError } from '@orbitmq/rpc';

export function statusOf(error: MqError): Status {
  // CODES has the numbers of the generated enum; a test of libs/protocol holds them together.
  return { code: CODES[error.code] as Status['code'], message: error.message };
}

/** A response of any type that holds nothing but a status: it is field 1 of all of them. */
export function encodeStatusAnswer(error: MqError): Uint8Array {
  return HeartbeatResponse.encode({ status: statusOf(error) }).finish();
}

/**
 * What a broker has answered. Its bytes come from outside: that they can't be read is a failure of the broker.
 * @throws MqError INTERNAL_SERVER_ERROR when they can't
 */
export function decodedAnswer<Answer>(codec: { decode(bytes: Uint8Array): Answer }, bytes: Uint8Array): Answer {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw new MqError('INTERNAL_SERVER_ERROR', UNREADABLE, { cause });
  }
}

const UNREADABLE = 'The answer of the broker is no readable protobuf message of its type; check what runs there.';

/** Code of the status in a response of any type; 0 when there is none, that of a failure when it can't be read. */
export function codeOfAnswer(bytes: Uint8Array): number {
  return statusIn(bytes)?.code ?? 0;
}

function statusIn(bytes: Uint8Array): Status | undefined {
  try {
    return decodedAnswer(HeartbeatResponse, bytes).status;
  } catch (error) {
    if (error instanceof MqError) return statusOf(error);
    throw error;
  }
}

const NAMES_OF_CODES: ReadonlyMap<number, CodeName> = new Map(
  Object.entries(CODES).map(([name, code]) => [code, name as CodeName]),
);

/** The refusal that a response of any type holds. */
export function failureIn(bytes: Uint8Array): MqError {
  const status = statusIn(bytes);
  return new MqError(NAMES_OF_CODES.get(status?.code ?? 0) ?? 'INTERNAL_SERVER_ERROR', status?.message ?? '');
}

export function topicNotFound(topicName: string): MqError {
  return new MqError(
    'TOPIC_NOT_FOUND',
    `No broker has the topic ${quoted(topicName)}, and none makes it on its first message; check the name, or make it with mqadmin updateTopic.`,
  );
}

export function noBroker(): MqError {
  return new MqError(
    'INTERNAL_SERVER_ERROR',
    'No broker is registered with this name server; check that the brokers run and that their namesrvAddr names it, then try again.',
  );
}

export function unknownBroker(brokerName: string): MqError {
  return new MqError(
    'INTERNAL_SERVER_ERROR',
    `The broker ${quoted(brokerName)} that this belongs to is not registered at the moment; try again when it is back.`,
  );
}

const OUTCOMES: ReadonlyMap<string, readonly [CodeName, string]> = new Map([
  ['DEADLINE_EXCEEDED', ['PROXY_TIMEOUT', 'has not answered in time; whether it did what was asked is not known']],
  ['UNAVAILABLE', ['PROXY_TIMEOUT', 'was cut off before it answered; whether it did what was asked is not known']],
  ['CANCELLED', ['PROXY_TIMEOUT', 'left the cluster before it answered; whether it did what was asked is not known']],
  ['INTERNAL', ['INTERNAL_SERVER_ERROR', 'has failed at it']],
  ['UNKNOWN', ['INTERNAL_SERVER_ERROR', 'has failed at it']],
]);

/** Codes for what a broker says in gRPC's terms, where that must stand beside the answers of others. */
const REFUSALS: ReadonlyMap<string, CodeName> = new Map([
  ['UNAUTHENTICATED', 'UNAUTHORIZED'],
  ['PERMISSION_DENIED', 'FORBIDDEN'],
  ['RESOURCE_EXHAUSTED', 'TOO_MANY_REQUESTS'],
  ['INVALID_ARGUMENT', 'BAD_REQUEST'],
  ['UNIMPLEMENTED', 'UNSUPPORTED'],
]);

/**
 * What became of one broker's part of a call that goes to several: also what it says in gRPC's terms is only a part.
 * @throws any exception that is no failure of a call, as it is
 */
export function partFailureOf(error: unknown, brokerName: string): MqError {
  if (error instanceof MqError) return error;
  if (!(error instanceof RpcError) || OUTCOMES.has(error.status)) return failureOf(error, brokerName);
  const code = REFUSALS.get(error.status) ?? 'INTERNAL_SERVER_ERROR';
  const text = `The broker ${quoted(brokerName)} refuses it with the gRPC status ${error.status}: ${error.message}`;
  return new MqError(code, text, { cause: error });
}

/**
 * What a client is told when a call to its broker fails. A failure on the way to the broker becomes a status in the
 * answer, as clients expect it.
 * @throws RpcError what the broker itself said in gRPC's terms; any other exception as it is
 */
export function failureOf(error: unknown, brokerName: string): MqError {
  const name = quoted(brokerName);
  if (error instanceof UnreachableError) {
    return new MqError('INTERNAL_SERVER_ERROR', `The broker ${name} can't be reached; try again in a moment.`);
  }
  const outcome = error instanceof RpcError ? OUTCOMES.get(error.status) : undefined;
  if (!outcome) throw error;
  return new MqError(outcome[0], `The broker ${name} ${outcome[1]}.`, { cause: error });
}
