import { CLIENT_ADDRESS_HEADER } from '@orbitmq/protocol';
import type { Call } from './service.ts';
import { isTransportHeader } from './transport-headers.ts';

const INTERNAL_PREFIX = 'x-orbitmq-';

/** Whether a header of a client's call is for its broker. */
export function isPassedHeader(name: string): boolean {
  return !isTransportHeader(name) && !name.startsWith(INTERNAL_PREFIX);
}

/** The metadata of a client's call, as its broker gets it: pairs, made when somebody looks. */
export class PassedMetadata implements Iterable<readonly [string, string]> {
  readonly call: Call;
  /** What the broker gets besides. */
  readonly added: readonly [string, string] | undefined;

  constructor(call: Call, added?: readonly [string, string]) {
    this.call = call;
    this.added = added;
  }

  *[Symbol.iterator](): Iterator<readonly [string, string]> {
    for (const pair of this.call.metadata.entries()) if (isPassedHeader(pair[0])) yield pair;
    yield [CLIENT_ADDRESS_HEADER, this.call.peer];
    if (this.added) yield this.added;
  }
}

/** The metadata of a client's call, as its broker gets it. @param added a pair that it gets besides */
export function passedMetadata(call: Call, added?: readonly [string, string]): PassedMetadata {
  return new PassedMetadata(call, added);
}
