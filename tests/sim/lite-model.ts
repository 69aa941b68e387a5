import assert from 'node:assert/strict';

/** A message for a lite topic as its producer knows it. */
export interface LiteMessage {
  readonly id: number;
  readonly life: LiteLife;
  /** `unknown`: the process died before it was answered for. `lost`: it turned out not to be there. */
  state: 'pending' | 'stored' | 'unknown' | 'lost';
}

/** One life of a lite topic: from the message that made it to its expiry. */
export interface LiteLife {
  readonly name: string;
  readonly queueId: number;
  readonly messages: LiteMessage[];
  /** Simulated time of the last message that was answered for. */
  lastStoredMs: number;
  isOver: boolean;
}

/**
 * What a group may be given again: `asked` = it has been acknowledged, or an offset been set, and that may not be stored;
 * `rewound`, `skipped` = the same of an offset that is being set.
 */
type Settled = 'no' | 'asked' | 'yes' | 'rewound' | 'skipped';

interface Holding {
  settled: Settled;
  /** It is handed out at least up to then; 0 when it is not. */
  heldUntilMs: number;
  /** The newest one that is known. */
  leaseId: number;
}

/** A part of what one receive gave: messages of one lite topic. */
export interface LiteBatch {
  readonly messages: readonly LiteMessage[];
  readonly leaseId: number;
}

/** What one group knows of lite topics, and what it may therefore be given. */
export class LiteModel {
  readonly name: string;
  readonly #holdings = new Map<number, Holding>();
  #moveCount = 0;
  #restCount = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** How often an offset was set: what was under way then may belong to before or after. */
  get moveCount(): number {
    return this.#moveCount;
  }

  /** How often something was given back: it may rest since a batch was taken that is still under way. */
  get restCount(): number {
    return this.#restCount;
  }

  holding(message: LiteMessage): Holding {
    let holding = this.#holdings.get(message.id);
    if (holding === undefined) {
      holding = { settled: 'no', heldUntilMs: 0, leaseId: 0 };
      this.#holdings.set(message.id, holding);
    }
    return holding;
  }

  /**
   * A batch has come.
   * @param heldUntilMs the earliest moment at which its leases may end
   * @param restCount as it was when the batch was asked for
   */
  delivered({ messages, leaseId }: LiteBatch, nowMs: number, heldUntilMs: number, restCount: number): void {
    const isUndisturbed = restCount === this.#restCount;
    // Answers may overtake each other: an older one says nothing about what is known from a newer one.
    const isNews = (message: LiteMessage): boolean => this.holding(message).leaseId < leaseId;
    for (const [index, message] of messages.entries()) {
      if (message.life.isOver || !isNews(message)) continue;
      assert.notEqual(message.state, 'lost', `${message.id} comes although another has its place`);
      if (message.state === 'unknown') message.state = 'stored';
      const about = `${this.name}: ${message.id} of ${message.life.name}`;
      assert.notEqual(this.holding(message).settled, 'yes', `C4: ${about} comes although it is settled`);
      for (const other of message.life.messages) {
        const held = this.holding(other);
        const goesBefore = messages.lastIndexOf(other, index) >= 0;
        if (other.id < message.id && other.state === 'stored' && !goesBefore) {
          assert.notEqual(held.settled, 'no', `O1: ${about} comes before ${other.id} is settled`);
        }
        const isHeld = held.heldUntilMs > nowMs && isUndisturbed && isNews(other);
        assert.ok(!isHeld, `O1: ${about} comes while ${other.id} is handed out`);
      }
    }
    for (const message of messages) {
      if (isNews(message)) Object.assign(this.holding(message), { settled: 'no', heldUntilMs, leaseId });
    }
  }

  /** A batch has come, and an offset was set while it was under way. */
  deliveredMeanwhile({ messages }: LiteBatch): void {
    for (const message of messages) Object.assign(this.holding(message), { settled: 'asked', heldUntilMs: 0 });
  }

  /** One message, or all that is handed out of its life, rests until then at least. */
  rests(message: LiteMessage, untilMs: number, isAll: boolean): void {
    this.#restCount++;
    for (const each of isAll ? message.life.messages : [message]) {
      const holding = this.holding(each);
      if (holding.heldUntilMs > 0) holding.heldUntilMs = untilMs;
    }
  }

  /** The offset is being set. @returns what is to be called when that is stored */
  moves(life: LiteLife, to: 'rewound' | 'skipped'): () => void {
    this.#moveCount++;
    const holdings = life.messages.map((message) => this.holding(message));
    for (const holding of holdings) Object.assign(holding, { settled: to, heldUntilMs: 0 });
    return () => {
      for (const holding of holdings) {
        if (holding.settled === to) holding.settled = to === 'rewound' ? 'no' : 'yes';
      }
    };
  }

  /** The process has died: what was not stored may have been forgotten, what was handed out may end sooner. */
  dies(): void {
    for (const holding of this.#holdings.values()) {
      if (holding.settled === 'rewound' || holding.settled === 'skipped') holding.settled = 'asked';
      holding.heldUntilMs = 0;
      holding.leaseId = 0;
    }
  }

  /** In the end everything has come. */
  check(lives: readonly LiteLife[]): void {
    for (const { isOver, messages } of lives) {
      if (isOver) continue;
      for (const message of messages) {
        if (message.state !== 'stored') continue;
        assert.notEqual(this.holding(message).settled, 'no', `D1: ${this.name} has not got ${message.id}`);
      }
    }
  }
}
