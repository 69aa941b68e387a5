import { MESSAGE, SYSTEM } from './system-properties.ts';
import { WireReader } from './wire/wire-reader.ts';
import { bufferOf, readText } from './wire/wire-text.ts';
import { bytesFieldSize, textSize, writeBytesHeader, writeTextField } from './wire/wire-writer.ts';

const DEAD_LETTER = { topic: 1, messageId: 2 } as const;
const RESOURCE = { name: 2 } as const;

/** Where a dead letter comes from: `SystemProperties.dead_letter_queue`. */
export interface DeadLetterOrigin {
  readonly topicName: string;
  /** Id that the producer gave it. */
  readonly messageId: string;
}

/** The field `dead_letter_queue`, to be put behind the other system properties of a message. */
export function encodeDeadLetterOrigin({ topicName, messageId }: DeadLetterOrigin): Buffer {
  const [topicSize, idSize] = [textSize(topicName), textSize(messageId)];
  const size = bytesFieldSize(DEAD_LETTER.topic, topicSize) + bytesFieldSize(DEAD_LETTER.messageId, idSize);
  const field = Buffer.allocUnsafe(bytesFieldSize(SYSTEM.deadLetterQueue, size));
  let at = writeBytesHeader(field, 0, SYSTEM.deadLetterQueue, size);
  at = writeTextField(field, at, DEAD_LETTER.topic, topicName, topicSize);
  writeTextField(field, at, DEAD_LETTER.messageId, messageId, idSize);
  return field;
}

/**
 * Where a stored message comes from; undefined when it is no dead letter.
 * @param system content of `Message.system_properties`
 * @throws WireError
 */
export function readDeadLetterOrigin(system: Uint8Array): DeadLetterOrigin | undefined {
  const reader = new WireReader(system);
  const bytes = bufferOf(system);
  let origin: DeadLetterOrigin | undefined;
  while (reader.next()) {
    if (!reader.isBytes(SYSTEM.deadLetterQueue)) continue;
    let [topicName, messageId] = ['', ''];
    const outerEnd = reader.enter();
    while (reader.next()) {
      if (reader.isBytes(DEAD_LETTER.topic)) topicName = readText(bytes, reader.valueStart, reader.valueEnd);
      else if (reader.isBytes(DEAD_LETTER.messageId)) messageId = readText(bytes, reader.valueStart, reader.valueEnd);
    }
    reader.leave(outerEnd);
    origin = { topicName, messageId };
  }
  return origin;
}

/** The field `topic` of a message that appears under another topic than it was sent to; it goes behind the other fields. */
export function encodeTopicField(topicName: string): Buffer {
  const nameSize = textSize(topicName);
  const size = bytesFieldSize(RESOURCE.name, nameSize);
  const field = Buffer.allocUnsafe(bytesFieldSize(MESSAGE.topic, size));
  const at = writeBytesHeader(field, 0, MESSAGE.topic, size);
  writeTextField(field, at, RESOURCE.name, topicName, nameSize);
  return field;
}

/**
 * Keys of a stored message.
 * @param system content of `Message.system_properties`
 * @throws WireError
 */
export function readKeys(system: Uint8Array): string[] {
  const reader = new WireReader(system);
  const bytes = bufferOf(system);
  const keys: string[] = [];
  while (reader.next()) {
    if (reader.isBytes(SYSTEM.keys)) keys.push(readText(bytes, reader.valueStart, reader.valueEnd));
  }
  return keys;
}
