import { MqError } from '@orbitmq/base';
import type { IndexEntry, IndexedQueue } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { isUnreadable, type MessageSource, type StoredMessage } from './message-reader.ts';
import { ReadFault } from './read-faults.ts';

/**
 * Reads the message at an offset of a queue, and where its body is.
 * @returns undefined when it is damaged (the log is told), or was removed
 * @throws MqError INTERNAL_SERVER_ERROR when the disk can't be read now
 */
export async function readAt(
  core: ShardCore,
  indexed: IndexedQueue,
  queueOffset: number,
): Promise<{ stored: StoredMessage; source: MessageSource } | undefined> {
  const entry: IndexEntry = { physicalOffset: 0, length: 0, tagHash: 0 };
  try {
    for (;;) {
      if (queueOffset < indexed.minOffset) return undefined;
      if (core.state.index.locate(indexed, queueOffset, entry)) break;
      await core.state.index.load(indexed, queueOffset);
    }
    const source = await core.reader.source(entry.physicalOffset, entry.length);
    const stored = await core.reader.read(entry.physicalOffset, entry.length);
    return { stored, source };
  } catch (error) {
    if (error instanceof ReadFault) throw error;
    core.logger.error({ err: error, queueUid: indexed.uid, queueOffset }, 'a stored message could not be read');
    if (isUnreadable(error)) return undefined;
    throw new MqError(
      'INTERNAL_SERVER_ERROR',
      'the broker could not read a stored message; its log says which: try again, then ask its operator',
      { cause: error },
    );
  }
}
