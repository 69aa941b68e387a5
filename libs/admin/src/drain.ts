import { type Clock, HOUR_MS, MqError } from '@orbitmq/base';
import { liteGroupOf } from '@orbitmq/protocol';
import {
  type DrainRemainder,
  type GetDrainResponse,
  DrainRemainder_Kind as Kind,
  type SetDrainRequest,
  type TopicReader,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import type { QueueProgress, Shard } from '@orbitmq/shard';
import type { Group, Topic } from '@orbitmq/views';
import type { ClientDirectory } from './client-directory.ts';

const GRACE_MS_MAX = HOUR_MS;
/** Lite topics that are looked at in one step; others are served between two. */
const LITE_PAGE = 500;
/** Groups that are asked about a topic in one step. */
const LOOKS_PER_TURN = 2_000;

/**
 * Takes a shard out of service for sends, or back into it.
 * @throws MqError BAD_REQUEST for a grace outside of its limits
 */
export async function setDrain(
  shard: Shard,
  { draining, graceMs: grace }: SetDrainRequest,
  clock: Clock,
): Promise<Record<string, never>> {
  const graceMs = Number(grace);
  if (!(graceMs >= 0 && graceMs <= GRACE_MS_MAX)) {
    throw new MqError('BAD_REQUEST', `grace_ms is ${grace}; it must be 0…${GRACE_MS_MAX}`);
  }
  const former = shard.metadata.standing.drain;
  const nowMs = Math.floor(clock.wallMs());
  if (draining) {
    const refusesFromMs = Math.min(nowMs + graceMs, former?.refusesFromMs ?? Number.POSITIVE_INFINITY);
    await shard.putStanding({ drain: { sinceMs: former?.sinceMs ?? nowMs, refusesFromMs } });
  } else if (former !== undefined) await shard.putStanding({ drain: undefined });
  return {};
}

/** What would be lost with the shard, and who reads what of it. @param readers groups that read topics elsewhere */
export async function drainOf(
  shard: Shard,
  clients: ClientDirectory,
  readers: readonly TopicReader[],
  clock: Clock,
): Promise<GetDrainResponse> {
  const { drain } = shard.metadata.standing;
  // At the begin: what is taken while it is counted may be missing.
  const graceLeftMs = drain === undefined ? 0 : Math.ceil(Math.max(0, drain.refusesFromMs - clock.wallMs()));
  const topics = topicsOf(shard);
  const read = await readersOf(shard, clients, topics, clock);
  const groupsOf = (topic: Topic): ReadonlySet<string> => {
    const elsewhere = readers.filter((reader) => reader.topic === topic.name);
    return new Set([...(read.get(topic.name) ?? []), ...elsewhere.map(({ group }) => group)]);
  };
  // Others are served while lite topics are counted, and a message may become a dead letter then: so these come first, and all else
  // is counted in one step.
  const remainders: DrainRemainder[] = [];
  for (const topic of topics) {
    if (isLite(topic)) remainders.push(...(await liteLeft(shard, topic, groupsOf(topic), clock)));
  }
  for (const topic of topicsOf(shard)) if (!isLite(topic)) remainders.push(...left(shard, topic, groupsOf(topic)));
  remainders.sort((one, other) => (one.topic === other.topic ? 0 : one.topic < other.topic ? -1 : 1));
  return {
    draining: drain !== undefined,
    sinceMs: BigInt(drain?.sinceMs ?? 0),
    graceLeftMs: BigInt(graceLeftMs),
    remainders: remainders.filter(({ count }) => count > 0n),
    readers: [...read].flatMap(([topic, groups]) => groups.map((group) => ({ topic, group }))),
  };
}

/** By name. */
function topicsOf(shard: Shard): Topic[] {
  return [...shard.metadata.topics()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

function isLite({ messageType }: Topic): boolean {
  return messageType === 'LITE';
}

/** Names of the groups that read a topic, by its name. Others are served between two looks. */
async function readersOf(
  shard: Shard,
  clients: ClientDirectory,
  topics: readonly Topic[],
  clock: Clock,
): Promise<Map<string, string[]>> {
  const read = new Readers(shard, clients);
  const found = new Map<string, string[]>();
  let lookCount = 0;
  for (const topic of topics) {
    found.set(
      topic.name,
      [...read.of(topic)].map(({ name }) => name),
    );
    lookCount += read.groupCount;
    if (lookCount < LOOKS_PER_TURN) continue;
    lookCount = 0;
    await othersTurn(clock);
  }
  return found;
}

async function othersTurn(clock: Clock): Promise<void> {
  await new Promise<void>((resolve) => void clock.setTimer(0, resolve));
}

/** Which groups read a topic: they have begun with it, their clients subscribe to it, or they are bound to it. */
class Readers {
  readonly #shard: Shard;
  readonly #groups: readonly Group[];
  readonly #subscribed = new Set<string>();

  constructor(shard: Shard, clients: ClientDirectory) {
    this.#shard = shard;
    this.#groups = [...shard.metadata.groups()];
    for (const { group, topics } of clients.connections()) {
      if (group === undefined) continue;
      for (const { topic } of topics) this.#subscribed.add(`${group} ${topic}`);
    }
  }

  get groupCount(): number {
    return this.#groups.length;
  }

  *of(topic: Topic): IterableIterator<Group> {
    for (const group of this.#groups) if (this.#reads(group, topic)) yield group;
  }

  #reads(group: Group, topic: Topic): boolean {
    if (topic.messageType === 'LITE') return liteGroupOf(group.attributes)?.bindTopic === topic.name;
    if (this.#subscribed.has(`${group.name} ${topic.name}`)) return true;
    return this.#shard.progress(group, topic).some(({ begun }) => begun);
  }
}

function left(shard: Shard, topic: Topic, groups: ReadonlySet<string>): DrainRemainder[] {
  const remainders = [
    remainder(Kind.KIND_TIMED, topic, shard.timerCount(topic)),
    remainder(Kind.KIND_OPEN_TRANSACTION, topic, shard.transactionCount(topic)),
  ];
  if (groups.size === 0) return [...remainders, remainder(Kind.KIND_UNREAD, topic, shard.keptCount(topic))];
  for (const name of groups) {
    const group = shard.metadata.group(name);
    const sums = new Sums();
    if (group === undefined) sums.addUntouched(shard.keptCount(topic));
    else for (const queue of shard.progress(group, topic)) sums.add(queue);
    remainders.push(sums.remainder(name, topic));
  }
  return remainders;
}

async function liteLeft(
  shard: Shard,
  topic: Topic,
  groups: ReadonlySet<string>,
  clock: Clock,
): Promise<DrainRemainder[]> {
  const sums = new Map([...groups].map((group) => [group, new Sums()]));
  let unreadCount = 0;
  for (let after = ''; ; ) {
    const { liteTopics, more } = shard.liteTopics(topic, after, LITE_PAGE);
    for (const { liteTopic, minOffset, maxOffset } of liteTopics) {
      unreadCount += maxOffset - minOffset;
      for (const [name, sum] of sums) {
        const group = shard.metadata.group(name);
        const queue = group && shard.liteProgress(group, topic, liteTopic);
        if (queue === undefined) sum.addUntouched(maxOffset - minOffset);
        else sum.add(queue);
      }
    }
    if (!more || liteTopics.length === 0) break;
    after = liteTopics.at(-1)!.liteTopic;
    await othersTurn(clock);
  }
  if (sums.size === 0) return [remainder(Kind.KIND_UNREAD, topic, unreadCount)];
  return [...sums].map(([group, sum]) => sum.remainder(group, topic));
}

/** Messages of a group that are not settled, over several queues. */
class Sums {
  #count = 0;
  #inflightCount = 0;

  add({ maxOffset, nextOffset, inflightCount, readyAgainCount }: QueueProgress): void {
    this.#count += Math.max(0, maxOffset - nextOffset) + inflightCount + readyAgainCount;
    this.#inflightCount += inflightCount;
  }

  /** Messages that the group has never come near. */
  addUntouched(count: number): void {
    this.#count += count;
  }

  remainder(group: string, topic: Topic): DrainRemainder {
    const counted = remainder(Kind.KIND_UNSETTLED, topic, this.#count);
    return { ...counted, group, inflightCount: BigInt(this.#inflightCount) };
  }
}

function remainder(kind: Kind, topic: Topic, count: number): DrainRemainder {
  return { kind, topic: topic.name, group: '', count: BigInt(count), inflightCount: 0n };
}
