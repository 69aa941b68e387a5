import { MINUTE_MS, MqError, type Timer } from '@orbitmq/base';
import { LITE_EXPIRATION_ATTRIBUTE } from '@orbitmq/protocol';
import type { LiteTopic, Topic } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { encodeLiteEnd } from './lite-records.ts';
import { RECORD } from './records.ts';

/** Lite topics in one record. */
const ENDED_MAX = 1000;

/** How long after its last message a lite topic of a parent goes; undefined = never. Milliseconds. */
export function liteExpirationMs(topic: Topic | undefined): number | undefined {
  const minutes = Number.parseInt(topic?.attributes.get(LITE_EXPIRATION_ATTRIBUTE) ?? '', 10);
  return minutes > 0 ? minutes * MINUTE_MS : undefined;
}

/**
 * Ends lite topics to which nothing was sent for their parent's expiration, consumed or not, as in RocketMQ; and those that
 * retention has left empty, so that their number is bounded even where none expire. None goes before its shortest life is
 * over, counted also from the start of the process: who was not there can't have sent.
 */
export class LiteExpiry {
  readonly #core: ShardCore;
  readonly #beginsMs: number;
  #timer: Timer | undefined;

  constructor(core: ShardCore) {
    this.#core = core;
    this.#beginsMs = core.log.shardTimeMs() + core.settings.liteLifeMsMin;
  }

  start(): void {
    this.#timer = this.#core.clock.setTimer(this.#core.settings.liteCheckIntervalMs, () => {
      void this.sweep().then(() => {
        if (!this.#core.isStopping) this.start();
      });
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Ends what is due now. */
  async sweep(): Promise<void> {
    const { log, state, isStopping } = this.#core;
    if (isStopping || log.shardTimeMs() < this.#beginsMs) return;
    for (const topicUid of [...state.metadata.liteTopics.parentUids()]) {
      for (;;) {
        const due = this.#due(topicUid);
        if (due.length === 0 || this.#core.isStopping) break;
        if (!(await this.#end(due))) return;
      }
    }
  }

  /** Those who have been quiet the longest come first, so that the first one that stays ends the search. */
  #due(topicUid: number): LiteTopic[] {
    const { log, state, settings } = this.#core;
    const nowMs = log.shardTimeMs();
    const expirationMs = liteExpirationMs(state.metadata.topicByUid(topicUid)) ?? Number.POSITIVE_INFINITY;
    const due: LiteTopic[] = [];
    for (const liteTopic of state.metadata.liteTopics.of(topicUid)) {
      const quietMs = nowMs - liteTopic.lastSentMs;
      if (quietMs < settings.liteLifeMsMin || due.length === ENDED_MAX) break;
      const { minOffset, nextOffset } = state.index.queue(liteTopic.uid)!;
      if (quietMs <= expirationMs && minOffset < nextOffset) break;
      due.push(liteTopic);
    }
    return due;
  }

  /** @returns false when the log is behind: the next sweep goes on */
  async #end(due: readonly LiteTopic[]): Promise<boolean> {
    const { log, logger, pulls } = this.#core;
    try {
      this.#core.append(RECORD.liteEnd, [encodeLiteEnd(due.map(({ uid }) => uid))]);
      for (const { uid } of due) pulls.dismiss(uid);
      await log.settled();
    } catch (error) {
      if (this.#core.isStopping) return false;
      if (!(error instanceof MqError)) throw error;
      logger.warn({ err: error }, 'lite topics that have expired could not be removed; it is tried again');
      return false;
    }
    logger.info({ topicUid: due[0]!.topicUid, count: due.length }, 'lite topics have expired');
    return true;
  }
}
