export { DEFAULT_RETRY_POLICY } from './backoff.ts';
export type { ClientLanguage } from './caller.ts';
export {
  MESSAGING_DEFAULTS,
  type MessagingConfig,
  type MessagingLimits,
  type MessagingTimes,
} from './config.ts';
export type { Connection } from './connections.ts';
export { type MessagingEvents, NO_MESSAGING_EVENTS, type TransactionEvents } from './events.ts';
export {
  createMessagingService,
  type MessagingGauges,
  type MessagingService,
  type MessagingServiceOptions,
} from './messaging-service.ts';
export { MisdirectedCalls, type MisdirectedCallsOptions } from './misdirected-calls.ts';
export { CREATABLE_MESSAGE_TYPES, type OwnRouteOptions, ownRoutes, type RouteSource } from './route-source.ts';
