import type { Clock, Random } from '@orbitmq/base';
import type { RecallHandleCodec, ReceiptHandleCodec, TransactionIdCodec } from '@orbitmq/protocol';
import type { Logger } from '@orbitmq/runtime';
import type { Shard } from '@orbitmq/shard';
import type { Agreements } from './agreements.ts';
import type { CheckIntervals } from './check-interval.ts';
import type { MessagingConfig } from './config.ts';
import type { MessagingEvents } from './events.ts';
import type { Filters } from './filters.ts';
import type { LiteClients } from './lite-clients.ts';
import type { Provision } from './provision.ts';
import type { Renewals } from './renewals.ts';
import type { RouteSource } from './route-source.ts';
import type { Sessions } from './sessions.ts';

/** What the handlers share. */
export interface MessagingContext {
  readonly shard: Shard;
  readonly routes: RouteSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly events: MessagingEvents;
  readonly config: MessagingConfig;
  readonly sessions: Sessions;
  readonly renewals: Renewals;
  readonly provision: Provision;
  readonly filters: Filters;
  readonly agreements: Agreements;
  readonly liteClients: LiteClients;
  readonly handles: ReceiptHandleCodec;
  readonly recallHandles: RecallHandleCodec;
  readonly transactionIds: TransactionIdCodec;
  readonly checkIntervals: CheckIntervals;
}
