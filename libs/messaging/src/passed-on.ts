import { CLIENT_ADDRESS_HEADER } from '@orbitmq/protocol';
import type { Call } from '@orbitmq/rpc';

/** Marks a call that a broker has passed on, so that it is not passed on again. */
const PASSED_ON_HEADER = 'x-orbitmq-passed-on';

/** Another broker has passed this call on. */
export function isPassedOn(call: Call): boolean {
  return call.metadata.get(PASSED_ON_HEADER) !== undefined;
}

/** What clients say about themselves, and where they are, for a call that is passed on. */
export function metadataOf(call: Call): [string, string][] {
  const passed: [string, string][] = [];
  for (const [key, value] of call.metadata.entries()) {
    if (key.startsWith('x-mq-') || key === 'authorization') passed.push([key, value]);
  }
  passed.push([CLIENT_ADDRESS_HEADER, call.metadata.get(CLIENT_ADDRESS_HEADER) ?? call.peer], [PASSED_ON_HEADER, '1']);
  return passed;
}
