import { readLiteTopic, readMessageGroup, WireError, WireReader } from '@orbitmq/protocol';
import type { Call, Reply } from '@orbitmq/rpc';
import { passOn } from './pass-on.ts';
import type { RelayContext } from './relay-context.ts';
import { TextCache } from './text-cache.ts';

const REQUEST_MESSAGES = 1;
const MESSAGE_TOPIC = 1;
const MESSAGE_SYSTEM_PROPERTIES = 3;
const RESOURCE_NAME = 2;

/** What of a SendMessageRequest decides where it goes; the messages themselves stay bytes. */
export interface SendRequest {
  readonly bytes: Uint8Array;
  /** Topic of the first message; empty when there is none. */
  readonly topicName: string;
}

const topicNames = new TextCache();

/** @throws WireError */
export function decodeSendRequest(bytes: Uint8Array): SendRequest {
  const reader = new WireReader(bytes);
  let topicName = '';
  while (reader.next()) {
    if (!reader.isBytes(REQUEST_MESSAGES)) continue;
    reader.enter();
    while (reader.next()) {
      if (!reader.isBytes(MESSAGE_TOPIC)) continue;
      const messageEnd = reader.enter();
      topicName = '';
      while (reader.next()) {
        if (reader.isBytes(RESOURCE_NAME)) topicName = topicNames.textOf(bytes, reader.valueStart, reader.valueEnd);
      }
      reader.leave(messageEnd);
    }
    break;
  }
  return { bytes, topicName };
}

/**
 * Messages with the same one stay in order, and so go to the same broker: group or lite topic of the first message. What
 * is not readable has none, and is refused by whatever broker gets it.
 */
function orderKeyOf(bytes: Uint8Array): string | undefined {
  try {
    const reader = new WireReader(bytes);
    while (reader.next()) if (reader.isBytes(REQUEST_MESSAGES)) return orderKeyOfMessage(reader);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
  return undefined;
}

function orderKeyOfMessage(request: WireReader): string | undefined {
  let orderKey: string | undefined;
  request.enter();
  while (request.next()) {
    if (!request.isBytes(MESSAGE_SYSTEM_PROPERTIES)) continue;
    const system = request.value();
    orderKey = readMessageGroup(system) || readLiteTopic(system) || undefined;
  }
  return orderKey;
}

/**
 * SendMessage: to a broker where the topic can be written, the same one for a message group or a lite topic. Only a broker that
 * certainly got nothing is passed over for the next, where there is no order; when one may have the messages, the client decides.
 */
export function relaySend(context: RelayContext, request: SendRequest, call: Call, reply: Reply<Uint8Array>): void {
  const { bytes, topicName } = request;
  passOn(
    context.choice.takers(topicName, () => orderKeyOf(bytes)),
    bytes,
    call,
    reply,
  );
}
