import { MqError, SECOND_MS, type Timer } from '@orbitmq/base';
import {
  DEAD_LETTER_TOPIC_PREFIX,
  encodeDeadLetterOrigin,
  encodeTopicField,
  readMessageId,
  WireError,
} from '@orbitmq/protocol';
import { encodeTopicConfig, type GroupQueue, type IndexedQueue, NONE, type Topic } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import type { MessageAppender } from './message-appender.ts';
import type { MessageSource, StoredMessage } from './message-reader.ts';
import { readAt } from './read-at.ts';
import { ReadFault } from './read-faults.ts';
import { encodeLeaseKey, type LeaseKey, RECORD } from './records.ts';

/** How long what could not be moved waits for the next try when the log was behind. */
const RETRY_MS = 100;
/** The same when the disk could not read it. */
const UNREAD_RETRY_MS = SECOND_MS;
/** Messages that become dead letters before others have their turn. */
const MOVED_PER_TURN = 256;
/** Dead letters can be read, and only the shard writes them. */
const READ_PERMISSION = 4;
const NOTHING = new Uint8Array(0);

/** A message that is about to become a dead letter, as it was read; undefined when it is damaged. */
export type DeadLetter = { readonly source: MessageSource; readonly messageId: string } | undefined;

/** Name of the topic that holds the dead letters of a group. */
export function deadLetterTopicName(groupName: string): string {
  return `${DEAD_LETTER_TOPIC_PREFIX}${groupName}`;
}

/**
 * Moves messages to the dead letters of their group. One record does both: it is the message of the dead letters' queue,
 * a pointer to the body that is in the log, and it settles the message for the group. So a crash can't lose it nor double it.
 *
 * Messages whose attempts are used up are moved when their last lease ends, whether anybody receives or not.
 */
export class DeadLetters {
  readonly #core: ShardCore;
  readonly #appender: MessageAppender;
  readonly #onTopicMade: () => void;
  readonly #waiting = new Set<GroupQueue>();
  #isRunning = false;
  #isHeld = false;
  #timer: Timer | undefined;

  /** @param onTopicMade hears of topics that were made for dead letters, before they are stored */
  constructor(core: ShardCore, appender: MessageAppender, onTopicMade: () => void) {
    this.#core = core;
    this.#appender = appender;
    this.#onTopicMade = onTopicMade;
  }

  /** Moves what is spent in this queue, soon. */
  collect(queue: GroupQueue): void {
    if (queue.spent.count === 0 || this.#core.isStopping) return;
    this.#waiting.add(queue);
    if (this.#isRunning || this.#isHeld) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Moves nothing by itself until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const waiting of [...this.#waiting]) this.collect(waiting);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /**
   * Reads what a dead letter needs of its message.
   * @throws MqError INTERNAL_SERVER_ERROR when that is not possible now
   */
  async read(indexed: IndexedQueue, queueOffset: number): Promise<DeadLetter> {
    const found = await readAt(this.#core, indexed, queueOffset);
    return found === undefined ? undefined : { source: found.source, messageId: messageIdOf(found.stored) };
  }

  /**
   * Makes the message of a lease that is current a dead letter, in this synchronous step.
   * @param letter read before; what is damaged, or was removed meanwhile, is only settled
   * @throws MqError TOO_MANY_REQUESTS when the log is behind
   */
  move(key: LeaseKey, topic: Topic, letter: DeadLetter): void {
    const group = this.#core.state.metadata.groupByUid(key.groupUid)!;
    const subscription = this.#core.subscription(group, topic);
    if (letter === undefined || letter.source.body.physicalOffset < this.#core.log.startOffset) {
      this.#core.append(RECORD.ack, [encodeLeaseKey(key)]);
      subscription.counters.unreadableCount++;
    } else {
      const deadTopic = this.#topic(deadLetterTopicName(group.name));
      const { source, messageId } = letter;
      // What a group can't consume of its own dead letters goes to their end as it is.
      const isOwn = topic.uid === deadTopic.uid;
      const origin = isOwn ? NOTHING : encodeDeadLetterOrigin({ topicName: topic.name, messageId });
      const renamed = isOwn ? NOTHING : encodeTopicField(deadTopic.name);
      this.#appender.point({
        topic: deadTopic,
        queueId: 0,
        tagHash: source.tagHash,
        body: source.body,
        settles: key,
        system: Buffer.concat([source.system, origin]),
        rest: Buffer.concat([source.rest, renamed]),
      });
      subscription.counters.deadLetterCount++;
    }
    this.#core.wake(subscription, key.queueUid);
  }

  /** The topic of a group's dead letters, made when it isn't there. */
  #topic(name: string): Topic {
    const known = this.#core.state.metadata.topic(name);
    if (known !== undefined) return known;
    const config = {
      name,
      readQueueCount: 1,
      writeQueueCount: 1,
      permission: READ_PERMISSION,
      messageType: 'NORMAL',
      retentionMs: undefined,
      retentionBytes: undefined,
      autoCreated: false,
      attributes: new Map<string, string>(),
    } as const;
    this.#core.append(RECORD.topic, [encodeTopicConfig(config)]);
    this.#onTopicMade();
    return this.#core.state.metadata.topic(name)!;
  }

  async #run(): Promise<void> {
    for (const queue of this.#waiting) {
      this.#waiting.delete(queue);
      try {
        await this.#empty(queue);
      } catch (error) {
        if (!(error instanceof MqError)) throw error;
        if (this.#core.isStopping) break;
        if (error instanceof ReadFault) {
          this.#tryAgain(queue, UNREAD_RETRY_MS);
          break;
        }
        this.#core.logger.warn({ err: error }, 'messages could not be moved to the dead letters; it is tried again');
        this.#tryAgain(queue, RETRY_MS);
        break;
      }
    }
    this.#isRunning = false;
  }

  async #empty(queue: GroupQueue): Promise<void> {
    const { progress } = this.#core.state;
    for (let count = 1; queue.spent.first !== NONE && !this.#core.isStopping; count++) {
      if (count % MOVED_PER_TURN === 0 && !(await this.#isSettled())) return;
      const queueOffset = progress.offset(queue.spent.first);
      const leaseId = progress.leaseId(queue.spent.first);
      const topic = this.#topicOf(queue);
      const indexed = this.#core.state.index.queue(queue.queueUid);
      if (topic === undefined || indexed === undefined) return;
      const letter = await this.read(indexed, queueOffset);
      const key = { groupUid: queue.groupUid, queueUid: queue.queueUid, queueOffset, leaseId };
      // Meanwhile it may have been acknowledged, renewed or removed: then it is none of our business any more.
      if (this.#isSpent(queue, key) && !this.#core.isStopping) this.move(key, topic, letter);
    }
  }

  /** Lets the disk catch up and others have their turn. Returns false when the log has failed, which ends the process. */
  #isSettled(): Promise<boolean> {
    return this.#core.log.settled().then(
      () => true,
      () => false,
    );
  }

  #isSpent(queue: GroupQueue, { groupUid, queueUid, queueOffset, leaseId }: LeaseKey): boolean {
    const { progress } = this.#core.state;
    if (progress.find(groupUid, queueUid) !== queue) return false;
    const slot = progress.entry(queue, queueOffset);
    return slot !== NONE && progress.isSpent(slot) && progress.leaseId(slot) === leaseId;
  }

  #topicOf(queue: GroupQueue): Topic | undefined {
    const { metadata } = this.#core.state;
    return metadata.topicByUid(metadata.queueByUid(queue.queueUid)?.topicUid ?? 0);
  }

  #tryAgain(queue: GroupQueue, delayMs: number): void {
    this.#waiting.add(queue);
    this.#timer?.cancel();
    this.#timer = this.#core.clock.setTimer(delayMs, () => {
      for (const waiting of [...this.#waiting]) this.collect(waiting);
    });
  }
}

function messageIdOf({ message }: StoredMessage): string {
  try {
    return readMessageId(message.system);
  } catch (error) {
    if (error instanceof WireError) return '';
    throw error;
  }
}
