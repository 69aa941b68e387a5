/**
 * Property names that RocketMQ uses by itself: a user property of such a name is refused. Kept even where OrbitMQ stores
 * no property of that name, because 4.x clients and other readers of a message would take it for the real thing.
 */
const RESERVED_NAMES = `
  TRACE_ON MSG_REGION KEYS TAGS WAIT DELAY RETRY_TOPIC REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET MAX_OFFSET BUYER_ID
  ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME UNIQ_KEY MAX_RECONSUME_TIMES CONSUME_START_TIME
  POP_CK POP_CK_OFFSET 1ST_POP_TIME TRAN_PREPARED_QUEUE_OFFSET DUP_INFO EXTEND_UNIQ_INFO INSTANCE_ID CORRELATION_ID
  REPLY_TO_CLIENT TTL ARRIVE_TIME PUSH_REPLY_TIME CLUSTER MSG_TYPE INNER_MULTI_QUEUE_OFFSET TIMER_DELAY_MS TIMER_DELAY_SEC
  TIMER_DELIVER_MS TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS TIMER_ROLL_TIMES TIMER_OUT_MS TIMER_DEL_UNIQKEY TIMER_DELAY_LEVEL
  __BORNHOST BORN_TIMESTAMP DLQ_ORIGIN_TOPIC DLQ_ORIGIN_MESSAGE_ID __CRC32# ORIGIN_GROUP _SYS_MSG_PRIORITY_ __LITE_TOPIC
`;

/** Names that no user property may have. */
export const RESERVED_PROPERTY_NAMES: ReadonlySet<string> = new Set(RESERVED_NAMES.trim().split(/\s+/));

const lengthsByFirstByte = new Uint32Array(256);
for (const name of RESERVED_PROPERTY_NAMES) lengthsByFirstByte[name.charCodeAt(0)]! |= 1 << name.length;

/** A quick look at a name in UTF-8: false = surely not reserved. */
export function mayBeReserved(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  return length > 0 && length < 32 && ((lengthsByFirstByte[bytes[start]!]! >>> length) & 1) === 1;
}
