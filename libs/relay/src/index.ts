export {
  type ClusterAddress,
  type DialledAddressOptions,
  ROUTE_MODES,
  type RouteMode,
} from './dialled-address.ts';
export { Relay, type RelayOptions } from './relay.ts';
