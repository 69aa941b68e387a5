import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntil } from './child.ts';
import type { InteropClient } from './clients.ts';
import type { Connection, ConsumerOptions, Driver, ReceivedMessage } from './driver.ts';

/** What a consumer of a scenario subscribes to. */
export interface Subscription extends ConsumerOptions {
  /** How long the application works on each message. */
  readonly holdMs?: number;
}

/** A running consumer that takes and acknowledges everything it is given, pushed or polled as its client can. */
export interface Collector {
  /** Everything the application was given, in that order. */
  readonly messages: readonly ReceivedMessage[];
  close(): Promise<void>;
}

const POLLING_MS = 5_000;
const INVISIBLE_MS = 30_000;
const POLL_LOOPS = 3;

/** Starts a push consumer, or a simple consumer with a few polling loops where the client has no push consumer. */
export async function startCollector(
  client: InteropClient,
  driver: Driver,
  name: string,
  connection: Connection,
  subscription: Subscription,
): Promise<Collector> {
  if (!client.traits.hasPushConsumer) return startPollingCollector(driver, name, connection, subscription, POLL_LOOPS);
  await driver.startPushConsumer(name, connection, subscription);
  return { messages: driver.messagesOf(name), close: () => driver.close(name) };
}

/** Starts a simple consumer that polls and acknowledges in `loopCount` loops; one loop keeps the order of delivery. */
export async function startPollingCollector(
  driver: Driver,
  name: string,
  connection: Connection,
  subscription: Subscription,
  loopCount: number,
): Promise<Collector> {
  const { holdMs = 0, ...options } = subscription;
  await driver.startSimpleConsumer(name, connection, { ...options, awaitMs: POLLING_MS });
  const messages: ReceivedMessage[] = [];
  let isClosing = false;
  const poll = async () => {
    while (!isClosing && driver.isRunning) {
      for (const message of await receiveOrWait(driver, name)) {
        messages.push(message);
        if (holdMs > 0) await sleep(holdMs);
        await driver.ack(name, message);
      }
    }
  };
  const loops = Promise.all(Array.from({ length: loopCount }, poll));
  loops.catch(() => {});
  return {
    messages,
    async close() {
      isClosing = true;
      await loops;
      await driver.close(name);
    },
  };
}

/** What a poll of up to 16 messages gives; nothing, after a moment, when it fails. */
export async function receiveOrWait(driver: Driver, name: string): Promise<ReceivedMessage[]> {
  try {
    return await driver.receive(name, 16, INVISIBLE_MS);
  } catch {
    // A broker that is away for a while is asked again, as an application would.
    await sleep(200);
    return [];
  }
}

/** Waits until the collector has at least `countMin` messages of different ids. */
export async function waitForCount(collector: Collector, countMin: number, timeoutMs: number): Promise<void> {
  const count = () => new Set(collector.messages.map((message) => message.messageId)).size;
  try {
    await waitUntil('messages', timeoutMs, () => count() >= countMin);
  } catch (cause) {
    throw new Error(`${count()} of ${countMin} messages came within ${timeoutMs} ms`, { cause });
  }
}

/** The text of a small message. */
export function textOf(message: ReceivedMessage): string {
  return Buffer.from(message.body ?? '', 'base64').toString('utf8');
}
