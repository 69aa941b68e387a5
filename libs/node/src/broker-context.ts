import type { ServiceContext } from '@orbitmq/runtime';
import type { brokerKeys } from './config/keys.ts';

/** What a broker is composed in. */
export type BrokerContext = ServiceContext<typeof brokerKeys>;
