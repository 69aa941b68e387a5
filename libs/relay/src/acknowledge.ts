import { CODES, MqError } from '@orbitmq/base';
import { WireReader } from '@orbitmq/protocol';
import {
  type AckMessageEntry,
  AckMessageRequest,
  AckMessageResponse,
  type AckMessageResultEntry,
  Code,
  type Status,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call, Reply } from '@orbitmq/rpc';
import { decodedAnswer, partFailureOf, statusOf } from './answers.ts';
import type { Broker, Brokers } from './brokers.ts';
import { firstReachable } from './first-reachable.ts';
import { forward } from './forward.ts';
import { passOn, refuse } from './pass-on.ts';
import type { RelayContext } from './relay-context.ts';
import { ownersOf } from './settle.ts';

const REQUEST_ENTRIES = 3;
const ENTRY_RECEIPT_HANDLE = 2;

/** An AckMessageRequest as it came, with what decides where it goes. */
export type AckRequest =
  | { readonly bytes: Uint8Array; readonly owner: Broker }
  /** No broker has handed all of its messages out, as far as can be seen at once. */
  | { readonly bytes: Uint8Array; readonly owner: undefined; readonly content: AckMessageRequest };

/** @throws WireError, and what the generated decoder throws, for what can't be read */
export function decodeAckRequest({ brokers }: RelayContext, bytes: Uint8Array): AckRequest {
  const owner = onlyOwner(brokers, bytes);
  return owner ? { bytes, owner } : { bytes, owner, content: AckMessageRequest.decode(bytes) };
}

/** The broker that all handles of a request begin with, as nearly always there is one. @throws WireError */
function onlyOwner(brokers: Brokers, bytes: Uint8Array): Broker | undefined {
  const reader = new WireReader(bytes);
  let owner: Broker | undefined;
  while (reader.next()) {
    if (!reader.isBytes(REQUEST_ENTRIES)) continue;
    let found: Broker | undefined;
    const requestEnd = reader.enter();
    while (reader.next()) {
      if (reader.isBytes(ENTRY_RECEIPT_HANDLE)) found = brokers.ofHandle(bytes, reader.valueStart, reader.valueEnd);
    }
    reader.leave(requestEnd);
    if (found === undefined || (owner !== undefined && found !== owner)) return undefined;
    owner = found;
  }
  return owner;
}

/** Entries that go to the same broker. */
interface Part {
  readonly owners: readonly Broker[];
  /** Positions in the client's request. */
  readonly positions: number[];
}

/** AckMessage: each entry to the broker that handed its message out, and the results together in the client's order. */
export function relayAck(context: RelayContext, request: AckRequest, call: Call, reply: Reply<Uint8Array>): void {
  if (request.owner) {
    passOn([request.owner], request.bytes, call, reply);
    return;
  }
  relayParts(context, request.bytes, request.content, call).then(
    (answer) => reply.respond(answer),
    (error) => refuse(reply, error),
  );
}

async function relayParts(
  context: RelayContext,
  bytes: Uint8Array,
  request: AckMessageRequest,
  call: Call,
): Promise<Uint8Array> {
  const { entries, topic } = request;
  const results = new Array<AckMessageResultEntry | undefined>(entries.length);
  const parts = new Map<string, Part>();
  for (const [position, entry] of entries.entries()) {
    try {
      const owners = await ownersOf(context, entry.receiptHandle, topic?.name ?? '');
      const part = parts.get(owners[0]!.name);
      if (part) part.positions.push(position);
      else parts.set(owners[0]!.name, { owners, positions: [position] });
    } catch (error) {
      results[position] = resultOf(entry, statusOfFailure(error));
    }
  }
  const [only] = parts.values();
  if (entries.length === 0 || (parts.size === 1 && only!.positions.length === entries.length)) {
    const owners = only?.owners ?? (await context.choice.candidates(topic?.name ?? '', 'read'));
    return firstReachable(owners, (broker) => forward(broker, bytes, call));
  }
  await Promise.all([...parts.values()].map((part) => acknowledgePart(part, request, call, results)));
  return AckMessageResponse.encode({
    status: overall(results as AckMessageResultEntry[]),
    entries: results as AckMessageResultEntry[],
  }).finish();
}

async function acknowledgePart(
  part: Part,
  request: AckMessageRequest,
  call: Call,
  results: (AckMessageResultEntry | undefined)[],
): Promise<void> {
  const entries = part.positions.map((position) => request.entries[position]!);
  const bytes = AckMessageRequest.encode({ ...request, entries }).finish();
  let answered: readonly AckMessageResultEntry[] = [];
  let status: Status | undefined;
  try {
    const answer = await firstReachable(part.owners, (broker) => forward(broker, bytes, call));
    const response = decodedAnswer(AckMessageResponse, answer);
    answered = response.entries;
    status = response.status;
  } catch (error) {
    status = statusOf(partFailureOf(error, part.owners[0]!.name));
  }
  for (const [index, position] of part.positions.entries()) {
    results[position] = answered[index] ?? resultOf(entries[index]!, status);
  }
}

function resultOf(entry: AckMessageEntry, status: Status | undefined): AckMessageResultEntry {
  return { messageId: entry.messageId, receiptHandle: entry.receiptHandle, status };
}

/** The status of an entry whose broker did not answer. @throws what is no MqError */
function statusOfFailure(error: unknown): Status {
  if (error instanceof MqError) return statusOf(error);
  throw error;
}

/** The code that all entries share; otherwise the client is told to look at each. */
function overall(results: readonly AckMessageResultEntry[]): Status {
  const codes = new Set(results.map((result) => result.status?.code));
  if (codes.size > 1) return { code: Code.MULTIPLE_RESULTS, message: 'The entries have different results; see each.' };
  return results[0]?.status ?? { code: CODES.OK, message: 'OK' };
}
