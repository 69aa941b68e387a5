import type {
  BrokerIdentity,
  BrokerStatus,
  RegisterReply,
  RegisterRequest,
  RegisterRequest_Begin,
  RegisterRequest_TopicChanges,
  Topic,
} from '@orbitmq/protocol/orbitmq.route.v1';
import type { BrokerEntry } from './broker-entry.ts';
import { RegistrationError } from './registration-error.ts';
import { checkChanges, checkDialled, checkIdentity, checkStatus, TOPICS_PER_BROKER_MAX } from './registration-rules.ts';
import type { RouteTable } from './route-table.ts';

/** A full registration whose topics are still coming. */
interface Staged {
  readonly identity: BrokerIdentity;
  readonly status: BrokerStatus;
  readonly dialled: string | undefined;
  readonly topics: Map<string, Topic>;
}

/** A change whose further messages are still coming. */
interface PendingChange {
  readonly versionBefore: bigint;
  readonly put: Map<string, Topic>;
  readonly removed: Set<string>;
}

/**
 * One registration stream, from its first message to its end: what the broker says goes in, what the name server
 * answers comes out. A registration or a change is taken as a whole, with its last message.
 */
export class RegistrationSession {
  readonly #table: RouteTable;
  readonly #nameServerId: string;
  #identity: BrokerIdentity | undefined;
  #staged: Staged | undefined;
  #change: PendingChange | undefined;

  constructor(table: RouteTable, nameServerId: string) {
    this.#table = table;
    this.#nameServerId = nameServerId;
  }

  /** Who speaks; undefined before the first registration begins. */
  get identity(): BrokerIdentity | undefined {
    return this.#identity;
  }

  /**
   * Takes one message.
   * @returns the answer, or undefined when more messages belong to the same registration or change
   * @throws RegistrationError the stream must end with it
   */
  handle(request: RegisterRequest, nowMs: number): RegisterReply | undefined {
    if (request.begin) return this.#begin(request.begin);
    if (!this.#identity) throw new RegistrationError('invalid', 'a registration must begin with `begin`');
    if (request.topics) return this.#staged ? this.#fill(request.topics, nowMs) : this.#collect(request.topics, nowMs);
    if (request.unregister) return this.#unregister();
    const entry = this.#entry();
    if (!entry) return this.#registerAgain();
    this.#table.heard(entry, nowMs);
    if (request.status) this.#table.changeStatus(entry, checkStatus(request.status));
    if (request.heartbeat && request.heartbeat.version !== entry.version) return this.#registerAgain();
    return this.#reply(entry.version);
  }

  /** The stream ended without `unregister`. */
  close(nowMs: number): void {
    const entry = this.#identity && this.#table.owned(this.#identity, this);
    if (entry) this.#table.disconnect(entry, nowMs);
  }

  #begin({ identity, status, dialled }: RegisterRequest_Begin): undefined {
    const checked = checkIdentity(identity);
    if (this.#identity && !isSameBroker(this.#identity, checked)) {
      throw new RegistrationError('invalid', 'one stream speaks for one broker: another brokerName or brokerId came');
    }
    this.#table.admit(checked);
    this.#identity = checked;
    this.#change = undefined;
    this.#staged = {
      identity: checked,
      status: checkStatus(status),
      dialled: checkDialled(dialled),
      topics: new Map(),
    };
  }

  #fill(changes: RegisterRequest_TopicChanges, nowMs: number): RegisterReply | undefined {
    checkChanges(changes);
    const staged = this.#staged!;
    for (const topic of changes.put) staged.topics.set(topic.name, topic);
    checkTopicCount(staged.topics.size);
    const earlier = this.#table.owned(staged.identity, this);
    if (earlier) this.#table.heard(earlier, nowMs);
    if (changes.more) return undefined;
    this.#staged = undefined;
    this.#table.register({ ...staged, version: changes.version }, this, nowMs);
    return this.#reply(changes.version);
  }

  #collect(changes: RegisterRequest_TopicChanges, nowMs: number): RegisterReply | undefined {
    checkChanges(changes);
    this.#change ??= { versionBefore: changes.versionBefore, put: new Map(), removed: new Set() };
    const change = this.#change;
    for (const name of changes.removed) change.removed.add(name);
    for (const topic of changes.put) change.put.set(topic.name, topic);
    checkTopicCount(change.put.size + change.removed.size);
    if (changes.more) return undefined;
    this.#change = undefined;
    const entry = this.#entry();
    if (!entry || entry.version !== change.versionBefore) return this.#registerAgain();
    this.#table.heard(entry, nowMs);
    this.#table.changeTopics(entry, [...change.put.values()], [...change.removed], changes.version);
    checkTopicCount(entry.topics.size);
    return this.#reply(changes.version);
  }

  #unregister(): RegisterReply {
    const entry = this.#table.owned(this.#identity!, this);
    this.#staged = undefined;
    if (entry) this.#table.remove(entry);
    return this.#reply(0n);
  }

  /** The broker's entry; undefined when it was taken out for its silence. Refuses when a newer stream has taken over. */
  #entry(): BrokerEntry | undefined {
    const entry = this.#table.owned(this.#identity!, this);
    if (!entry) this.#table.admit(this.#identity!);
    return entry;
  }

  #registerAgain(): RegisterReply {
    return { nameServerId: this.#nameServerId, version: 0n, registerAgain: true };
  }

  #reply(version: bigint): RegisterReply {
    return { nameServerId: this.#nameServerId, version, registerAgain: false };
  }
}

function isSameBroker(left: BrokerIdentity, right: BrokerIdentity): boolean {
  return left.brokerName === right.brokerName && left.brokerId === right.brokerId;
}

function checkTopicCount(count: number): void {
  if (count <= TOPICS_PER_BROKER_MAX) return;
  throw new RegistrationError('invalid', `a broker can register ${TOPICS_PER_BROKER_MAX} topics, this one has more`);
}
