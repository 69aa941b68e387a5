const NOTHING = Buffer.alloc(0);

/**
 * One message of a `SendMessageRequest`: what the server has to look at, and the rest as the bytes that came. Texts are
 * checked to be UTF-8 and sub-messages to be well-formed, so that no consumer trips over what is stored.
 */
export class IncomingMessage {
  /** Empty when the request names none. */
  topicName = '';
  topicNamespace = '';
  /** All fields of `Message` but the system properties, tags and lengths included; unknown ones too. */
  rest: Uint8Array = NOTHING;
  /** Content of `Message.system_properties` without the fields that only the server sets; unknown ones stay. */
  system: Uint8Array = NOTHING;
  /** Content of `Message.body`; a view of the request. */
  body: Uint8Array = NOTHING;

  userPropertyCount = 0;
  /** UTF-8 bytes of all keys and values. */
  userPropertyBytes = 0;
  /** Key of the first user property that is refused: a reserved key, or a control character in key or value. */
  offendingPropertyKey: string | undefined = undefined;

  tag: string | undefined = undefined;
  tagBytes = 0;
  keyCount = 0;
  /** UTF-8 bytes of all keys. */
  keyBytes = 0;
  /** First key that is blank or holds a control character. */
  offendingKey: string | undefined = undefined;
  /** UTF-8 bytes of the message id; 0 when there is none. */
  messageIdBytes = 0;
  /** There is no message id, or one of white space only. */
  isMessageIdBlank = true;
  /** A number of the enum Encoding, or one that we don't know. */
  bodyEncoding = 0;
  /** A number of the enum MessageType, or one that we don't know. */
  messageType = 0;
  /** Milliseconds since 1970; undefined when absent, NaN when it is no valid time. */
  bornTimestampMs: number | undefined = undefined;
  /** Empty when there is none. */
  bornHost = '';
  /** Milliseconds since 1970; undefined when absent, NaN when it is no valid time. */
  deliveryTimestampMs: number | undefined = undefined;
  messageGroup: string | undefined = undefined;
  messageGroupBytes = 0;
  /** `orphaned_transaction_recovery_duration`, milliseconds; undefined when absent, NaN when it is no valid duration. */
  recoveryDurationMs: number | undefined = undefined;
  liteTopic: string | undefined = undefined;
  priority: number | undefined = undefined;

  readonly #request: Buffer;
  #messageIdStart = 0;
  #messageId: string | undefined = '';

  /** @param request bytes that the message is read from */
  constructor(request: Buffer) {
    this.#request = request;
  }

  /** Empty when there is none. */
  get messageId(): string {
    const start = this.#messageIdStart;
    this.#messageId ??= this.#request.toString('utf8', start, start + this.messageIdBytes);
    return this.#messageId;
  }

  /** For the decoder: where the message id lies in the request. It is UTF-8. */
  setMessageId(start: number, end: number, hasText: boolean): void {
    this.#messageIdStart = start;
    this.#messageId = undefined;
    this.messageIdBytes = end - start;
    this.isMessageIdBlank = !hasText;
  }

  /** Writes the `messageIdBytes` of the message id. */
  copyMessageId(target: Uint8Array, position: number): void {
    const request = this.#request;
    const start = this.#messageIdStart;
    for (let index = 0; index < this.messageIdBytes; index++) target[position + index] = request[start + index]!;
  }
}
