import type { Clock } from '@orbitmq/base';
import type { RouteLookup } from '@orbitmq/routing';
import type { Logger } from '@orbitmq/runtime';
import type { BrokerChoice } from './broker-choice.ts';
import type { Brokers } from './brokers.ts';
import type { DialledAddress } from './dialled-address.ts';

/** What the handlers of the relay share. */
export interface RelayContext {
  readonly brokers: Brokers;
  readonly choice: BrokerChoice;
  readonly lookup: RouteLookup;
  readonly dialled: DialledAddress;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Requests and answers that stay bytes. */
export const RAW = {
  decode: (bytes: Uint8Array): Uint8Array => bytes,
  encode: (bytes: Uint8Array): Uint8Array => bytes,
};
