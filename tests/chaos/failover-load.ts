import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { AdminClient } from '@orbitmq/client';
import type { Member } from '../cluster.ts';
import { MessagingClient } from '../e2e/messaging-client.ts';
import { History } from './history.ts';

/** The shortest that a consumer may ask for. */
const INVISIBLE_MS = 10_000;
/** A call to a broker that is silent is given up after so long. */
const CALL_MS = 3_000;
/** A receive must have at least 5 s until its deadline, which is this and CALL_MS. */
const POLLING_MS = 3_000;
/** Between two sends of one producer: the machine has other things to do too. */
const PAUSE_MS = 5;
const MESSAGE_GROUPS = 3;
/** When all faults have gone, something that must come does within so long: a message is invisible for less. */
const PROGRESS_MS = 40_000;
/** A message that must not come again is waited for so long. */
const AFTERWARDS_MS = 1_500;

interface Target {
  readonly topic: string;
  readonly group: string;
}

/** Clients that go on whatever happens to the members of a shard, until they are told to stop; they write a history. */
export class FailoverLoad {
  readonly history: History;
  readonly plain: Target;
  readonly orderly: Target;
  readonly #endpoints: readonly string[];
  readonly #producers: Promise<void>[] = [];
  readonly #consumers: Promise<void>[] = [];
  readonly #name: string;
  #sending = true;
  #receiving = true;
  #storedCount = 0;
  #storedMs = 0;
  #gapMs = 0;

  private constructor(name: string, endpoints: readonly string[]) {
    this.#name = name;
    this.#endpoints = endpoints;
    this.plain = { topic: `${name}-plain`, group: `${name}-plain-readers` };
    this.orderly = { topic: `${name}-orderly`, group: `${name}-orderly-readers` };
    this.history = new History([this.plain.group, this.orderly.group], true);
  }

  /**
   * Begins, and waits until messages are stored.
   * @param leader makes the groups
   * @param endpoints of members and name servers, over which the clients are spread
   */
  static async start(
    name: string,
    leader: Pick<Member, 'adminPort'>,
    endpoints: readonly string[],
  ): Promise<FailoverLoad> {
    const load = new FailoverLoad(name, endpoints);
    await makeOrderly(leader, load.orderly.group);
    load.#begin();
    try {
      await load.stored(20);
      return load;
    } catch (error) {
      await load.stop();
      throw error;
    }
  }

  /** Messages that were stored for certain. */
  get storedCount(): number {
    return this.#storedCount;
  }

  /** Longest time between two messages that were stored for certain. Milliseconds. */
  get gapMs(): number {
    return this.#gapMs;
  }

  /** Waits until so many more messages are stored. */
  async stored(count: number, patienceMs = 30_000): Promise<void> {
    const target = this.#storedCount + count;
    const endMs = performance.now() + patienceMs;
    while (this.#storedCount < target) {
      assert.ok(performance.now() < endMs, `${target - this.#storedCount} of ${count} messages could not be sent`);
      await pause(10);
    }
  }

  /**
   * Stops to send, and waits until all that must come has come, or nothing of it comes any more.
   * @returns how many messages had not come yet when the last one was sent
   */
  async drain(): Promise<number> {
    this.#sending = false;
    await Promise.all(this.#producers);
    const behindCount = this.history.missing().length;
    let missingCount = behindCount;
    let progressMs = performance.now();
    while (missingCount > 0 && performance.now() - progressMs < PROGRESS_MS) {
      await pause(200);
      const count = this.history.missing().length;
      if (count < missingCount) progressMs = performance.now();
      missingCount = count;
    }
    await pause(AFTERWARDS_MS);
    await this.stop();
    return behindCount;
  }

  /** Ends all clients. */
  async stop(): Promise<void> {
    this.#sending = false;
    this.#receiving = false;
    await Promise.all([...this.#producers, ...this.#consumers]);
  }

  #begin(): void {
    this.#storedMs = performance.now();
    for (let index = 0; index < 3; index++) this.#producers.push(this.#produce(index, this.plain));
    for (let index = 0; index < MESSAGE_GROUPS; index++) {
      this.#producers.push(this.#produce(index, this.orderly, `key-${index}`));
    }
    for (const [index, target] of [this.plain, this.orderly, this.plain].entries()) {
      this.#consumers.push(this.#consume(index, target));
    }
  }

  /** One message after the other. */
  async #produce(number: number, target: Target, messageGroup?: string): Promise<void> {
    using client = this.#connect(number);
    for (let index = 0; this.#sending; index++) {
      if (await this.history.send(client, target, `${target.topic}-${number}-${index}`, messageGroup))
        this.#noteStored();
      await pause(PAUSE_MS);
    }
  }

  #noteStored(): void {
    const nowMs = performance.now();
    this.#gapMs = Math.max(this.#gapMs, nowMs - this.#storedMs);
    this.#storedMs = nowMs;
    this.#storedCount++;
  }

  async #consume(number: number, target: Target): Promise<void> {
    using client = this.#connect(number);
    const fields = { ...target, brokerName: 'broker-a', invisibleMs: INVISIBLE_MS, pollingMs: POLLING_MS };
    while (this.#receiving) if ((await this.history.receive(client, fields)) === 0) await pause(20);
  }

  #connect(number: number): MessagingClient {
    const endpoint = this.#endpoints[number % this.#endpoints.length]!;
    return new MessagingClient(endpoint, `${this.#name}-${number}`, CALL_MS);
  }
}

/** Makes a group to which messages of a message group are given one after the other. */
async function makeOrderly(leader: Pick<Member, 'adminPort'>, name: string): Promise<void> {
  const admin = new AdminClient({ address: `127.0.0.1:${leader.adminPort}` });
  try {
    await admin.putGroup({
      name,
      consumeMessageOrderly: true,
      retryPolicy: undefined,
      attributesPut: new Map(),
      attributesRemoved: [],
    });
  } finally {
    admin.close();
  }
}
