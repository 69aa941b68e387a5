import { MqError, quoted } from '@orbitmq/base';
import { checkGroupName, checkLiteTopicName, checkTopicForm, type LiteGroup } from '@orbitmq/protocol';
import {
  LiteSubscriptionAction,
  type SyncLiteSubscriptionRequest,
  type SyncLiteSubscriptionResponse,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call } from '@orbitmq/rpc';
import type { LiteOffsetTarget } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';
import { OK_STATUS } from './answers.ts';
import { callerOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import type { LiteClient } from './lite-client.ts';
import { checkBoundTopic, checkFitting, liteRulesOf } from './lite-mode.ts';
import { liteOffsetTargetOf } from './lite-offset.ts';
import type { Session } from './session.ts';

/** A request whose names have been found. */
interface Subscribing {
  readonly groupName: string;
  readonly group: Group;
  readonly topic: Topic;
  readonly rules: LiteGroup;
  readonly request: SyncLiteSubscriptionRequest;
}

/**
 * SyncLiteSubscription: which lite topics a client reads. Clients tell each change at once and all of it every 30 s,
 * which heals what was lost, and brings everything back after a restart.
 */
export class LiteSubscribing {
  private readonly context: MessagingContext;

  constructor(context: MessagingContext) {
    this.context = context;
  }

  async sync(request: SyncLiteSubscriptionRequest, call: Call): Promise<SyncLiteSubscriptionResponse> {
    const { clock, liteClients, sessions } = this.context;
    const caller = callerOf(call);
    const subscribing = this.find(request);
    const { group, topic, rules } = subscribing;
    const client = liteClients.obtain(sessions.obtain(caller), group, topic, rules.isWildcard);
    client.refreshedMs = clock.monotonicMs();
    const isLate = isBefore(request.version, client.version);
    if (!isLate) client.version = request.version ?? client.version;
    switch (request.action) {
      case LiteSubscriptionAction.PARTIAL_ADD:
        await this.add(client, subscribing);
        break;
      case LiteSubscriptionAction.PARTIAL_REMOVE:
        await this.remove(client, subscribing);
        break;
      case LiteSubscriptionAction.COMPLETE_ADD:
        if (!isLate) this.replace(client, subscribing);
        break;
      case LiteSubscriptionAction.COMPLETE_REMOVE:
        client.unsubscribeAll();
        break;
      default:
        throw new MqError(
          'BAD_REQUEST',
          `a lite subscription is added to, removed from or replaced; found action ${request.action}; use one of LiteSubscriptionAction`,
        );
    }
    return { status: OK_STATUS };
  }

  private find(request: SyncLiteSubscriptionRequest): Subscribing {
    const { provision, shard } = this.context;
    const groupName = request.group?.name ?? '';
    const topicName = request.topic?.name ?? '';
    checkGroupName(groupName);
    checkTopicForm(topicName);
    const topic = provision.topic(topicName);
    const group = shard.metadata.group(groupName);
    const rules = liteRulesOf(group);
    if (rules) checkBoundTopic(groupName, rules, topicName);
    checkFitting(topic, groupName, rules);
    return { groupName, group: group!, topic, rules: rules!, request };
  }

  /** Adds names; what they held before goes on, or begins where the request says. */
  private async add(client: LiteClient, subscribing: Subscribing): Promise<void> {
    const { group, topic, rules, request } = subscribing;
    checkConsuming(group);
    if (rules.isWildcard) {
      throw new MqError(
        'BAD_REQUEST',
        `the consumer group ${quoted(group.name)} reads all lite topics of its topic; found a subscription to single ones; leave it out, or remove lite.sub.wildcard from the group`,
      );
    }
    const names = new Set(request.liteTopicSet);
    for (const name of names) this.checkName(name);
    const target = liteOffsetTargetOf(request.offsetOption);
    let fresh = this.fresh(client, names);
    if (fresh.length === 0) return;
    this.checkRoom(client, rules, fresh.length);
    const taken = rules.isExclusive ? this.evict(client, fresh) : [];
    if (rules.resetsOffsetOnTakeover) await this.setOffsets(group, topic, taken, { kind: 'earliest' });
    if (target) await this.setOffsets(group, topic, fresh, target);
    // others may have come in between
    if (rules.isExclusive) this.evict(client, fresh);
    fresh = this.fresh(client, names);
    this.checkRoom(client, rules, fresh.length);
    const nowMs = this.context.clock.monotonicMs();
    for (const name of fresh) client.subscribe(name, nowMs);
  }

  private async remove(client: LiteClient, { group, topic, rules, request }: Subscribing): Promise<void> {
    const nowMs = this.context.clock.monotonicMs();
    const removed = request.liteTopicSet.filter((name) => client.unsubscribe(name, nowMs));
    if (rules.resetsOffsetOnUnsubscribe) await this.setOffsets(group, topic, removed, { kind: 'earliest' });
  }

  /** Takes a whole set in place of the one before. Names that another client of an exclusive group has taken stay there. */
  private replace(client: LiteClient, { group, rules, request }: Subscribing): void {
    checkConsuming(group);
    if (rules.isWildcard) return;
    const { clock, liteClients } = this.context;
    const nowMs = clock.monotonicMs();
    const names = new Set(request.liteTopicSet);
    const fresh = this.fresh(client, names).filter((name) => !client.hasJustChanged(name, nowMs));
    for (const name of fresh) this.checkName(name);
    const gone = [...client.subscriber.liteTopics].filter(
      (name) => !names.has(name) && !client.hasJustChanged(name, nowMs),
    );
    const lost = new Set(rules.isExclusive ? fresh.filter((name) => liteClients.rivals(client, name).length > 0) : []);
    const added = fresh.filter((name) => !lost.has(name));
    this.checkRoom(client, rules, added.length, gone.length);
    for (const name of gone) client.subscriber.unsubscribe(name);
    for (const name of added) client.subscriber.subscribe(name);
    notify(client.session, [...lost]);
  }

  private fresh(client: LiteClient, names: ReadonlySet<string>): string[] {
    return [...names].filter((name) => !client.subscriber.liteTopics.has(name));
  }

  /** Takes lite topics away from other clients of an exclusive group. @returns those that were taken from somebody */
  private evict(client: LiteClient, names: readonly string[]): string[] {
    const { clock, events, liteClients } = this.context;
    const nowMs = clock.monotonicMs();
    const evicted = new Map<LiteClient, string[]>();
    for (const name of names) {
      for (const rival of liteClients.rivals(client, name)) {
        rival.unsubscribe(name, nowMs);
        const before = evicted.get(rival);
        if (before) before.push(name);
        else evicted.set(rival, [name]);
      }
    }
    for (const [rival, taken] of evicted) {
      notify(rival.session, taken);
      events.liteSubscriptionsTaken(taken.length);
    }
    return [...new Set([...evicted.values()].flat())];
  }

  private async setOffsets(
    group: Group,
    topic: Topic,
    names: readonly string[],
    target: LiteOffsetTarget,
  ): Promise<void> {
    if (names.length > 0) await this.context.shard.setLiteOffsets(group, topic, names, target);
  }

  private checkName(name: string): void {
    checkLiteTopicName(name, this.context.config.messageLimits.liteTopicLengthMax);
  }

  /** @throws MqError LITE_SUBSCRIPTION_QUOTA_EXCEEDED */
  private checkRoom(client: LiteClient, rules: LiteGroup, addedCount: number, removedCount = 0): void {
    if (addedCount === 0) return;
    const count = client.subscriber.liteTopics.size + addedCount - removedCount;
    if (count > rules.clientQuota) {
      throw new MqError(
        'LITE_SUBSCRIPTION_QUOTA_EXCEEDED',
        `a client of the consumer group ${quoted(client.group.name)} subscribes to at most ${rules.clientQuota} lite topics; found ${count}; unsubscribe from some, or raise lite.sub.client.quota of the group`,
      );
    }
    const { config, shard } = this.context;
    const total = shard.liteSubscriptionCount + addedCount - removedCount;
    if (total > config.limits.liteSubscriptionsMax) {
      throw new MqError(
        'LITE_SUBSCRIPTION_QUOTA_EXCEEDED',
        `all clients of this broker subscribe to at most ${config.limits.liteSubscriptionsMax} lite topics; found ${total}; unsubscribe from some, or raise maxLiteSubscriptionCount`,
      );
    }
  }
}

/** Tells a client that it has lost lite topics. One that does not hear of it is told again when it says its whole set. */
function notify(session: Session, liteTopics: readonly string[]): void {
  for (const stream of session.streams) {
    for (const liteTopic of liteTopics) stream.push({ notifyUnsubscribeLiteCommand: { liteTopic } });
  }
}

function isBefore(version: bigint | undefined, last: bigint | undefined): boolean {
  return version !== undefined && last !== undefined && version < last;
}

function checkConsuming(group: Group): void {
  if (group.consumeEnable) return;
  throw new MqError(
    'FORBIDDEN',
    `consumer group ${quoted(group.name)} may consume; found it disabled; enable it with mqadmin updateSubGroup`,
  );
}
