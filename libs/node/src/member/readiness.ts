import type { Clock, Timer } from '@orbitmq/base';
import type { Component, Health } from '@orbitmq/runtime';
import type { ShardMember } from './shard-member.ts';

/** What of a member decides whether it is ready. */
export type ReadyMember = Pick<ShardMember, 'leader' | 'tenure' | 'isInSync'> & {
  readonly election: { readonly refusal: string | undefined } | undefined;
  /** It serves consumers in the place of its leader. */
  readonly acting?: object | undefined;
};

export interface MemberReadinessOptions {
  readonly brokerName: string;
  readonly member: ReadyMember;
  readonly health: Health;
  readonly clock: Clock;
}

const CONDITION = 'member';
const CHECK_MS = 100;
/** A member that was in sync stays ready for so long without it: leaders change. Milliseconds. */
const PATIENCE_MS = 5_000;

/**
 * Keeps a member from being ready while it neither leads nor could: whoever restarts members one after the other waits for
 * that. A leader waits for nobody.
 */
export class MemberReadiness implements Component {
  readonly name = 'readiness';
  readonly #options: MemberReadinessOptions;
  #isReady = false;
  #unfitSinceMs: number | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: MemberReadinessOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#check();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #check(): void {
    if (this.#stopped) return;
    this.#judge();
    this.#timer = this.#options.clock.setTimer(CHECK_MS, () => this.#check());
  }

  #judge(): void {
    const { health, clock } = this.#options;
    const reason = this.#reason();
    if (reason === undefined) {
      this.#isReady = true;
      this.#unfitSinceMs = undefined;
      health.clear(CONDITION);
      return;
    }
    this.#unfitSinceMs ??= clock.monotonicMs();
    if (this.#isReady && clock.monotonicMs() - this.#unfitSinceMs < PATIENCE_MS) return;
    this.#isReady = false;
    health.hold(CONDITION, reason);
  }

  #reason(): string | undefined {
    const { brokerName, member } = this.#options;
    if (member.tenure !== undefined || member.isInSync || member.acting !== undefined) return undefined;
    if (member.leader !== undefined) return `this copy of ${brokerName} is not in sync with its master yet`;
    const refusal = member.election?.refusal;
    return `${brokerName} has no master that this member could follow${refusal ? `: ${refusal}` : ''}`;
  }
}
