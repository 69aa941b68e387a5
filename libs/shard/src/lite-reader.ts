import { MqError, quoted } from '@orbitmq/base';
import type { Delivery, Waiter } from './common-types.ts';
import type { LiteGroup } from './lite-group.ts';
import { LiteReading } from './lite-reading.ts';
import type { LiteReceiveRequest, LiteSubscriber } from './lite-shard.ts';
import type { Waiters } from './waiters.ts';

/** What a reader does by others. */
export interface LiteReaderParts {
  readonly waiters: Waiters;
  receive(reader: LiteReader, request: LiteReceiveRequest): Promise<Delivery[]>;
  /** Called once, when it is closed. */
  onClosed(reader: LiteReader): void;
}

/** One client of a group that reads lite topics. */
export class LiteReader implements LiteSubscriber {
  readonly group: LiteGroup;
  readonly isWildcard: boolean;
  readonly reading: LiteReading;
  readonly liteTopics = new Set<string>();
  readonly #parts: LiteReaderParts;
  readonly #waiting = new Set<Waiter>();
  #isClosed = false;

  constructor(group: LiteGroup, isWildcard: boolean, parts: LiteReaderParts) {
    this.group = group;
    this.isWildcard = isWildcard;
    this.reading = isWildcard ? group.everything() : new LiteReading(group);
    this.#parts = parts;
    group.join(this);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  subscribe(liteTopic: string): boolean {
    if (this.#isClosed || this.isWildcard || this.liteTopics.has(liteTopic)) return false;
    this.liteTopics.add(liteTopic);
    this.group.addName(liteTopic, this);
    return true;
  }

  unsubscribe(liteTopic: string): boolean {
    if (!this.liteTopics.delete(liteTopic)) return false;
    this.group.removeName(liteTopic, this);
    return true;
  }

  receive(request: LiteReceiveRequest): Promise<Delivery[]> {
    return this.#parts.receive(this, request);
  }

  waitForMessages(): Waiter {
    this.checkOpen();
    const waiter = this.#parts.waiters.wait(this.reading);
    this.#waiting.add(waiter);
    void waiter.ready.then(() => this.#waiting.delete(waiter));
    return waiter;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const name of this.liteTopics) this.group.removeName(name, this);
    this.liteTopics.clear();
    if (!this.isWildcard) this.reading.clear();
    for (const waiter of this.#waiting) waiter.cancel();
    this.group.leave(this);
    this.#parts.onClosed(this);
    // Others may share the reading, and one of the waiters that are gone may have been woken for something.
    this.#parts.waiters.wake(this.reading);
  }

  /** @throws MqError FORBIDDEN */
  checkOpen(): void {
    if (!this.#isClosed) return;
    const { group, topic } = this.group;
    throw new MqError(
      'FORBIDDEN',
      `the client's subscription of group ${quoted(group.name)} to lite topics of ${quoted(topic.name)} has ended: subscribe again`,
    );
  }
}
