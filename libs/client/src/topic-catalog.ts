import type { RegisterRequest, RegisterRequest_TopicChanges, Topic } from '@orbitmq/protocol/orbitmq.route.v1';

/** Topics put and removed in one message to a name server. */
const CHUNK_TOPICS_MAX = 1000;

/**
 * The topics of this broker as name servers are told: the newest state under one version, and the messages that bring a
 * name server there from nothing or from an earlier version.
 */
export class TopicCatalog {
  readonly #topics = new Map<string, Topic>();
  #version = 0n;

  /** Raised by each `refresh` that found a change. */
  get version(): bigint {
    return this.#version;
  }

  /** Takes the topics as they are now. @returns names of those that were put, altered or removed */
  refresh(topics: Iterable<Topic>): string[] {
    const changed: string[] = [];
    const gone = new Set(this.#topics.keys());
    for (const topic of topics) {
      gone.delete(topic.name);
      const known = this.#topics.get(topic.name);
      if (known && isSame(known, topic)) continue;
      this.#topics.set(topic.name, topic);
      changed.push(topic.name);
    }
    for (const name of gone) {
      this.#topics.delete(name);
      changed.push(name);
    }
    if (changed.length > 0) this.#version++;
    return changed;
  }

  /** Messages that tell all topics; the last one says that it is the last. */
  all(): RegisterRequest[] {
    return this.#messages([...this.#topics.keys()], 0n);
  }

  /** Messages that tell the changed ones to a name server that shows `versionBefore`. */
  changes(names: Iterable<string>, versionBefore: bigint): RegisterRequest[] {
    return this.#messages([...names], versionBefore);
  }

  #messages(names: readonly string[], versionBefore: bigint): RegisterRequest[] {
    const messages: RegisterRequest[] = [];
    let start = 0;
    do {
      const end = start + CHUNK_TOPICS_MAX;
      const topics = this.#chunk(names.slice(start, end), versionBefore, end < names.length);
      messages.push({ ...NOTHING, topics });
      start = end;
    } while (start < names.length);
    return messages;
  }

  #chunk(names: readonly string[], versionBefore: bigint, more: boolean): RegisterRequest_TopicChanges {
    const put: Topic[] = [];
    const removed: string[] = [];
    for (const name of names) {
      const topic = this.#topics.get(name);
      if (topic) put.push(topic);
      else removed.push(name);
    }
    return { put, removed, versionBefore, version: this.#version, more };
  }
}

const NOTHING: RegisterRequest = {
  begin: undefined,
  topics: undefined,
  status: undefined,
  heartbeat: undefined,
  unregister: undefined,
};

function isSame(left: Topic, right: Topic): boolean {
  return (
    left.readQueueCount === right.readQueueCount &&
    left.writeQueueCount === right.writeQueueCount &&
    left.permission === right.permission &&
    left.type === right.type &&
    left.autoCreated === right.autoCreated
  );
}
