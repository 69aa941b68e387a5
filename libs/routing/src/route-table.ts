import { assert } from '@orbitmq/base';
import { type BrokerIdentity, type BrokerStatus, Role, type Topic } from '@orbitmq/protocol/orbitmq.route.v1';
import { type BrokerEntry, compareAge, type Registration } from './broker-entry.ts';
import { RegistrationError } from './registration-error.ts';
import { buildRoute, type Route } from './route.ts';

export interface RouteTableOptions {
  /** A broker that says nothing for so long is taken out. Milliseconds. */
  readonly silenceMs: number;
  /** A broker whose stream ended is taken out after so long, unless it comes back. Milliseconds. */
  readonly graceMs: number;
  /** More brokers than these are refused. */
  readonly brokerCountMax: number;
}

/** A topic as one broker holds it. */
export interface Placement {
  readonly broker: BrokerIdentity;
  readonly topic: Topic;
}

type MutableEntry = { -readonly [Key in keyof BrokerEntry]: BrokerEntry[Key] } & { topics: Map<string, Topic> };

/** Routes that are kept until the next change. */
const CACHED_ROUTES_MAX = 2000;

/**
 * What a name server knows: registered brokers and their topics, and the routes that follow from them. In memory only,
 * built again from registrations after a restart. Times are monotonic milliseconds, handed in.
 */
export class RouteTable {
  readonly #options: RouteTableOptions;
  /** By `keyOf(identity)`. */
  readonly #entries = new Map<string, MutableEntry>();
  readonly #routes = new Map<string, Route>();
  readonly #listeners = new Set<() => void>();
  #masters: readonly BrokerEntry[] = [];
  #version = 0;
  #expiredAtMs: number | undefined;

  constructor(options: RouteTableOptions) {
    this.#options = options;
  }

  /** Raised by each change that a route may show. */
  get version(): number {
    return this.#version;
  }

  /** Calls `listener` after each change of `version`. Returns the way to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** All brokers, masters and slaves, in no particular order. */
  brokers(): IterableIterator<BrokerEntry> {
    return this.#entries.values();
  }

  /**
   * The brokers that routes show: for each broker name the newest master, or where there is none a slave that stands in for it, which
   * can only be read; by cluster and name.
   */
  masters(): readonly BrokerEntry[] {
    return this.#masters;
  }

  /** The newest master of a broker name, or who stands in for it. */
  masterOf(brokerName: string): BrokerEntry | undefined {
    return this.#masters.find((entry) => entry.identity.brokerName === brokerName);
  }

  /** What clients are told about a topic. Valid until `version` changes; not to be altered. */
  routeOf(topicName: string): Route {
    const cached = this.#routes.get(topicName);
    if (cached) return cached;
    const route = buildRoute(topicName, this.#masters);
    if (this.#routes.size >= CACHED_ROUTES_MAX) this.#routes.clear();
    this.#routes.set(topicName, route);
    return route;
  }

  /** Who holds a topic, masters and slaves. */
  placementsOf(topicName: string): Placement[] {
    const placements: Placement[] = [];
    for (const entry of this.#entries.values()) {
      const topic = entry.topics.get(topicName);
      if (topic) placements.push({ broker: entry.identity, topic });
    }
    return placements.sort((left, right) => byName(left.broker, right.broker));
  }

  /** Names of all topics of all brokers, sorted. */
  topicNames(): string[] {
    const names = new Set<string>();
    for (const entry of this.#entries.values()) for (const name of entry.topics.keys()) names.add(name);
    return [...names].sort();
  }

  /**
   * Checks that a registration of `identity` would be taken, before all its topics have come.
   * @throws RegistrationError superseded, full
   */
  admit(identity: BrokerIdentity): void {
    const current = this.#entries.get(keyOf(identity));
    if (!current) {
      if (this.#entries.size < this.#options.brokerCountMax) return;
      throw new RegistrationError('full', `this name server knows ${this.#entries.size} brokers and takes no more`);
    }
    const age = compareAge(identity, current.identity);
    const isPredecessorGone = current.owner === undefined && identity.epoch === current.identity.epoch;
    if (age < 0 && !isPredecessorGone) throw superseded(identity, current.identity);
  }

  /**
   * Puts a broker in the place of an earlier registration of the same name and id. `owner` speaks for it from now on.
   * @throws RegistrationError superseded, full
   */
  register(registration: Registration, owner: object, nowMs: number): void {
    this.admit(registration.identity);
    this.#entries.set(keyOf(registration.identity), {
      identity: registration.identity,
      status: registration.status,
      dialled: registration.dialled,
      topics: registration.topics,
      version: registration.version,
      owner,
      registeredMs: nowMs,
      heardMs: nowMs,
    });
    this.#changed();
  }

  /** The broker that `owner` speaks for; undefined when it was taken out or belongs to a later stream. */
  owned(identity: BrokerIdentity, owner: object): BrokerEntry | undefined {
    const entry = this.#entries.get(keyOf(identity));
    return entry?.owner === owner ? entry : undefined;
  }

  /** Notes a sign of life. `entry` comes from `owned`. */
  heard(entry: BrokerEntry, nowMs: number): void {
    this.#mutable(entry).heardMs = nowMs;
  }

  /** Puts and removes topics, as one change. */
  changeTopics(entry: BrokerEntry, put: readonly Topic[], removed: readonly string[], version: bigint): void {
    const mutable = this.#mutable(entry);
    for (const name of removed) mutable.topics.delete(name);
    for (const topic of put) mutable.topics.set(topic.name, topic);
    mutable.version = version;
    this.#changed();
  }

  changeStatus(entry: BrokerEntry, status: BrokerStatus): void {
    this.#mutable(entry).status = status;
    this.#changed();
  }

  /** The stream of the broker ended without a word: it stays for the grace. */
  disconnect(entry: BrokerEntry, nowMs: number): void {
    const mutable = this.#mutable(entry);
    mutable.owner = undefined;
    mutable.heardMs = nowMs;
  }

  /** Takes a broker out at once. */
  remove(entry: BrokerEntry): void {
    this.#mutable(entry);
    this.#entries.delete(keyOf(entry.identity));
    this.#changed();
  }

  /**
   * Takes out the brokers that have been silent, or without a stream, for too long. To be called several times within
   * `graceMs`: a longer gap means that this process stood still, and then what the brokers have said meanwhile has not
   * been read yet, so that their time begins anew.
   */
  expire(nowMs: number): BrokerEntry[] {
    const gapMs = nowMs - (this.#expiredAtMs ?? nowMs);
    this.#expiredAtMs = nowMs;
    if (gapMs > this.#options.graceMs) for (const entry of this.#entries.values()) entry.heardMs = nowMs;
    const expired: BrokerEntry[] = [];
    for (const entry of this.#entries.values()) {
      const patienceMs = entry.owner === undefined ? this.#options.graceMs : this.#options.silenceMs;
      if (nowMs - entry.heardMs >= patienceMs) expired.push(entry);
    }
    for (const entry of expired) this.remove(entry);
    return expired;
  }

  #mutable(entry: BrokerEntry): MutableEntry {
    const mutable = this.#entries.get(keyOf(entry.identity));
    assert(mutable === entry, `broker ${entry.identity.brokerName} changed after it was taken out`);
    return mutable;
  }

  #changed(): void {
    this.#version++;
    this.#routes.clear();
    this.#masters = newestMasters(this.#entries.values());
    for (const listener of [...this.#listeners]) listener();
  }
}

function keyOf(identity: BrokerIdentity): string {
  return `${identity.brokerId}/${identity.brokerName}`;
}

function superseded(refused: BrokerIdentity, current: BrokerIdentity): RegistrationError {
  return new RegistrationError(
    'superseded',
    `broker ${refused.brokerName} (id ${refused.brokerId}) of epoch ${refused.epoch}, incarnation ${refused.incarnation} ` +
      `is refused: epoch ${current.epoch}, incarnation ${current.incarnation} of the same broker is registered; ` +
      'stop one of the two, or give it another brokerName',
  );
}

/** For each broker name the newest master; where there is none, of the slaves that stand in for it that of the lowest id. */
function newestMasters(entries: Iterable<BrokerEntry>): BrokerEntry[] {
  const newest = new Map<string, BrokerEntry>();
  for (const entry of entries) {
    const { role, acting, brokerName } = entry.identity;
    if (role !== Role.ROLE_MASTER && !acting) continue;
    const other = newest.get(brokerName);
    if (other === undefined || isPreferred(entry, other)) newest.set(brokerName, entry);
  }
  return [...newest.values()].sort((left, right) => byName(left.identity, right.identity));
}

function isPreferred(one: BrokerEntry, other: BrokerEntry): boolean {
  const isMaster = one.identity.role === Role.ROLE_MASTER;
  // A slave stands in when it knows that the master is away, which then only stays for the grace.
  if (isMaster !== (other.identity.role === Role.ROLE_MASTER)) {
    return (isMaster ? one : other).owner === undefined ? !isMaster : isMaster;
  }
  return isMaster ? compareAge(one.identity, other.identity) > 0 : one.identity.brokerId < other.identity.brokerId;
}

function byName(left: BrokerIdentity, right: BrokerIdentity): number {
  if (left.cluster !== right.cluster) return left.cluster < right.cluster ? -1 : 1;
  if (left.brokerName !== right.brokerName) return left.brokerName < right.brokerName ? -1 : 1;
  return left.brokerId - right.brokerId;
}
