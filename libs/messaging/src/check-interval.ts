import { HOUR_MS, MqError, quoted, SECOND_MS } from '@orbitmq/base';
import { PropertyReader } from '@orbitmq/protocol';
import { CHECK_INTERVAL_ATTRIBUTE, type MessageBytes } from '@orbitmq/shard';
import type { Topic } from '@orbitmq/views';

/**
 * User property by which a producer says how long to wait between two checks of this transaction. Milliseconds. The
 * API has no groups of producers, so what belongs to a producer travels with its messages.
 */
export const CHECK_INTERVAL_PROPERTY = 'ORBITMQ_TRANSACTION_CHECK_INTERVAL';

const INTERVAL_MS_MIN = SECOND_MS;
const INTERVAL_MS_MAX = HOUR_MS;

/** Finds the pause between two checks of a transaction: the producer's, or its topic's, or the broker's. */
export class CheckIntervals {
  private readonly properties = new PropertyReader([CHECK_INTERVAL_PROPERTY]);
  private readonly defaultMs: number;

  /** @param defaultMs the broker's */
  constructor(defaultMs: number) {
    this.defaultMs = defaultMs;
  }

  /**
   * Checks what a half message says about itself.
   * @throws MqError BAD_REQUEST when that is no interval
   */
  check(message: MessageBytes): void {
    const text = this.textOf(message);
    if (text === undefined || intervalOf(text) !== undefined) return;
    throw new MqError(
      'BAD_REQUEST',
      `user property ${CHECK_INTERVAL_PROPERTY} is milliseconds, ${INTERVAL_MS_MIN}…${INTERVAL_MS_MAX}; found ${quoted(text)}; correct or drop it`,
    );
  }

  /** @param message undefined when it can't be read @returns milliseconds */
  of(topic: Topic, message: MessageBytes | undefined): number {
    const own = message && this.textOf(message);
    return intervalOf(own) ?? intervalOf(topic.attributes.get(CHECK_INTERVAL_ATTRIBUTE)) ?? this.defaultMs;
  }

  private textOf(message: MessageBytes): string | undefined {
    this.properties.open(message);
    const text = this.properties.get(CHECK_INTERVAL_PROPERTY);
    this.properties.close();
    return text;
  }
}

function intervalOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{4,7}$/.test(text)) return undefined;
  const intervalMs = Number(text);
  return intervalMs >= INTERVAL_MS_MIN && intervalMs <= INTERVAL_MS_MAX ? intervalMs : undefined;
}
