import { type Clock, MqError, quoted } from '@orbitmq/base';
import type { SubscriptionEntry } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Logger } from '@orbitmq/runtime';
import type { MessagingConfig } from './config.ts';
import type { Filters, SubscribedFilter } from './filters.ts';
import type { Session } from './session.ts';

/** Subscriptions of one client that are remembered; of more, the oldest are forgotten. */
const HELD_PER_CLIENT_MAX = 4_096;

/** The one expression by which a group reads a topic, as long as a living client of the group uses it. */
export class Agreement {
  readonly groupName: string;
  readonly topicName: string;
  /** See `SubscribedFilter`. */
  readonly identity: string;
  readonly shown: string;
  /** Clients that have received by it. */
  readonly holders = new Set<Session>();
  /** Clients that were refused, which is logged once. */
  readonly refused = new WeakSet<Session>();
  /** Nobody holds it any longer, and another may take its place: receives that still wait by this one are to end. */
  isOver = false;

  constructor(groupName: string, topicName: string, { identity, shown }: SubscribedFilter) {
    this.groupName = groupName;
    this.topicName = topicName;
    this.identity = identity;
    this.shown = shown;
  }
}

/**
 * Sees to it that all clients of a group read a topic by the same expression. What one of them does not want is passed
 * over for the whole group: clients with different expressions would lose messages for each other.
 *
 * Who is there first stays: a new version of a consumer with another expression, or one that is set up wrongly, is
 * refused and disturbs nobody; it is served as soon as the last client with the older expression is gone. A client
 * changes its own expression at will when no other client holds it to the old one.
 */
export class Agreements {
  private readonly byGroup = new Map<string, Map<string, Agreement>>();
  /** In the order in which they were first held. */
  private readonly bySession = new Map<Session, Set<Agreement>>();
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly config: MessagingConfig;

  constructor(clock: Clock, logger: Logger, config: MessagingConfig) {
    this.clock = clock;
    this.logger = logger;
    this.config = config;
  }

  /** Subscriptions that somebody holds. */
  get size(): number {
    let count = 0;
    for (const byTopic of this.byGroup.values()) count += byTopic.size;
    return count;
  }

  /**
   * A client receives by this filter.
   * @returns undefined when different subscriptions are allowed
   * @throws MqError ILLEGAL_FILTER_EXPRESSION when another living client of the group reads the topic by a different one
   */
  join(session: Session, groupName: string, topicName: string, filter: SubscribedFilter): Agreement | undefined {
    if (!this.config.refuseDifferentSubscriptions) return undefined;
    const known = this.byGroup.get(groupName)?.get(topicName);
    if (known?.identity === filter.identity) {
      this.hold(session, known);
      return known;
    }
    if (known) {
      this.leave(session, known);
      const other = this.livingHolder(known);
      if (other) throw this.refusal(session, known, other, filter);
      for (const holder of known.holders) this.leave(holder, known);
    }
    const agreement = new Agreement(groupName, topicName, filter);
    this.hold(session, agreement);
    return agreement;
  }

  /**
   * A client has told what it subscribes to in its group: it no longer holds what is not among it. A client that names
   * nothing is taken by its receives.
   */
  told(session: Session, groupName: string, entries: readonly SubscriptionEntry[], filters: Filters): void {
    const held = this.bySession.get(session);
    if (held === undefined || entries.length === 0) return;
    const identities = new Map(entries.map(({ topic, expression }) => [topic?.name, identityOf(filters, expression)]));
    for (const agreement of held) {
      if (agreement.groupName !== groupName) continue;
      if (identities.get(agreement.topicName) !== agreement.identity) this.leave(session, agreement);
    }
  }

  private hold(session: Session, agreement: Agreement): void {
    if (session.ended || agreement.holders.has(session)) return;
    agreement.holders.add(session);
    const { groupName, topicName } = agreement;
    const byTopic = this.byGroup.get(groupName) ?? new Map<string, Agreement>();
    byTopic.set(topicName, agreement);
    this.byGroup.set(groupName, byTopic);
    const held = this.bySession.get(session) ?? this.follow(session);
    held.add(agreement);
    if (held.size > HELD_PER_CLIENT_MAX) this.leave(session, held.values().next().value!);
  }

  private follow(session: Session): Set<Agreement> {
    const held = new Set<Agreement>();
    this.bySession.set(session, held);
    session.onEnd(() => {
      for (const agreement of held) this.leave(session, agreement);
      this.bySession.delete(session);
    });
    return held;
  }

  private leave(session: Session, agreement: Agreement): void {
    if (!agreement.holders.delete(session)) return;
    this.bySession.get(session)?.delete(agreement);
    if (agreement.holders.size > 0) return;
    agreement.isOver = true;
    const byTopic = this.byGroup.get(agreement.groupName);
    byTopic?.delete(agreement.topicName);
    if (byTopic?.size === 0) this.byGroup.delete(agreement.groupName);
  }

  /** A client that keeps to the agreement and is not merely waiting to be missed. */
  private livingHolder({ holders }: Agreement): Session | undefined {
    const aliveSinceMs = this.clock.monotonicMs() - this.config.times.disconnectedMs;
    for (const holder of holders) {
      if (holder.streams.size > 0 || holder.openReceives > 0 || holder.lastSeenMs > aliveSinceMs) return holder;
    }
    return undefined;
  }

  private refusal(session: Session, agreement: Agreement, other: Session, filter: SubscribedFilter): MqError {
    const { groupName, topicName, shown } = agreement;
    if (!agreement.refused.has(session)) {
      agreement.refused.add(session);
      this.logger.warn(
        {
          group: groupName,
          topic: topicName,
          expression: shown,
          clientId: other.clientId,
          refusedExpression: filter.shown,
          refusedClientId: session.clientId,
        },
        'a client subscribes to other messages than its group and is refused until the clients of its group agree',
      );
    }
    return new MqError(
      'ILLEGAL_FILTER_EXPRESSION',
      `all clients of group ${quoted(groupName)} read topic ${quoted(topicName)} by one expression, ${shown}, as client ` +
        `${quoted(other.clientId)} does; found ${filter.shown} from this client; use the same expression or another group. ` +
        'When a group moves to a new expression, its new clients are served once the last old one has stopped.',
    );
  }
}

/** undefined for an expression that would be refused. */
function identityOf(filters: Filters, expression: SubscriptionEntry['expression']): string | undefined {
  try {
    return filters.of(expression).identity;
  } catch (error) {
    if (error instanceof MqError) return undefined;
    throw error;
  }
}
