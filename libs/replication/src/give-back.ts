import type { Clock } from '@orbitmq/base';
import type {
  FollowerMessage,
  FollowerMessage_Hello,
  LeaderMessage_Fetch,
} from '@orbitmq/protocol/orbitmq.replication.v1';
import type { ReplicatedLog } from '@orbitmq/storage';
import { Silence } from './silence.ts';
import type { FollowerStream } from './stream.ts';
import type { ReplicationSettings } from './times.ts';

const NOTHING = new Uint8Array(0);

/** A log from which a master that has lost something gets it back. */
export type GivenLog = Pick<ReplicatedLog, 'storedOffset' | 'readChunk'>;

/** What goes on while a log is given back. */
export interface GivingOptions {
  readonly chunkBytes: number;
  /** Nothing more is to be given. */
  isOver(): boolean;
  onGiven(): void;
}

/** Gives a master what it lacks; it ends the stream when it has all. @throws CorruptionError; MqError OFFSET_NOT_FOUND */
export async function giveBack(
  log: GivenLog,
  { fromOffset, chunkBytes }: LeaderMessage_Fetch,
  stream: FollowerStream,
  options: GivingOptions,
): Promise<void> {
  const bytesMax = Math.min(chunkBytes, options.chunkBytes);
  let position = Number(fromOffset);
  while (!options.isOver() && position < log.storedOffset) {
    const { startOffset, endOffset, bytes } = await log.readChunk(position, bytesMax);
    if (endOffset === position) break;
    position = endOffset;
    await stream.write(recordsMessage(startOffset, endOffset, bytes));
    options.onGiven();
  }
  stream.write(recordsMessage(position, position, NOTHING));
}

/**
 * Calls a master that does not lead yet, as a follower would, so that it gets what it lacks. Nothing else comes of it: the log is not
 * changed. Never throws.
 * @param hello of this member and `log`
 */
export async function offerLog(
  log: GivenLog,
  hello: FollowerMessage_Hello,
  stream: FollowerStream,
  { clock, settings }: { readonly clock: Clock; readonly settings: ReplicationSettings },
): Promise<void> {
  const silence = new Silence({ clock, settings }, () => stream.close());
  const options = { chunkBytes: settings.chunkBytes, isOver: () => false, onGiven: () => silence.broken() };
  try {
    stream.write({ hello });
    for await (const { fetch } of stream.incoming) {
      silence.broken();
      if (fetch === undefined) break;
      await giveBack(log, fetch, stream, options);
    }
  } catch {
    // Who lacks something asks again.
  } finally {
    silence.end();
    stream.close();
  }
}

function recordsMessage(startOffset: number, endOffset: number, records: Uint8Array): FollowerMessage {
  return { records: { startOffset: BigInt(startOffset), endOffset: BigInt(endOffset), records } };
}
