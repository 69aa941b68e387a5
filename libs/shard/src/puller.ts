import { MqError, quoted } from '@orbitmq/base';
import type { IndexEntry, IndexedQueue, Topic } from '@orbitmq/views';
import type { Waiter } from './common-types.ts';
import type { ShardCore } from './core.ts';
import { isLiteQueueId } from './lite-shard.ts';
import { isUnreadable, type StoredMessage } from './message-reader.ts';
import type { Pulled, PulledMessage, PullRequest } from './shard.ts';

/** Index entries that one pull looks at before it lets others have their turn. */
const SCANNED_MAX = 20_000;
/** How long one pull asks a filter before it lets others have their turn. Milliseconds. */
const FILTERING_MS_MAX = 10;

/** A message that a pull may give, being read. */
interface Candidate {
  readonly queueOffset: number;
  readonly physicalOffset: number;
  /** undefined when it can't be read. */
  readonly stored: StoredMessage | undefined | Promise<StoredMessage | undefined>;
}

/** Reads queues from any offset on: no group, no lease, nothing changes. */
export class Puller {
  readonly #core: ShardCore;
  readonly #entry: IndexEntry = { physicalOffset: 0, length: 0, tagHash: 0 };

  constructor(core: ShardCore) {
    this.#core = core;
  }

  async pull(request: PullRequest): Promise<Pulled> {
    this.#core.checkRunning();
    const queue = this.#queue(request.topic, request.queueId);
    checkOffset(request, queue);
    for (;;) {
      const { candidates, nextOffset, loading } = this.#candidates(request, queue);
      if (candidates.length > 0 || loading === undefined) {
        return await this.#wanted(request, queue, candidates, nextOffset);
      }
      await loading;
      this.#core.checkRunning();
      checkOffset(request, this.#queue(request.topic, request.queueId));
    }
  }

  wait(topic: Topic, queueId: number, offset: number): Waiter {
    this.#core.checkRunning();
    return this.#core.pulls.wait(this.#queue(topic, queueId), offset);
  }

  /** Begins to read what the request may want; `loading` when the index of the first of it must come from the disk. */
  #candidates(
    { filter, offset, countMax, bytesMax }: PullRequest,
    queue: IndexedQueue,
  ): { candidates: Candidate[]; nextOffset: number; loading: Promise<void> | undefined } {
    const candidates: Candidate[] = [];
    let nextOffset = offset;
    let bytes = 0;
    while (nextOffset < queue.visibleOffset && nextOffset - offset < SCANNED_MAX && candidates.length < countMax) {
      if (!this.#core.state.index.locate(queue, nextOffset, this.#entry)) {
        const loading = this.#core.state.index.load(queue, nextOffset);
        if (nextOffset === offset) return { candidates, nextOffset, loading };
        // It warms the way for the next pull.
        void loading.catch(() => {});
        break;
      }
      const { physicalOffset, length, tagHash } = this.#entry;
      if (filter === undefined || filter.mayMatch(tagHash)) {
        bytes += length;
        if (candidates.length > 0 && bytes > bytesMax) break;
        candidates.push({ queueOffset: nextOffset, physicalOffset, stored: this.#read(physicalOffset, length) });
      }
      nextOffset++;
    }
    return { candidates, nextOffset, loading: undefined };
  }

  async #wanted(
    { filter }: PullRequest,
    queue: IndexedQueue,
    candidates: readonly Candidate[],
    nextOffset: number,
  ): Promise<Pulled> {
    const messages: PulledMessage[] = [];
    const read = await Promise.all(candidates.map(({ stored }) => stored));
    const filterUntilMs = this.#core.clock.monotonicMs() + FILTERING_MS_MAX;
    for (const [index, { queueOffset, physicalOffset }] of candidates.entries()) {
      const stored = read[index];
      if (stored === undefined) continue;
      const isWanted = filter?.matches === undefined || filter.matches(stored.message);
      if (isWanted) {
        const { message, storeTimestampMs } = stored;
        messages.push({ queueOffset, physicalOffset, storeTimestampMs, message });
      }
      if (filter?.matches !== undefined && this.#core.clock.monotonicMs() >= filterUntilMs) {
        return { messages, nextOffset: queueOffset + 1, endOffset: queue.visibleOffset };
      }
    }
    return { messages, nextOffset, endOffset: queue.visibleOffset };
  }

  #read(physicalOffset: number, length: number): Candidate['stored'] {
    try {
      const stored = this.#core.reader.read(physicalOffset, length);
      return stored instanceof Promise ? stored.catch((error: unknown) => this.#passOver(error)) : stored;
    } catch (error) {
      return this.#passOver(error);
    }
  }

  /** A message that can't be read must not keep all that follow from their reader. */
  #passOver(error: unknown): undefined {
    const isGone = error instanceof MqError && error.code === 'OFFSET_NOT_FOUND';
    if (!isUnreadable(error) && !isGone) throw error;
    this.#core.logger.error({ err: error }, 'a stored message can not be read and is left out of a pull');
    return undefined;
  }

  #queue(topic: Topic, queueId: number): IndexedQueue {
    const current = this.#core.state.metadata.topicByUid(topic.uid);
    if (current === undefined) {
      throw new MqError('TOPIC_NOT_FOUND', `topic ${quoted(topic.name)} is not there (any more): create it first`);
    }
    const isSeen = queueId < current.readQueueCount || isLiteQueueId(queueId);
    const queue = isSeen ? this.#core.state.metadata.queueById(topic.uid, queueId) : undefined;
    const indexed = queue && this.#core.state.index.queue(queue.uid);
    if (indexed !== undefined) return indexed;
    throw new MqError(
      'BAD_REQUEST',
      `topic ${quoted(topic.name)} has the queues 0 to ${current.readQueueCount - 1}; found ${queueId}; read one of them`,
    );
  }
}

function checkOffset({ topic, queueId, offset }: PullRequest, { minOffset, nextOffset }: IndexedQueue): void {
  if (Number.isSafeInteger(offset) && offset >= minOffset && offset <= nextOffset) return;
  const isRemoved = offset >= 0 && offset < minOffset;
  throw new MqError(
    isRemoved ? 'OFFSET_NOT_FOUND' : 'ILLEGAL_OFFSET',
    `queue ${queueId} of topic ${quoted(topic.name)} has the offsets ${minOffset} to ${nextOffset}; found ${offset}, ` +
      `${isRemoved ? 'which has been removed' : 'which never was'}; go on with one of them`,
    { details: { nearestOffset: isRemoved || offset < 0 ? minOffset : nextOffset } },
  );
}
