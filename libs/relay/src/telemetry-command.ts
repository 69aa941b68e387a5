import { CODES } from '@orbitmq/base';
import { WireReader } from '@orbitmq/protocol';
import { codeOfAnswer } from './answers.ts';

/** What an undecoded TelemetryCommand holds: the numbers of its fields. */
export const COMMAND_SETTINGS = 2;
export const COMMAND_RECONNECT_ENDPOINTS = 8;

const COMMAND_FIRST = 2;

/** Number of the field that says what a TelemetryCommand is; 0 when it says nothing. The last one counts. */
export function commandOf(bytes: Uint8Array): number {
  const reader = new WireReader(bytes);
  let command = 0;
  while (reader.next()) if (reader.fieldNumber >= COMMAND_FIRST) command = reader.fieldNumber;
  return command;
}

/** Whether the status of a command, which has the place of the status in all answers, is OK. */
export function isAccepted(bytes: Uint8Array): boolean {
  return codeOfAnswer(bytes) === CODES.OK;
}
