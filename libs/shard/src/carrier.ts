import { MIB, MqError } from '@orbitmq/base';
import type { SegmentInfo } from '@orbitmq/storage';
import type { ShardCore } from './core.ts';
import { isUnreadable, type StoredMessage } from './message-reader.ts';
import { CARRIED_HEADER_BYTES, encodePendingEnd, type PendingBody, writeCarriedHeader } from './pending.ts';
import { RECORD } from './records.ts';

/** Bodies that are read at one time. */
const SLICE_COUNT = 256;
/** Bodies of one slice come to no more than this, unless one alone does. */
const SLICE_BYTES = 4 * MIB;
/** What one round carries at most, so that what else maintenance has to do gets its turn. */
const ROUND_BYTES = 64 * MIB;

/**
 * Carries pending bodies forward: appends them again, so that the segment in which they lie can go. A timer of a year
 * is so written once for each retention time that it outlives.
 */
export class Carrier {
  readonly #core: ShardCore;
  readonly #header = Buffer.alloc(CARRIED_HEADER_BYTES);

  constructor(core: ShardCore) {
    this.#core = core;
  }

  /** Carries what is pending in a segment, or a part of it; resolves when that is settled. */
  async carry(segment: SegmentInfo): Promise<void> {
    const { startOffset, endOffset } = segment;
    let [bodyCount, bytes] = [0, 0];
    while (bytes < ROUND_BYTES && !this.#core.isStopping) {
      const slice = firstBytes(this.#core.state.pendingBodiesIn(startOffset, endOffset, SLICE_COUNT));
      if (slice.length === 0) break;
      for (const pending of slice) await this.#carryOne(pending);
      await this.#core.log.settled();
      bodyCount += slice.length;
      for (const { body } of slice) bytes += body.length;
    }
    this.#core.logger.info({ segment: startOffset, bodyCount, bytes }, 'pending messages were carried forward');
  }

  async #carryOne(item: PendingBody): Promise<void> {
    let stored: StoredMessage;
    try {
      stored = await this.#core.reader.body(item.body);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.#core.logger.error({ err: error, ...item.body }, 'a pending message is damaged and is given up');
      await this.#appendPatiently(item, RECORD.pendingEnd, [encodePendingEnd(item.pending)]);
      return;
    }
    const { system, rest } = stored.message;
    writeCarriedHeader(this.#header, item.pending, system.length);
    await this.#appendPatiently(item, RECORD.carried, [this.#header, system, rest]);
  }

  /** Waits while the log is behind; drops what has ended meanwhile. */
  async #appendPatiently(item: PendingBody, type: number, parts: readonly Uint8Array[]): Promise<void> {
    while (this.#core.state.isPendingAt(item)) {
      try {
        this.#core.append(type, parts);
        return;
      } catch (error) {
        if (!(error instanceof MqError && error.code === 'TOO_MANY_REQUESTS')) throw error;
        await this.#core.log.settled();
      }
    }
  }
}

function firstBytes(bodies: readonly PendingBody[]): readonly PendingBody[] {
  let bytes = 0;
  const end = bodies.findIndex(({ body }, index) => {
    bytes += body.length;
    return index > 0 && bytes > SLICE_BYTES;
  });
  return end < 0 ? bodies : bodies.slice(0, end);
}
