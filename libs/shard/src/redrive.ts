import { MqError, quoted } from '@orbitmq/base';
import { readDeadLetterOrigin, readKeys, WireError } from '@orbitmq/protocol';
import type { Group, IndexedQueue, Topic } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { deadLetterTopicName } from './dead-letters.ts';
import type { Leases } from './leases.ts';
import { messageGroupHash } from './message-groups.ts';
import type { StoredMessage } from './message-reader.ts';
import { readAt } from './read-at.ts';
import { type LeaseKey, RECORD } from './records.ts';
import { encodeRedrive } from './redrive-record.ts';
import type { RedriveOutcome, RedrivePage, RedriveRequest, RedriveResult, RedriveSelection } from './shard.ts';

/** Dead letters that one call looks at. */
const SCANNED_MAX = 1000;

/** A dead letter that was read. */
interface ReadLetter {
  readonly stored: StoredMessage;
  readonly messageId: string;
  readonly topicName: string;
  /** The handing-out that it settled; undefined when it is no dead letter of this version. */
  readonly settled: LeaseKey | undefined;
}

/**
 * Hands dead letters back to the group that could not consume them: to it alone, each in its place in the queue it came
 * from, and its attempts count from 1 again. One record takes note of that and makes the message outstanding once more.
 */
export class Redrive {
  readonly #core: ShardCore;
  readonly #leases: Leases;

  constructor(core: ShardCore, leases: Leases) {
    this.#core = core;
    this.#leases = leases;
  }

  async page(request: RedriveRequest): Promise<RedrivePage> {
    const { group, selection, countMax, isDryRun } = request;
    const indexed = this.#queue(group);
    const results: RedriveResult[] = [];
    let offset = Math.max(request.fromOffset, indexed.minOffset);
    for (let scanned = 0; scanned < SCANNED_MAX && results.length < countMax; scanned++, offset++) {
      offset = Math.max(offset, indexed.minOffset);
      if (offset >= indexed.visibleOffset) break;
      if (this.#core.state.redriven.has(indexed.uid, offset)) continue;
      const letter = await this.#read(indexed, offset);
      if (letter === undefined || !isSelected(letter, selection)) continue;
      this.#core.checkRunning();
      const outcome = this.#redrive(group, indexed, offset, letter, isDryRun);
      const { messageId, topicName, stored } = letter;
      if (outcome === undefined) continue;
      results.push({ queueOffset: offset, messageId, topicName, storeTimestampMs: stored.storeTimestampMs, outcome });
    }
    await this.#core.log.settled();
    return { results, nextOffset: offset, more: offset < indexed.visibleOffset };
  }

  /** Returns undefined when somebody else was quicker. */
  #redrive(
    group: Group,
    indexed: IndexedQueue,
    offset: number,
    { settled, stored }: ReadLetter,
    isDryRun: boolean,
  ): RedriveOutcome | undefined {
    const { state } = this.#core;
    if (state.redriven.has(indexed.uid, offset)) return undefined;
    const topic = settled === undefined ? undefined : this.#topicOf(settled.queueUid);
    if (settled === undefined || topic === undefined) return 'topic gone';
    if (settled.queueOffset < state.index.queue(settled.queueUid)!.minOffset) return 'expired';
    if (isDryRun) return 'redriven';
    const { queueUid, queueOffset } = settled;
    this.#core.append(RECORD.redrive, [
      encodeRedrive({
        groupUid: group.uid,
        queueUid,
        queueOffset,
        messageGroup: messageGroupHash(stored.message),
        deadQueueUid: indexed.uid,
        deadQueueOffset: offset,
      }),
    ]);
    this.#core.subscription(group, topic).counters.redrivenCount++;
    this.#leases.expire();
    return 'redriven';
  }

  /** Returns undefined when it is damaged, or was removed meanwhile. */
  async #read(indexed: IndexedQueue, offset: number): Promise<ReadLetter | undefined> {
    const found = await readAt(this.#core, indexed, offset);
    if (found === undefined) return undefined;
    const { stored, source } = found;
    try {
      const origin = readDeadLetterOrigin(stored.message.system);
      const [messageId, topicName] = [origin?.messageId ?? '', origin?.topicName ?? ''];
      return { stored, messageId, topicName, settled: source.settles };
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    }
  }

  #queue(group: Group): IndexedQueue {
    const { metadata, index } = this.#core.state;
    const name = deadLetterTopicName(group.name);
    const topic = metadata.topic(name);
    if (topic === undefined) {
      throw new MqError(
        'TOPIC_NOT_FOUND',
        `group ${quoted(group.name)} has no dead letters here: nothing is left to do`,
      );
    }
    return index.queue(topic.queues[0]!.uid)!;
  }

  #topicOf(queueUid: number): Topic | undefined {
    const { metadata } = this.#core.state;
    return metadata.topicByUid(metadata.queueByUid(queueUid)?.topicUid ?? 0);
  }
}

function isSelected({ stored, messageId, topicName }: ReadLetter, selection: RedriveSelection): boolean {
  const { fromMs = 0, toMs = Number.POSITIVE_INFINITY } = selection;
  return (
    stored.storeTimestampMs >= fromMs &&
    stored.storeTimestampMs <= toMs &&
    (selection.topicName === undefined || selection.topicName === topicName) &&
    (selection.messageId === undefined || selection.messageId === messageId) &&
    (selection.key === undefined || readKeys(stored.message.system).includes(selection.key))
  );
}
