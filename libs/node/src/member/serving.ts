import { adminMethods } from '@orbitmq/admin';
import { systemClock } from '@orbitmq/base';
import type { NameServers } from '@orbitmq/client';
import { type MessagingService, MisdirectedCalls } from '@orbitmq/messaging';
import { BrokerAdminDefinition } from '@orbitmq/protocol/orbitmq.admin.v1';
import { unary } from '@orbitmq/rpc';
import type { OpenedShard } from '@orbitmq/shard';
import type { BrokerContext } from '../broker-context.ts';
import { BrokerStatusReport, processEntries } from '../broker-status.ts';
import type { BrokerObservation } from '../observation.ts';
import { openMessaging, routesOf } from '../open-messaging.ts';
import { GROUP_DEFAULTS } from '../tenure/group-defaults.ts';
import type { TenureTask } from '../tenure/tenure-task.ts';
import type { DeliveryHold } from './delivery-hold.ts';
import { heldCalls } from './held-calls.ts';
import type { LeaderCalls } from './leader-calls.ts';
import type { Tenure } from './member-options.ts';

/** What a member serves in, whatever its role. */
export interface ServingOptions {
  readonly context: BrokerContext;
  readonly nameServers: NameServers;
  readonly observation: BrokerObservation;
  /** Calls of clients. */
  readonly clientCalls: LeaderCalls;
  /** Calls of operators. */
  readonly adminCalls: LeaderCalls;
  readonly startedMs: number;
  /** In the order in which they begin. */
  readonly tasks: readonly TenureTask[];
  /** Topics of the shard have changed. */
  onTopicsChange(): void;
}

interface Parts {
  readonly messaging: MessagingService;
  readonly misdirected: MisdirectedCalls;
  readonly status: BrokerStatusReport;
}

/** The services over a shard that this member leads: made for a tenure, gone with it. */
export class Serving {
  readonly #options: ServingOptions;
  #parts: Parts | undefined;

  constructor(options: ServingOptions) {
    this.#options = options;
  }

  /** Serves a tenure from now on; once more, goes on with it after a pause. */
  begin({ shard, hold }: Tenure): void {
    const { adminCalls, onTopicsChange, context } = this.#options;
    if (this.#parts !== undefined) {
      this.#serveClients(this.#parts, hold);
      return;
    }
    const parts = this.#open(shard);
    shard.onMetadataChange(onTopicsChange);
    for (const task of this.#options.tasks) task.begin(shard);
    this.#serveClients(parts, hold);
    adminCalls.serveHere(
      adminMethods({
        shard,
        clients: parts.messaging,
        endTransaction: (topic, half, end) => parts.messaging.endTransaction(topic, half, end),
        clock: systemClock,
        groupDefaults: GROUP_DEFAULTS,
        status: () => parts.status.entries(),
        config: () => Object.entries(context.configTexts),
      }),
    );
  }

  /** Serves consumers in the place of the leader from now on; operators ask that one. */
  beginActing(shard: OpenedShard): void {
    this.#serveClients(this.#open(shard), undefined);
  }

  #open(shard: OpenedShard): Parts {
    const { context, nameServers, observation, startedMs } = this.#options;
    const routes = routesOf(context.config, shard, nameServers);
    const messaging = openMessaging(context, shard, routes, observation);
    const misdirected = new MisdirectedCalls({
      brokerName: context.config.brokerName,
      routes,
      clock: systemClock,
      events: observation.messagingEvents,
    });
    const status = new BrokerStatusReport(shard, startedMs);
    status.start();
    observation.shard = shard;
    observation.messaging = messaging;
    this.#parts = { messaging, misdirected, status };
    return this.#parts;
  }

  #serveClients({ misdirected, messaging }: Parts, hold: DeliveryHold | undefined): void {
    const methods = misdirected.wrap(messaging.methods);
    this.#options.clientCalls.serveHere(hold === undefined || hold.isOver ? methods : heldCalls(methods, hold));
  }

  /** Nothing is served here from now on; what comes waits for the next leader. Idempotent. */
  end(): void {
    const { observation, clientCalls, tasks } = this.#options;
    for (const task of tasks) task.end();
    const parts = this.#parts;
    this.#parts = undefined;
    clientCalls.pause();
    this.followerAdmin();
    observation.shard = undefined;
    observation.messaging = undefined;
    parts?.messaging.stop();
    parts?.misdirected.stop();
    parts?.status.stop();
  }

  /** What operators may ask of a member that does not lead. */
  followerAdmin(): void {
    const { adminCalls, context, startedMs } = this.#options;
    adminCalls.serveHere([
      unary(BrokerAdminDefinition, 'brokerStatus', () => ({ entries: new Map(processEntries('SLAVE', startedMs)) })),
      unary(BrokerAdminDefinition, 'getConfig', () => ({ entries: new Map(Object.entries(context.configTexts)) })),
    ]);
  }
}
