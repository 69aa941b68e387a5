import type { Delivery } from '@orbitmq/shard';
import { Violation } from './model.ts';

export interface OrderedMessage {
  readonly id: number;
  /** Message group. */
  readonly key: string;
  readonly physicalOffset: number;
  /** `unknown`: its process died before the answer; it may come or not. */
  state: 'pending' | 'stored' | 'unknown';
}

/** What a group knows of a message. */
interface Holding {
  attempt: number;
  leaseId: number;
  settled: 'no' | 'asked' | 'yes';
  /** A consumer has asked for it to become a dead letter. */
  isForwarded: boolean;
  redrivenCount: number;
}

/** A message was handed out: one before it of its message group must have been a dead letter by then. */
interface Claim {
  readonly earlierId: number;
  readonly laterId: number;
  readonly leaseId: number;
}

/** One consumer group's knowledge, and what must hold of it. */
export class OrderedModel {
  readonly name: string;
  readonly attemptMax: number;
  readonly holdings = new Map<number, Holding>();
  readonly #messages: readonly OrderedMessage[];
  #claims: Claim[] = [];

  constructor(name: string, retryMaxTimes: number, messages: readonly OrderedMessage[]) {
    this.name = name;
    this.attemptMax = retryMaxTimes + 1;
    this.#messages = messages;
  }

  /** @param batch what the same receive gave before it, of the same queue */
  delivered(delivery: Delivery, id: number, batch: ReadonlySet<number>): void {
    const message = this.#messages[id];
    const holding = this.holding(id);
    const { attempt, leaseId } = delivery;
    const facts = { group: this.name, id, attempt, leaseId, message, holding };
    if (message === undefined) throw new Violation('what is delivered was sent', facts);
    if (message.state === 'pending') throw new Violation('D8 consumers see only what is stored', facts);
    message.state = 'stored';
    // An answer that was overtaken.
    if (leaseId < holding.leaseId) return;
    if (attempt > this.attemptMax) throw new Violation('a message comes no oftener than it may', facts);
    if (holding.settled === 'yes') throw new Violation('C2 what was acked does not come again', facts);
    holding.attempt = attempt;
    holding.leaseId = leaseId;
    holding.settled = 'no';
    for (const earlier of this.#messages) {
      if (earlier.key !== message.key || earlier.physicalOffset >= message.physicalOffset) continue;
      if (earlier.state !== 'stored' || batch.has(earlier.id)) continue;
      if (this.holding(earlier.id).settled === 'no') this.#claims.push({ earlierId: earlier.id, laterId: id, leaseId });
    }
  }

  holding(id: number): Holding {
    let holding = this.holdings.get(id);
    if (holding === undefined) {
      holding = { attempt: 0, leaseId: -1, settled: 'no', isForwarded: false, redrivenCount: 0 };
      this.holdings.set(id, holding);
    }
    return holding;
  }

  /** The dead letter is with its group again. */
  redriven(id: number): void {
    const holding = this.holding(id);
    holding.redrivenCount++;
    holding.attempt = 0;
    holding.settled = 'no';
  }

  /**
   * Looks back when everything is over.
   * @param letters the group's dead letters, in order
   * @param isExact no process has died: what was handed out was seen
   */
  check(letters: readonly { readonly id: number; readonly physicalOffset: number }[], isExact: boolean): void {
    const deadAt = Map.groupBy(letters, ({ id }) => id);
    for (const [id, dead] of deadAt) {
      const holding = this.holding(id);
      const facts = { group: this.name, id, dead, holding, attemptMax: this.attemptMax };
      const deadMax = holding.settled === 'yes' ? holding.redrivenCount : holding.redrivenCount + 1;
      if (dead.length > deadMax)
        throw new Violation('a message is a dead letter once, and not when it was acked', facts);
      if (isExact && !holding.isForwarded && holding.redrivenCount === 0 && holding.attempt !== this.attemptMax) {
        throw new Violation('a message becomes a dead letter where its attempts end', facts);
      }
    }
    for (const { id, state } of this.#messages) {
      const holding = this.holding(id);
      const isDead = (deadAt.get(id)?.length ?? 0) > holding.redrivenCount;
      if (state !== 'stored' || holding.settled !== 'no' || isDead) continue;
      throw new Violation('C1 every message is acked or a dead letter', { group: this.name, id, holding });
    }
    for (const claim of this.#claims) {
      const dead = deadAt.get(claim.earlierId) ?? [];
      if (dead.some(({ physicalOffset }) => physicalOffset < claim.leaseId)) continue;
      throw new Violation('O1 what comes first is settled first', { group: this.name, ...claim, dead });
    }
    this.#claims = [];
  }
}
