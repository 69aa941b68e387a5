import { type Clock, systemClock } from '@orbitmq/base';
import type { Component } from './component.ts';
import type { Health } from './health.ts';
import type { Logger } from './logger.ts';

/** Longest that an orderly stop may take before the process ends anyway. Milliseconds. */
const STOP_DEADLINE_MS = 9_000;
/** Signals that come within this time of the first one say the same. Milliseconds. */
const SAME_WISH_MS = 500;
/** Exit codes: an orderly end, an end by an error, and one without an orderly stop because of a second signal. */
const EXIT = { ok: 0, failed: 1, impatient: 130 } as const;

/** What a lifecycle needs from outside; a test gives it something else than the process. */
export interface LifecycleOptions {
  readonly logger: Logger;
  readonly health: Health;
  readonly clock?: Clock;
  readonly stopDeadlineMs?: number;
  /** Ends the process. */
  readonly exit?: (code: number) => void;
}

interface Opened {
  readonly name: string;
  readonly stop: (deadlineMs: number) => Promise<void>;
}

/**
 * The life of a service: its parts are opened in written order and stopped in reverse, within one deadline. A part that
 * is opened while a stop is already under way is stopped as well.
 */
export class Lifecycle {
  readonly #logger: Logger;
  readonly #health: Health;
  readonly #clock: Clock;
  readonly #stopDeadlineMs: number;
  readonly #exit: (code: number) => void;
  readonly #opened: Opened[] = [];
  #stopping: Promise<boolean> | undefined;
  #signalledAtMs: number | undefined;

  constructor(options: LifecycleOptions) {
    this.#logger = options.logger;
    this.#health = options.health;
    this.#clock = options.clock ?? systemClock;
    this.#stopDeadlineMs = options.stopDeadlineMs ?? STOP_DEADLINE_MS;
    this.#exit = options.exit ?? ((code) => process.exit(code));
    this.#health.hold('start', 'starting');
  }

  /** A stop has begun. */
  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /**
   * Opens a part and remembers how to stop it.
   * @returns what `open` gave
   * @throws what `open` throws, and `StoppingError` when the service has begun to stop
   */
  async open<Part>(
    name: string,
    open: () => Part | Promise<Part>,
    stop: (part: Part, deadlineMs: number) => unknown,
  ): Promise<Part> {
    if (this.stopping) throw new StoppingError();
    const part = await open();
    const opened: Opened = { name, stop: async (deadlineMs) => void (await stop(part, deadlineMs)) };
    if (this.stopping) {
      await this.#stopPart(opened, this.#stopDeadlineMs);
      throw new StoppingError();
    }
    this.#opened.push(opened);
    return part;
  }

  /** Starts a component; it is stopped also when its start fails. */
  async start(component: Component): Promise<void> {
    if (this.stopping) throw new StoppingError();
    this.#opened.push({ name: component.name, stop: (deadlineMs) => component.stop(deadlineMs) });
    await component.start();
    if (this.stopping) throw new StoppingError();
  }

  /** All parts are open: the service is ready as far as its start goes. */
  started(): void {
    if (!this.stopping) this.#health.clear('start');
  }

  /** Stops all parts in reverse order within the deadline. Idempotent. @returns whether all ended well */
  stop(): Promise<boolean> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  /** Ends the process because of an error: at once, with a line in the log and an exit code that says so. */
  fatal(error: unknown, message: string): void {
    this.#health.hold('failure', message);
    this.#logger.error({ error }, message);
    this.#exit(EXIT.failed);
  }

  /** Stops on SIGTERM and SIGINT, ends at once on a later second one, and ends on errors that nobody caught. */
  handleProcessEvents(): void {
    process.on('SIGTERM', () => void this.#onSignal('SIGTERM'));
    process.on('SIGINT', () => void this.#onSignal('SIGINT'));
    process.on('uncaughtException', (error) => this.fatal(error, 'an unexpected error ends the process'));
    process.on('unhandledRejection', (reason) => this.fatal(reason, 'an unexpected rejection ends the process'));
  }

  async #onSignal(signal: string): Promise<void> {
    if (this.#signalledAtMs !== undefined) {
      // a process group and a launcher both pass on what is one wish
      if (this.#clock.monotonicMs() - this.#signalledAtMs < SAME_WISH_MS) return;
      this.#logger.warn({ signal }, 'ending at once: a second signal came');
      return this.#exit(EXIT.impatient);
    }
    this.#signalledAtMs = this.#clock.monotonicMs();
    this.#logger.info({ signal }, 'stopping');
    const well = await this.stop();
    this.#logger.info({}, 'stopped');
    this.#exit(well ? EXIT.ok : EXIT.failed);
  }

  async #stopAll(): Promise<boolean> {
    this.#health.hold('stop', 'stopping');
    const endMs = this.#clock.monotonicMs() + this.#stopDeadlineMs;
    let well = true;
    for (let opened = this.#opened.pop(); opened; opened = this.#opened.pop()) {
      const leftMs = Math.max(0, endMs - this.#clock.monotonicMs());
      well = (await this.#stopPart(opened, leftMs)) && well;
    }
    return well;
  }

  async #stopPart(opened: Opened, deadlineMs: number): Promise<boolean> {
    const late = Promise.withResolvers<'late'>();
    const timer = this.#clock.setTimer(deadlineMs, () => late.resolve('late'));
    // Timers of the clock don't hold the process, and a part that hangs may hold nothing either.
    const holder = setInterval(() => {}, 1_000);
    try {
      const outcome = await Promise.race([opened.stop(deadlineMs), late.promise]);
      if (outcome !== 'late') return true;
      this.#logger.error({ part: opened.name, deadlineMs: Math.round(deadlineMs) }, 'a part did not stop in time');
    } catch (error) {
      this.#logger.error({ part: opened.name, error }, 'a part could not be stopped well');
    } finally {
      timer.cancel();
      clearInterval(holder);
    }
    return false;
  }
}

/** The service began to stop while it was starting. */
export class StoppingError extends Error {
  constructor() {
    super('the service is stopping');
    this.name = 'StoppingError';
  }
}
