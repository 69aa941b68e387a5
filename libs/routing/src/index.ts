export { isAutoCreatable } from './auto-create.ts';
export { type BrokerEntry, compareAge, PERMISSION_WRITE, type Registration } from './broker-entry.ts';
export { RegistrationError, type RegistrationFault } from './registration-error.ts';
export { TOPICS_PER_BROKER_MAX, TOPICS_PER_MESSAGE_MAX } from './registration-rules.ts';
export { RegistrationSession } from './registration-session.ts';
export type { Route } from './route.ts';
export { RouteLookup } from './route-lookup.ts';
export { type Placement, RouteTable, type RouteTableOptions } from './route-table.ts';
