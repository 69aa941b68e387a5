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
  if (message.liteTopic !== undefined) return MessageType.LITE;
  return MessageType.NORMAL;
}
