export type { BrokerContext } from './broker-context.ts';
export { composeBroker } from './compose.ts';
export { type BrokerConfig, brokerConfigSpec, replicaConfigSpec } from './config/spec.ts';
export { brokerMetricDefinitions } from './observation.ts';
