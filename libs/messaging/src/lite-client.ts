import type { LiteSubscriber } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';
import type { Session } from './session.ts';

/** A call that was sent before another may arrive so much later. Milliseconds. */
const CROSSING_MS = 5_000;
const RECENT_MAX = 16_384;

/** One client that reads lite topics. */
export class LiteClient {
  readonly session: Session;
  readonly group: Group;
  readonly topic: Topic;
  readonly subscriber: LiteSubscriber;
  /** Monotonic milliseconds of when the client last said what it subscribes to. */
  refreshedMs: number;
  /** Of what the client said last, where it counts. */
  version: bigint | undefined;
  /**
   * Names that were added or taken away one by one a moment ago: a complete set that was sent before, and comes after,
   * changes nothing about them. In order of time.
   */
  private readonly recent = new Map<string, number>();

  constructor(session: Session, group: Group, topic: Topic, subscriber: LiteSubscriber, nowMs: number) {
    this.session = session;
    this.group = group;
    this.topic = topic;
    this.subscriber = subscriber;
    this.refreshedMs = nowMs;
  }

  subscribe(liteTopic: string, nowMs: number): void {
    this.subscriber.subscribe(liteTopic);
    this.note(liteTopic, nowMs);
  }

  /** @returns whether it was there */
  unsubscribe(liteTopic: string, nowMs: number): boolean {
    if (!this.subscriber.unsubscribe(liteTopic)) return false;
    this.note(liteTopic, nowMs);
    return true;
  }

  unsubscribeAll(): void {
    for (const liteTopic of [...this.subscriber.liteTopics]) this.subscriber.unsubscribe(liteTopic);
  }

  /** Whether a complete set that comes now may still be from before the last change of this name. */
  hasJustChanged(liteTopic: string, nowMs: number): boolean {
    const changedMs = this.recent.get(liteTopic);
    return changedMs !== undefined && nowMs - changedMs < CROSSING_MS;
  }

  /** Lets go of what no call can have crossed any more. */
  forgetChanges(nowMs: number): void {
    for (const [oldest, changedMs] of this.recent) {
      if (nowMs - changedMs < CROSSING_MS && this.recent.size <= RECENT_MAX) break;
      this.recent.delete(oldest);
    }
  }

  private note(liteTopic: string, nowMs: number): void {
    this.recent.delete(liteTopic);
    this.recent.set(liteTopic, nowMs);
    this.forgetChanges(nowMs);
  }
}
