import {
  applyDeclaration,
  type Declaration,
  DeclarationError,
  type GroupDefaults,
  readDeclaration,
} from '@orbitmq/admin';
import type { Clock, Timer } from '@orbitmq/base';
import type { Component, Logger } from '@orbitmq/runtime';
import type { OpenedShard } from '@orbitmq/shard';
import type { TenureTask } from './tenure-task.ts';

/** The file is looked at so often. Milliseconds. */
const POLL_MS = 2_000;

export interface ProvisionFileOptions {
  readonly path: string;
  /** Text of a file; undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  readonly groupDefaults: GroupDefaults;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something that nobody expects happened: the process must end. */
  onFatal(error: Error): void;
}

/**
 * The file with topics and groups that are to be there (`provisionFile`). The member that leads makes and alters them when its tenure
 * begins and whenever the file has changed. A file that can't be used changes nothing.
 */
export class ProvisionFile implements TenureTask, Component {
  readonly name = 'provision file';
  readonly #options: ProvisionFileOptions;
  /** As it was read last, whether it could be used or not. */
  #text: string | undefined;
  #declaration: Declaration = { topics: [], groups: [] };
  #problems: readonly string[] = [];
  #failures: readonly string[] = [];
  #shard: OpenedShard | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: ProvisionFileOptions) {
    this.#options = options;
  }

  /** What is wrong with the file as it is now; an older one is in force then. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Declared topics and groups that could not be made or altered yet. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Reads the file for the first time. @returns everything that is wrong with it */
  async load(): Promise<readonly string[]> {
    await this.#look();
    return this.#problems;
  }

  async start(): Promise<void> {
    this.#poll();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  begin(shard: OpenedShard): void {
    this.#shard = shard;
    this.#apply();
  }

  end(): void {
    this.#shard = undefined;
    this.#failures = [];
  }

  #poll(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(POLL_MS, () => {
      this.#refresh().then(
        () => this.#poll(),
        (error: Error) => this.#options.onFatal(error),
      );
    });
  }

  async #refresh(): Promise<void> {
    const before = this.#text;
    const hadProblems = this.#problems.join();
    await this.#look();
    const isSame = before === this.#text && hadProblems === this.#problems.join();
    if (!isSame && this.#problems.length > 0) {
      this.#options.logger.error(
        { path: this.#options.path, problems: this.#problems },
        'the provision file can not be used; what it said before stays in force',
      );
    } else if (!isSame || this.#failures.length > 0) this.#apply();
  }

  async #look(): Promise<void> {
    const { path, groupDefaults } = this.#options;
    const text = await this.#read();
    if (typeof text !== 'string') {
      this.#problems = [`${path} ${text.problem}`];
      this.#text = undefined;
      return;
    }
    if (text === this.#text) return;
    this.#text = text;
    try {
      this.#declaration = readDeclaration(text, groupDefaults);
      this.#problems = [];
    } catch (error) {
      if (!(error instanceof DeclarationError)) throw error;
      this.#problems = error.problems.map((problem) => `${path}: ${problem}`);
    }
  }

  async #read(): Promise<string | { readonly problem: string }> {
    try {
      return (await this.#options.read(this.#options.path)) ?? { problem: 'is not there' };
    } catch (error) {
      return { problem: `can not be read: ${(error as Error).message}` };
    }
  }

  /** Begins in the same step. */
  #apply(): void {
    const { logger, groupDefaults, path, onFatal } = this.#options;
    const shard = this.#shard;
    if (shard === undefined) return;
    const told = this.#failures.join();
    applyDeclaration(shard, this.#declaration, groupDefaults).then(
      ({ createdCount, alteredCount, failures }) => {
        if (this.#shard !== shard) return;
        this.#failures = failures;
        if (createdCount + alteredCount > 0) {
          logger.info({ path, createdCount, alteredCount }, 'declared topics and groups were made or altered');
        }
        if (failures.length > 0 && failures.join() !== told) {
          logger.error(
            { path, failures },
            'declared topics and groups could not be made or altered; it is tried again',
          );
        }
      },
      (error: Error) => {
        if (this.#shard === shard) onFatal(error);
      },
    );
  }
}
