/** Longest name of a topic that a first message may make. Characters. */
const NAME_LENGTH_MAX = 127;

const NAME_PATTERN = /^[a-zA-Z0-9_-]+$/;

/** Prefixes that belong to the system: retry and dead-letter topics of groups, and RocketMQ's own topics. */
const SYSTEM_PREFIXES = ['%RETRY%', '%DLQ%', 'rmq_sys_'];

const SYSTEM_NAMES: ReadonlySet<string> = new Set([
  'TBW102',
  'SCHEDULE_TOPIC_XXXX',
  'BenchmarkTest',
  'RMQ_SYS_TRANS_HALF_TOPIC',
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  'RMQ_SYS_TRACE_TOPIC',
  'TRANS_CHECK_MAX_TIME_TOPIC',
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
  'CHECKPOINT_TOPIC',
]);

/** Whether a first message may make a topic of this name (where the broker's policy allows it at all). */
export function isAutoCreatable(topicName: string): boolean {
  if (topicName.length > NAME_LENGTH_MAX || !NAME_PATTERN.test(topicName)) return false;
  return !SYSTEM_NAMES.has(topicName) && !SYSTEM_PREFIXES.some((prefix) => topicName.startsWith(prefix));
}
