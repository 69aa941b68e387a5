export { CLIENT_ADDRESS_HEADER } from './passed-metadata.ts';
export { Relay, type RelayOptions } from './relay.ts';
