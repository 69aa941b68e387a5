import { isUtf8 } from 'node:buffer';
import { LastText } from './wire/last-text.ts';
import { WireError } from './wire/wire-error.ts';
import { WireReader } from './wire/wire-reader.ts';
import { bufferOf } from './wire/wire-text.ts';
import { bytesFieldSize, writeBytesHeader } from './wire/wire-writer.ts';

const REQUEST = { group: 1, topic: 2, entries: 3 } as const;
const RESOURCE_NAME = 2;
/** The same in an entry of the request and in one of the answer. */
const ENTRY = { messageId: 1, receiptHandle: 2, status: 3 } as const;
const ANSWER = { status: 1, entries: 2 } as const;
/** Entries beyond this are not even looked at: two bytes on the wire would become an object each. */
const ENTRY_COUNT_MAX = 65_535;
const ASCII_MAX = 0x7f;
const NOTHING = Buffer.alloc(0);

/** Used again and again; what is read in between names the same group and topic most of the time. */
const reader = new WireReader(NOTHING);
const groupNames = new LastText();
const topicNames = new LastText();

/** Where the texts of an entry lie in the bytes of its request; empty where it lacks one. */
export interface AckRequestEntry {
  readonly idStart: number;
  readonly idEnd: number;
  readonly handleStart: number;
  readonly handleEnd: number;
}

/** An `AckMessageRequest` whose entries stay bytes. */
export interface AckRequest {
  /** '' when there is none. */
  readonly groupName: string;
  /** '' when there is none. */
  readonly topicName: string;
  /** The request as it came. */
  readonly bytes: Buffer;
  readonly entries: readonly AckRequestEntry[];
}

/**
 * Walks an `AckMessageRequest` without making texts of ids and handles: the answer repeats them as they came.
 * @param bytes never written; the result holds a view of them
 * @throws WireError when the bytes are no such request, or hold more than 65,535 entries
 */
export function decodeAckRequest(bytes: Uint8Array): AckRequest {
  const buffer = bufferOf(bytes);
  reader.open(buffer);
  try {
    return readRequest(buffer);
  } finally {
    reader.open(NOTHING);
  }
}

function readRequest(bytes: Buffer): AckRequest {
  let groupName = '';
  let topicName = '';
  const entries: AckRequestEntry[] = [];
  while (reader.next()) {
    if (reader.isBytes(REQUEST.group)) groupName = readName(groupNames, bytes, groupName);
    else if (reader.isBytes(REQUEST.topic)) topicName = readName(topicNames, bytes, topicName);
    else if (reader.isBytes(REQUEST.entries)) {
      if (entries.length === ENTRY_COUNT_MAX) {
        throw new WireError(`more than ${ENTRY_COUNT_MAX} entries in one request`, reader.fieldStart);
      }
      entries.push(readEntry(bytes));
    }
  }
  return { groupName, topicName, bytes, entries };
}

/**
 * An `AckMessageResponse` with a result for each entry of a request.
 * @param status content of a `Status`, of the call as a whole
 * @param results contents of a `Status` for each entry
 */
export function encodeAckAnswer(
  status: Uint8Array,
  { bytes, entries }: AckRequest,
  results: readonly Uint8Array[],
): Uint8Array {
  let size = bytesFieldSize(ANSWER.status, status.length);
  for (let index = 0; index < entries.length; index++) {
    size += bytesFieldSize(ANSWER.entries, resultSize(entries[index]!, results[index]!));
  }
  const answer = Buffer.allocUnsafe(size);
  let at = writeBytesField(answer, 0, ANSWER.status, status, 0, status.length);
  for (let index = 0; index < entries.length; index++) {
    const { idStart, idEnd, handleStart, handleEnd } = entries[index]!;
    const result = results[index]!;
    at = writeBytesHeader(answer, at, ANSWER.entries, resultSize(entries[index]!, result));
    if (idEnd > idStart) at = writeBytesField(answer, at, ENTRY.messageId, bytes, idStart, idEnd);
    if (handleEnd > handleStart) at = writeBytesField(answer, at, ENTRY.receiptHandle, bytes, handleStart, handleEnd);
    at = writeBytesField(answer, at, ENTRY.status, result, 0, result.length);
  }
  return answer;
}

function resultSize({ idStart, idEnd, handleStart, handleEnd }: AckRequestEntry, result: Uint8Array): number {
  let size = bytesFieldSize(ENTRY.status, result.length);
  if (idEnd > idStart) size += bytesFieldSize(ENTRY.messageId, idEnd - idStart);
  if (handleEnd > handleStart) size += bytesFieldSize(ENTRY.receiptHandle, handleEnd - handleStart);
  return size;
}

function writeBytesField(
  target: Buffer,
  position: number,
  fieldNumber: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  const at = writeBytesHeader(target, position, fieldNumber, end - start);
  // So short that a loop takes less than to make a view to be copied.
  for (let index = start; index < end; index++) target[at + index - start] = source[index]!;
  return at + end - start;
}

/** Name of the current field, a `Resource`. @param before name of the same field when it has come before: the two are one */
function readName(names: LastText, bytes: Buffer, before: string): string {
  let name = before;
  const outerEnd = reader.enter();
  while (reader.next()) if (reader.isBytes(RESOURCE_NAME)) name = names.read(bytes, reader.valueStart, reader.valueEnd);
  reader.leave(outerEnd);
  return name;
}

function readEntry(bytes: Buffer): AckRequestEntry {
  const entry = { idStart: 0, idEnd: 0, handleStart: 0, handleEnd: 0 };
  const outerEnd = reader.enter();
  while (reader.next()) {
    const { valueStart, valueEnd } = reader;
    if (reader.isBytes(ENTRY.messageId)) {
      checkText(bytes, valueStart, valueEnd);
      entry.idStart = valueStart;
      entry.idEnd = valueEnd;
    } else if (reader.isBytes(ENTRY.receiptHandle)) {
      checkText(bytes, valueStart, valueEnd);
      entry.handleStart = valueStart;
      entry.handleEnd = valueEnd;
    }
  }
  reader.leave(outerEnd);
  return entry;
}

/** @throws WireError when it is not UTF-8 */
function checkText(bytes: Buffer, start: number, end: number): void {
  for (let index = start; index < end; index++) {
    if (bytes[index]! <= ASCII_MAX) continue;
    if (!isUtf8(bytes.subarray(start, end))) throw new WireError('text that is not UTF-8', start);
    return;
  }
}
