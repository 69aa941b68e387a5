import { MqError } from '@orbitmq/base';
import { checkTopicName } from '@orbitmq/protocol';

/** Whether a first message may make a topic of this name (where the broker's policy allows it at all). */
export function isAutoCreatable(topicName: string): boolean {
  try {
    checkTopicName(topicName);
    return true;
  } catch (error) {
    if (error instanceof MqError) return false;
    throw error;
  }
}
