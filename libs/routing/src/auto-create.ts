import { isSystemTopic } from '@orbitmq/protocol';

/** Names of topics that a first message may make; administrators may use a few more characters. */
const MAKEABLE_NAME = /^[a-zA-Z0-9_-]{1,127}$/;

/** Whether a first message may make a topic of this name (where the broker's policy allows it at all). */
export function isAutoCreatable(topicName: string): boolean {
  return MAKEABLE_NAME.test(topicName) && !isSystemTopic(topicName);
}
