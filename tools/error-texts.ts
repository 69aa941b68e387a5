import type { CodeName } from '@orbitmq/base';

/** What a code means to whoever gets it, and what to do. */
export interface ErrorText {
  readonly meaning: string;
  readonly remedy: string;
}

/** One text for every code of `base`; the compiler holds the two tables together. */
export const ERROR_TEXTS: Readonly<Record<CodeName, ErrorText>> = {
  OK: { meaning: 'Done. Under SYNC_FLUSH, what was sent is on the disk.', remedy: 'Nothing.' },
  MULTIPLE_RESULTS: {
    meaning: 'The entries of a batch ended differently.',
    remedy: 'Look at the status of each entry.',
  },
  BAD_REQUEST: {
    meaning: 'The request lacks something or contradicts itself; the message names the field and its value.',
    remedy: 'Correct the call. Repeating it as it is gives the same answer.',
  },
  ILLEGAL_ACCESS_POINT: {
    meaning: 'The endpoints that the client names are not usable.',
    remedy: 'Give the client the access point as host:port pairs separated by ";".',
  },
  ILLEGAL_TOPIC: {
    meaning:
      'The topic name is empty, too long, reserved, or has characters other than letters, digits, "_", "-" and "%".',
    remedy: 'Use another name of at most 127 characters.',
  },
  ILLEGAL_CONSUMER_GROUP: {
    meaning: 'The name of the consumer group is empty, too long, reserved, or has characters that are not allowed.',
    remedy: 'Use another name.',
  },
  ILLEGAL_MESSAGE_TAG: { meaning: 'The tag is blank, or holds "|" or control characters.', remedy: 'Use another tag.' },
  ILLEGAL_MESSAGE_KEY: { meaning: 'A key is blank or holds control characters.', remedy: 'Use other keys.' },
  ILLEGAL_MESSAGE_GROUP: {
    meaning: 'The message group is blank, too long, or holds control characters.',
    remedy: 'Use another message group of less than 64 bytes.',
  },
  ILLEGAL_MESSAGE_PROPERTY_KEY: {
    meaning: 'A user property has an empty name, a reserved one, or one with control characters.',
    remedy: 'Rename the property.',
  },
  INVALID_TRANSACTION_ID: {
    meaning: 'The transaction id was not given out for this message, or its transaction ended otherwise.',
    remedy: 'End a transaction once, with the id that its send returned; the text says what became of it.',
  },
  ILLEGAL_MESSAGE_ID: {
    meaning: 'The message id is missing, too long, or used twice in a batch.',
    remedy: 'Let the client library make the ids.',
  },
  ILLEGAL_FILTER_EXPRESSION: {
    meaning: 'The filter expression of a subscription is malformed, or of a kind that is not served.',
    remedy: 'Use "*" or tags separated by "||".',
  },
  ILLEGAL_INVISIBLE_TIME: {
    meaning: 'The invisible duration is too short or too long.',
    remedy: 'Use 10 seconds to 12 hours.',
  },
  ILLEGAL_DELIVERY_TIME: {
    meaning: 'The delivery time is too far ahead.',
    remedy: 'Use a time within the limit that the message names.',
  },
  INVALID_RECEIPT_HANDLE: {
    meaning:
      'The receipt handle is malformed, forged, of another group or topic, or the message was handed out again since.',
    remedy: 'Acknowledge with the handle of the newest delivery; the message comes again otherwise.',
  },
  MESSAGE_PROPERTY_CONFLICT_WITH_TYPE: {
    meaning: 'What the message carries does not go with its type, or the topic takes another type.',
    remedy: 'Send to a topic of that type, or leave out the property that the message names.',
  },
  UNRECOGNIZED_CLIENT_TYPE: {
    meaning: 'The settings or heartbeat name no client type that is served here.',
    remedy: 'Use a producer, push consumer or simple consumer.',
  },
  MESSAGE_CORRUPTED: {
    meaning: 'The digest of the body does not fit the body.',
    remedy: 'Send again; look for what changes bytes on the way.',
  },
  CLIENT_ID_REQUIRED: {
    meaning: 'The call has no x-mq-client-id.',
    remedy: 'Use an official client, which sends it, or add that metadata.',
  },
  ILLEGAL_POLLING_TIME: {
    meaning: 'The long-polling time of a receive is out of range, or beyond the deadline of the call.',
    remedy: 'Use 5 to 20 seconds and a later deadline.',
  },
  ILLEGAL_OFFSET: { meaning: 'The offset is not one that the queue has.', remedy: 'Query the range of the queue.' },
  ILLEGAL_LITE_TOPIC: { meaning: 'The name of a lite topic is not allowed.', remedy: 'Use another name.' },
  INVALID_CLIENT_PROPERTIES: {
    meaning: 'The metadata of the call is malformed.',
    remedy: 'Use an official client, or correct the metadata that the message names.',
  },
  UNAUTHORIZED: { meaning: 'The call has no valid signature.', remedy: 'Give the client its credentials.' },
  FORBIDDEN: {
    meaning:
      'It is not allowed now: the topic or broker lacks the permission, or the disk is beyond its watermark. The message says which.',
    remedy: 'Change the permission, or make room on the disk; sends go on by themselves then.',
  },
  NOT_FOUND: { meaning: 'There is no such thing.', remedy: 'Look at the name in the message.' },
  MESSAGE_NOT_FOUND: {
    meaning: 'No message is there now: the long poll ended without one.',
    remedy: 'Poll again; clients do so by themselves.',
  },
  TOPIC_NOT_FOUND: {
    meaning: 'There is no such topic, and it is not made by itself here.',
    remedy: 'Create it: mqadmin updateTopic -c CLUSTER -t TOPIC.',
  },
  CONSUMER_GROUP_NOT_FOUND: {
    meaning: 'There is no such consumer group, and it is not made by itself here.',
    remedy: 'Create it: mqadmin updateSubGroup -c CLUSTER -g GROUP.',
  },
  OFFSET_NOT_FOUND: {
    meaning: 'Nothing is stored at that offset any more, or yet.',
    remedy: 'Query the range of the queue.',
  },
  MESSAGE_BODY_TOO_LARGE: {
    meaning: 'The body is larger than maxMessageSize.',
    remedy: 'Send less, compress, or raise maxMessageSize on all brokers.',
  },
  MESSAGE_BODY_EMPTY: { meaning: 'The message has no body.', remedy: 'Send at least one byte.' },
  TOO_MANY_REQUESTS: {
    meaning:
      'A limit is reached: the disk is behind, or too many clients, polls or messages are open. Nothing was stored.',
    remedy: 'Try again after a pause; clients back off by themselves.',
  },
  LITE_TOPIC_QUOTA_EXCEEDED: {
    meaning: 'The message would make a new lite topic, and the broker holds as many as it may.',
    remedy: 'Give the parent topic a `lite.topic.expiration`, or let the operator raise `liteTopicMax`.',
  },
  LITE_SUBSCRIPTION_QUOTA_EXCEEDED: {
    meaning: 'A client, or all clients of the broker together, have subscribed to as many lite topics as they may.',
    remedy: 'Unsubscribe from lite topics that are not needed, or let the operator raise the quota.',
  },
  MESSAGE_PROPERTIES_TOO_LARGE: {
    meaning: 'The user properties are too many or too large.',
    remedy: 'Move data into the body.',
  },
  INTERNAL_ERROR: { meaning: 'Something failed inside.', remedy: 'Look at the log of the broker.' },
  INTERNAL_SERVER_ERROR: {
    meaning: 'The broker could not go on with this call; whether a message was stored is not known.',
    remedy: 'Send again, prepared for a duplicate; look at the log of the broker.',
  },
  HA_NOT_AVAILABLE: {
    meaning: 'Too few copies of the shard are in sync. Nothing was stored.',
    remedy: 'Bring the replicas back, or lower minInSyncReplicas by name.',
  },
  NOT_IMPLEMENTED: {
    meaning: 'This version does not serve that.',
    remedy: 'The README says what works today.',
  },
  PROXY_TIMEOUT: {
    meaning: 'A name server or broker did not answer in time; whether a message was stored is not known.',
    remedy: 'Send again, prepared for a duplicate.',
  },
  MASTER_PERSISTENCE_TIMEOUT: {
    meaning: 'The disk did not take the message in time; whether it is stored is not known.',
    remedy: 'Send again, prepared for a duplicate; look at the disk.',
  },
  SLAVE_PERSISTENCE_TIMEOUT: {
    meaning: 'A replica did not take the message in time; whether it is stored there is not known.',
    remedy: 'Send again, prepared for a duplicate; look at the replicas.',
  },
  UNSUPPORTED: {
    meaning: 'This server never serves that.',
    remedy: 'Use what the message names instead.',
  },
};
