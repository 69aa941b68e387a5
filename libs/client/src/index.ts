export { AdminClient, type AdminClientOptions } from './admin-client.ts';
export { BrokerRegistration, type BrokerRegistrationOptions } from './broker-registration.ts';
export { ClusterClient } from './cluster-client.ts';
export { type NameServer, NameServers, type NameServersOptions } from './name-servers.ts';
export type { RegistrationSource } from './registration-source.ts';
export { RouteClient, type RouteClientOptions, type TopicRoute } from './route-client.ts';
