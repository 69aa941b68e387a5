import { readLiteTopic, readMessageGroup, WireReader } from '@orbitmq/protocol';
import type { Call } from '@orbitmq/rpc';
import { firstReachable } from './first-reachable.ts';
import { forward } from './forward.ts';
import type { RelayContext } from './relay-context.ts';

const REQUEST_MESSAGES = 1;
const MESSAGE_TOPIC = 1;
const MESSAGE_SYSTEM_PROPERTIES = 3;
const RESOURCE_NAME = 2;

/** What of a SendMessageRequest decides where it goes; the messages themselves stay bytes. */
export interface SendRequest {
  readonly bytes: Uint8Array;
  /** Topic of the first message; empty when there is none. */
  readonly topicName: string;
  /** Messages with the same one stay in order, and so go to the same broker. */
  readonly orderKey: string | undefined;
}

/** @throws WireError */
export function decodeSendRequest(bytes: Uint8Array): SendRequest {
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.isBytes(REQUEST_MESSAGES)) return { bytes, ...readMessage(reader) };
  }
  return { bytes, topicName: '', orderKey: undefined };
}

function readMessage(request: WireReader): { topicName: string; orderKey: string | undefined } {
  let topicName = '';
  let orderKey: string | undefined;
  request.enter();
  while (request.next()) {
    if (request.isBytes(MESSAGE_TOPIC)) topicName = readResourceName(request.value());
    else if (request.isBytes(MESSAGE_SYSTEM_PROPERTIES)) orderKey = orderKeyOf(request.value());
  }
  return { topicName, orderKey };
}

function orderKeyOf(system: Uint8Array): string | undefined {
  return readMessageGroup(system) || readLiteTopic(system) || undefined;
}

function readResourceName(bytes: Uint8Array): string {
  const reader = new WireReader(bytes);
  let name = '';
  while (reader.next()) if (reader.isBytes(RESOURCE_NAME)) name = Buffer.from(reader.value()).toString();
  return name;
}

/**
 * SendMessage: to a broker where the topic can be written, the same one for a message group or a lite topic. Only a broker that
 * certainly got nothing is passed over for the next; when one may have the messages, the client decides.
 */
export async function relaySend(context: RelayContext, request: SendRequest, call: Call): Promise<Uint8Array> {
  const candidates = await context.choice.candidates(request.topicName, 'write', request.orderKey);
  return firstReachable(candidates, (broker) => forward(broker, request.bytes, call));
}
