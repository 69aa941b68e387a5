import { type Clock, MqError, type Timer } from '@orbitmq/base';
import type { LiteShard, LiteSubscriber } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';
import type { MessagingTimes } from './config.ts';
import { LiteClient } from './lite-client.ts';
import type { Session } from './session.ts';

/**
 * All clients that read lite topics, each as long as its session lives. What they subscribe to is kept in memory only:
 * they say it again every 30 s.
 */
export class LiteClients {
  private readonly shard: LiteShard;
  private readonly clock: Clock;
  private readonly times: MessagingTimes;
  private readonly bySession = new Map<Session, LiteClient>();
  private readonly bySubscriber = new Map<LiteSubscriber, LiteClient>();
  private timer: Timer | undefined;

  constructor(shard: LiteShard, clock: Clock, times: MessagingTimes) {
    this.shard = shard;
    this.clock = clock;
    this.times = times;
  }

  get count(): number {
    return this.bySession.size;
  }

  all(): IterableIterator<LiteClient> {
    return this.bySession.values();
  }

  find(session: Session): LiteClient | undefined {
    return this.bySession.get(session);
  }

  /**
   * What a client reads of a topic's lite topics; begins with none. A client reads those of one topic, as a member of one
   * group: when that changes, it begins anew.
   * @throws MqError TOPIC_NOT_FOUND, CONSUMER_GROUP_NOT_FOUND when one of them has just been deleted, FORBIDDEN when the client
   *         has gone meanwhile
   */
  obtain(session: Session, group: Group, topic: Topic, isWildcard: boolean): LiteClient {
    if (session.ended) {
      throw new MqError('FORBIDDEN', 'the client has said goodbye or was not heard of for too long: subscribe again');
    }
    const known = this.bySession.get(session);
    if (known) {
      const { subscriber } = known;
      const isSame = known.group.uid === group.uid && known.topic.uid === topic.uid;
      if (isSame && subscriber.isWildcard === isWildcard && !subscriber.isClosed) return known;
      this.remove(known);
    }
    const subscriber = this.shard.openLiteSubscriber(group, topic, isWildcard);
    const client = new LiteClient(session, group, topic, subscriber, this.clock.monotonicMs());
    this.bySession.set(session, client);
    this.bySubscriber.set(subscriber, client);
    if (!known) session.onEnd(() => this.removeOf(session));
    this.timer ??= this.clock.setTimer(this.times.liteSubscriptionCheckMs, () => this.scan());
    return client;
  }

  /** Other clients of the same group that subscribe to a lite topic. */
  rivals(client: LiteClient, liteTopic: string): LiteClient[] {
    const subscribers = this.shard.liteSubscribers(client.group, client.topic, liteTopic);
    return subscribers.flatMap((subscriber) => {
      const other = subscriber === client.subscriber ? undefined : this.bySubscriber.get(subscriber);
      return other ?? [];
    });
  }

  /** Ends all subscriptions. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    for (const client of [...this.bySession.values()]) this.remove(client);
  }

  private removeOf(session: Session): void {
    const client = this.bySession.get(session);
    if (client) this.remove(client);
  }

  private remove(client: LiteClient): void {
    client.subscriber.close();
    this.bySubscriber.delete(client.subscriber);
    if (this.bySession.get(client.session) === client) this.bySession.delete(client.session);
  }

  /** Drops what clients subscribed to long ago and have not said again since. */
  private scan(): void {
    const nowMs = this.clock.monotonicMs();
    for (const client of this.bySession.values()) {
      if (nowMs - client.refreshedMs >= this.times.liteSubscriptionTimeoutMs) client.unsubscribeAll();
      client.forgetChanges(nowMs);
    }
    const more = this.bySession.size > 0;
    this.timer = more ? this.clock.setTimer(this.times.liteSubscriptionCheckMs, () => this.scan()) : undefined;
  }
}
