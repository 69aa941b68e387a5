import type { Clock, Timer } from '@orbitmq/base';

/** What the in-sync set tells, and asks. */
export interface InSyncSetOptions {
  /** The leader: always in. */
  readonly self: number;
  readonly clock: Clock;
  /**
   * Makes the members known, durably where others go by them; false = it is not known whether they are. With static roles
   * there is nobody to tell.
   */
  publish(members: readonly number[]): Promise<boolean>;
  /** Called after any change of `members` or `required`. */
  onChange(): void;
}

/** Between two attempts to publish. */
const RETRY_MS = 200;

/**
 * Members that have everything confirmed, as the leader keeps them. Whoever could be promoted must be waited for: a member
 * is required from before its joining is published until after its leaving is.
 */
export class InSyncSet {
  readonly #options: InSyncSetOptions;
  readonly #desired: Set<number>;
  /** Members that others may go by: the last that are published, and all that may have been since. */
  #required: Set<number>;
  #members: readonly number[];
  #publishing = false;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: InSyncSetOptions) {
    this.#options = options;
    this.#desired = new Set([options.self]);
    this.#required = new Set([options.self]);
    this.#members = [options.self];
  }

  /** As it was published last; ascending. */
  get members(): readonly number[] {
    return this.#members;
  }

  /** Must have stored what is to be confirmed. */
  requires(member: number): boolean {
    return this.#required.has(member);
  }

  /** Members beside the leader that must have stored what is to be confirmed. */
  *requiredOthers(): IterableIterator<number> {
    for (const member of this.#required) if (member !== this.#options.self) yield member;
  }

  isWanted(member: number): boolean {
    return this.#desired.has(member);
  }

  join(member: number): void {
    if (this.#desired.has(member)) return;
    this.#desired.add(member);
    this.#required.add(member);
    this.#options.onChange();
    this.#publish();
  }

  leave(member: number): void {
    if (!this.#desired.delete(member)) return;
    this.#publish();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #publish(): void {
    if (this.#publishing || this.#closed) return;
    this.#publishing = true;
    void this.#publishUntilKnown();
  }

  async #publishUntilKnown(): Promise<void> {
    while (!this.#closed) {
      const wanted = [...this.#desired].sort((one, other) => one - other);
      if (await this.#options.publish(wanted)) {
        this.#members = wanted;
        // What was wanted meanwhile is required too, and what left meanwhile still is.
        this.#required = new Set([...wanted, ...this.#desired]);
        if (this.#closed) break;
        this.#options.onChange();
        if (wanted.length === this.#desired.size && wanted.every((member) => this.#desired.has(member))) break;
      } else {
        await new Promise<void>((resolve) => {
          this.#timer = this.#options.clock.setTimer(RETRY_MS, resolve);
        });
      }
    }
    this.#publishing = false;
  }
}
