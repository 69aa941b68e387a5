export { type AckRequest, type AckRequestEntry, decodeAckRequest, encodeAckAnswer } from './ack-request.ts';
export { CLIENT_ADDRESS_HEADER } from './client-address.ts';
export {
  type DeadLetterOrigin,
  encodeDeadLetterOrigin,
  encodeTopicField,
  readDeadLetterOrigin,
  readKeys,
} from './dead-letter.ts';
export { DEDUP_KEY_PROPERTY, DedupKeyReader } from './dedup-key.ts';
export { IncomingMessage } from './incoming-message.ts';
export {
  DEFAULT_MESSAGE_LIMITS,
  DERIVED_TOPIC_LENGTH_MAX,
  GROUP_LENGTH_MAX,
  INVISIBLE_MS_MAX,
  INVISIBLE_MS_MIN,
  LITE_TOPIC_LENGTH_MAX,
  type MessageLimits,
  POLLING_MS_MAX,
  POLLING_MS_MIN,
  RECEIVE_BATCH_SIZE_MAX,
  TOPIC_LENGTH_MAX,
} from './limits.ts';
export {
  LITE_CLIENT_QUOTA,
  LITE_EXPIRATION_ATTRIBUTE,
  LITE_GROUP_ATTRIBUTES,
  type LiteGroup,
  liteGroupOf,
} from './lite-group.ts';
export { digestBodies } from './md5/body-digests.ts';
export { MD5_BYTES } from './md5/md5-lanes.ts';
export { checkMessage, checkSameTopic } from './message-check.ts';
export {
  type ClientMessageId,
  encodeClientMessageId,
  encodeOffsetMessageId,
  type OffsetMessageId,
  parseClientMessageId,
  parseOffsetMessageId,
  parseUniqueKey,
  type UniqueKey,
} from './message-id.ts';
export { deriveMessageType, typesKnownTo } from './message-type.ts';
export {
  checkGroupName,
  checkKey,
  checkLiteTopicName,
  checkMessageGroup,
  checkTag,
  checkTopicForm,
  checkTopicName,
  DEAD_LETTER_TOPIC_PREFIX,
  isDerivedTopic,
  isSystemTopic,
  RETRY_TOPIC_PREFIX,
  SYSTEM_GROUP_PREFIX,
  SYSTEM_TOPIC_PREFIXES,
  SYSTEM_TOPICS,
} from './names.ts';
export { encodePassedSendRequest } from './passed-send-request.ts';
export { type PollingWish, pollingMs } from './polling-time.ts';
export { PropertyReader } from './property-reader.ts';
export { brokerNameOfRecallHandle, type RecallHandle, RecallHandleCodec } from './recall-handle.ts';
export { brokerNameOfHandle, type ReceiptHandle, ReceiptHandleCodec, ReceiptHandleOrigin } from './receipt-handle.ts';
export { RECEIVE_MODE_HEADER, type ReceiveMode, receiveModeOf } from './receive-mode.ts';
export {
  type DeliveryFacts,
  encodeReceiveDeliveryTimestamp,
  encodeReceivedMessage,
  encodeReceiveStatus,
  type StoredMessage,
} from './received-message.ts';
export { RESERVED_PROPERTY_NAMES } from './reserved-properties.ts';
export { decodeSendMessageRequest } from './send-request.ts';
export { brokerNameOfSigned, SignedTextCodec, type SignedTextKind } from './signed-text.ts';
export { StoredKeyReader } from './stored-keys.ts';
export { encodeStoredSystem, type StoringFacts } from './stored-system.ts';
export { readLiteTopic, readMessageGroup, readMessageId, readTag } from './system-properties.ts';
export {
  brokerNameOfTransaction,
  type ReadTransactionId,
  type TransactionId,
  TransactionIdCodec,
} from './transaction-id.ts';
export { WireError } from './wire/wire-error.ts';
export { WireReader } from './wire/wire-reader.ts';
export { varintSize, writeVarint } from './wire/wire-writer.ts';
