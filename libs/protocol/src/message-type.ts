import { MessageType } from './gen/apache/rocketmq/v2/definition.ts';
import type { IncomingMessage } from './incoming-message.ts';

/**
 * Type of a message by what it carries, as RocketMQ derives it; of the client's own `message_type` only TRANSACTION
 * counts.
 */
export function deriveMessageType(message: IncomingMessage): MessageType {
  if (message.messageType === MessageType.TRANSACTION) return MessageType.TRANSACTION;
  if (message.deliveryTimestampMs !== undefined) return MessageType.DELAY;
  if (message.messageGroup !== undefined) return MessageType.FIFO;
  if (message.priority !== undefined) return MessageType.PRIORITY;
  // an empty name is none, as in the original
  if (message.liteTopic) return MessageType.LITE;
  return MessageType.NORMAL;
}

/** Languages, as `x-mq-language` names them, whose clients fail on a route with a type that they don't know. */
const STRICT_LANGUAGES: ReadonlySet<string> = new Set(['JAVA', 'DOTNET', 'DOT_NET']);
/** The first of their versions that surely knows PRIORITY. */
const PRIORITY_SINCE = { major: 5, minor: 2 };

/**
 * What a route tells a client of the types that a topic takes. A topic that nobody made yet would take several, and an
 * old client that wants another one must not fail on those that came later than itself.
 * @param language header `x-mq-language` of the client
 * @param version header `x-mq-client-version` of the client; who tells none is taken for new
 */
export function typesKnownTo(
  types: readonly MessageType[],
  language: string | undefined,
  version: string | undefined,
): readonly MessageType[] {
  if (types.length < 2 || !STRICT_LANGUAGES.has(language?.toUpperCase() ?? '')) return types;
  const read = /^(\d+)\.(\d+)/.exec(version ?? '');
  if (read === null) return types;
  const [major, minor] = [Number(read[1]), Number(read[2])];
  const isNew = major > PRIORITY_SINCE.major || (major === PRIORITY_SINCE.major && minor >= PRIORITY_SINCE.minor);
  return isNew ? types : types.filter((type) => type !== MessageType.PRIORITY);
}
