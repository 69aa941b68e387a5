export { type BrokerConfig, brokerConfigSpec } from './config/spec.ts';
