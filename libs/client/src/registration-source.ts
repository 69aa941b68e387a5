import type { BrokerIdentity, BrokerStatus, Topic } from '@orbitmq/protocol/orbitmq.route.v1';

/** What a broker tells name servers about itself; read again for each registration and after each change. */
export interface RegistrationSource {
  identity(): BrokerIdentity;
  status(): BrokerStatus;
  /** Topics that clients may use, in any order. */
  topics(): Iterable<Topic>;
}
