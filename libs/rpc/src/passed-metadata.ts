import { CLIENT_ADDRESS_HEADER } from '@orbitmq/protocol';
import type { Call } from './service.ts';

const INTERNAL_PREFIX = 'x-orbitmq-';

/** Headers that belong to one connection or to gRPC itself. */
const HOP_HEADERS: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

/** The metadata of a client's call, as its broker gets it. */
export function passedMetadata(call: Call): [string, string][] {
  const passed: [string, string][] = [];
  for (const [key, value] of call.metadata.entries()) {
    if (HOP_HEADERS.has(key) || key.startsWith(':') || key.startsWith('grpc-')) continue;
    if (!key.startsWith(INTERNAL_PREFIX)) passed.push([key, value]);
  }
  passed.push([CLIENT_ADDRESS_HEADER, call.peer]);
  return passed;
}
