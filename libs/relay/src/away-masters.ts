import type { Clock } from '@orbitmq/base';
import { Role } from '@orbitmq/protocol/orbitmq.route.v1';
import { type BrokerEntry, PERMISSION_WRITE, type RouteTable } from '@orbitmq/routing';

/** So long clients of brokers keep their routes, and with them send a message group to a broker that is away. */
export const AWAY_MS = 30_000;

interface AwayMaster {
  /** As it was registered last. */
  readonly entry: BrokerEntry;
  readonly sinceMs: number;
}

/**
 * Brokers whose master has left the routes not long ago: as they restart, or until another member leads. What has to stay in order with
 * what they have is theirs meanwhile.
 */
export class AwayMasters {
  readonly #table: RouteTable;
  readonly #clock: Clock;
  readonly #away = new Map<string, AwayMaster>();
  readonly #waiting = new Set<() => void>();
  readonly #stopFollowing: () => void;
  #led: ReadonlyMap<string, BrokerEntry> = new Map();

  constructor(table: RouteTable, clock: Clock) {
    this.#table = table;
    this.#clock = clock;
    this.#stopFollowing = table.onChange(() => this.#follow());
    this.#follow();
  }

  /** Whether a broker is away, and for no longer than `AWAY_MS`. */
  has(brokerName: string): boolean {
    const master = this.#away.get(brokerName);
    return master !== undefined && this.#clock.monotonicMs() - master.sinceMs < AWAY_MS;
  }

  /** Names of those that took messages of a topic when they were there. */
  writersOf(topicName: string): readonly string[] {
    if (this.#away.size === 0) return NOBODY;
    return [...this.#away.keys()].filter(
      (name) => this.has(name) && isWritable(this.#away.get(name)!.entry, topicName),
    );
  }

  /** Settles when the broker has a master again, at the latest after `waitMs`. */
  back(brokerName: string, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#waiting.delete(look);
        resolve();
      };
      const look = (): void => {
        if (!this.has(brokerName)) end();
      };
      const timer = this.#clock.setTimer(waitMs, end);
      this.#waiting.add(look);
    });
  }

  /** Lets nobody wait any more. */
  close(): void {
    this.#stopFollowing();
    this.#away.clear();
    for (const look of [...this.#waiting]) look();
  }

  #follow(): void {
    const masters = this.#table.masters().filter(({ identity }) => identity.role === Role.ROLE_MASTER);
    const led = new Map(masters.map((entry) => [entry.identity.brokerName, entry]));
    for (const [name, entry] of this.#led) {
      if (!led.has(name)) this.#away.set(name, { entry, sinceMs: this.#clock.monotonicMs() });
    }
    for (const name of [...this.#away.keys()]) if (led.has(name) || !this.has(name)) this.#away.delete(name);
    this.#led = led;
    for (const look of [...this.#waiting]) look();
  }
}

const NOBODY: readonly string[] = [];

function isWritable({ topics, status }: BrokerEntry, topicName: string): boolean {
  return ((topics.get(topicName)?.permission ?? 0) & status.permission & PERMISSION_WRITE) !== 0;
}
