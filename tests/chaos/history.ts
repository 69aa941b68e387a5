import { setTimeout as pause } from 'node:timers/promises';
import {
  type Message,
  MessageType,
  MessagingServiceDefinition,
  TransactionResolution,
  TransactionSource,
} from '@orbitmq/protocol/apache.rocketmq.v2';
import { type MessagingClient, newMessage, resource } from '../e2e/messaging-client.ts';
import { check } from '../faults/mqcheck/mqcheck.mjs';

const OK = 20000;
/** Refusals that promise that nothing was stored; every other failure may or may not have been. */
const CERTAIN_REFUSALS = new Set([40300, 42900, 50002]);
const TIMEOUT_MS = 10_000;

/** A message whose transaction is open. */
export interface SentHalf {
  readonly id: string;
  readonly messageId: string;
  readonly transactionId: string;
}

/** What clients did and were told, in the language of `tests/faults/mqcheck`. */
export class History {
  readonly events: Record<string, unknown>[] = [];
  /** Ids that some consumer wanted to be dead letters, whether it heard an answer or not. */
  readonly forwardsAsked = new Set<string>();
  readonly #hasOneQueue: boolean;

  /** @param hasOneQueue each topic has a single queue on a single broker, so that offsets of messages can be compared */
  constructor(groups: readonly string[], hasOneQueue = false) {
    this.#hasOneQueue = hasOneQueue;
    for (const group of groups) this.events.push({ f: 'group', g: group, t0: now(), t1: now() });
  }

  /**
   * Sends one message for `target.group` and notes the outcome; never throws. Returns whether it was stored for certain.
   * @param bodyBytes length of the body at least, which begins with the id
   */
  async send(
    client: MessagingClient,
    target: { topic: string; group: string },
    id: string,
    messageGroup?: string,
    bodyBytes = 0,
  ): Promise<boolean> {
    const t0 = now();
    const { topic } = target;
    const event = {
      f: 'send',
      id,
      topic,
      to: [target.group],
      t0,
      ...(messageGroup === undefined ? {} : { mg: messageGroup }),
    };
    try {
      const type = messageGroup === undefined ? MessageType.NORMAL : MessageType.FIFO;
      const answer = await client.send({
        topic,
        body: bodyOf(id, bodyBytes),
        type,
        ...(messageGroup === undefined ? {} : { group: messageGroup }),
      });
      const code = answer.entries[0]?.status?.code ?? answer.status?.code ?? 0;
      const r = code === OK ? 'ok' : CERTAIN_REFUSALS.has(code) ? 'fail' : 'info';
      const place = this.#hasOneQueue && r === 'ok' ? { q: topic, off: Number(answer.entries[0]!.offset) } : {};
      this.events.push({ ...event, ...place, r, t1: now() });
      return code === OK;
    } catch {
      this.events.push({ ...event, r: 'info', t1: now() });
      return false;
    }
  }

  /**
   * Sends a message that comes after `delayMs`; never throws.
   * @param mayBeRecalled it need not come
   * @returns its recall handle; undefined when it was not stored for certain
   */
  async sendTimed(
    client: MessagingClient,
    { topic, group }: { topic: string; group: string },
    id: string,
    delayMs: number,
    mayBeRecalled: boolean,
  ): Promise<string | undefined> {
    const message = newMessage({ topic, body: Buffer.from(id), type: MessageType.DELAY });
    const deliveryMs = Date.now() + delayMs;
    const at = String(process.hrtime.bigint() + BigInt(delayMs) * 1_000_000n);
    const deliveryTimestamp = {
      seconds: BigInt(Math.floor(deliveryMs / 1000)),
      nanos: (deliveryMs % 1000) * 1_000_000,
    };
    const timed = { ...message, systemProperties: { ...message.systemProperties!, deliveryTimestamp } };
    const sent = await this.#sendOne(client, timed, { id, topic, to: [group], at }, mayBeRecalled);
    return sent?.recallHandle;
  }

  /** Cancels a timed message; never throws. Returns whether that is certain. */
  async recall(client: MessagingClient, topic: string, recallHandle: string): Promise<boolean> {
    const request = { topic: resource(topic), recallHandle };
    const options = { metadata: client.metadata, timeoutMs: TIMEOUT_MS };
    try {
      const { status } = await client.rpc.unary(MessagingServiceDefinition, 'recallMessage', request, options);
      return status?.code === OK;
    } catch {
      return false;
    }
  }

  /** Sends a message whose transaction is open; never throws. Undefined when it was not stored for certain. */
  async sendHalf(
    client: MessagingClient,
    { topic, group }: { topic: string; group: string },
    id: string,
  ): Promise<SentHalf | undefined> {
    const message = newMessage({ topic, body: Buffer.from(id), type: MessageType.TRANSACTION });
    const sent = await this.#sendOne(client, message, { id, topic, to: [group], tx: true }, false);
    return sent && { id, messageId: sent.messageId, transactionId: sent.transactionId };
  }

  /** Ends a transaction, and asks again until it is certain. */
  async end(client: MessagingClient, topic: string, half: SentHalf, commits: boolean): Promise<void> {
    const { id, messageId, transactionId } = half;
    const resolution = commits ? TransactionResolution.COMMIT : TransactionResolution.ROLLBACK;
    const source = TransactionSource.SOURCE_CLIENT;
    const request = { topic: resource(topic), messageId, transactionId, resolution, source, traceContext: '' };
    const event = { f: 'end', id, res: commits ? 'commit' : 'rollback', t0: now() };
    for (;;) {
      const options = { metadata: client.metadata, timeoutMs: TIMEOUT_MS };
      const answered = await client.rpc
        .unary(MessagingServiceDefinition, 'endTransaction', request, options)
        .catch(() => undefined);
      if (answered?.status?.code === OK) break;
      await pause(50);
    }
    this.events.push({ ...event, r: 'ok', t1: now() });
  }

  /**
   * Receives once and acknowledges what came; never throws. Returns how many messages came.
   * @param forwards whether a message is to be a dead letter instead
   * @param onForwarded hears of those that are for certain
   */
  async receive(
    client: MessagingClient,
    fields: { topic: string; group: string; brokerName: string; invisibleMs: number },
    forwards: (id: string) => boolean = () => false,
    onForwarded: (id: string) => void = () => {},
  ): Promise<number> {
    const t0 = now();
    let messages: Awaited<ReturnType<MessagingClient['receiveMessages']>>;
    try {
      messages = await client.receiveMessages(fields);
    } catch {
      return 0;
    }
    const t1 = now();
    const batch = `${fields.group}-${t1}`;
    const invisibleNs = fields.invisibleMs * 1e6;
    for (const [index, message] of messages.entries()) {
      const id = idIn(message.body);
      this.events.push({ f: 'recv', id, g: fields.group, b: batch, i: index, inv: invisibleNs, r: 'ok', t0, t1 });
    }
    for (const message of messages) {
      const id = Buffer.from(message.body).toString();
      if (!forwards(id)) await this.#ack(client, fields, message);
      else if (await this.#forward(client, fields, message, id)) onForwarded(id);
    }
    return messages.length;
  }

  /** Events of a kind with this outcome. */
  countOf(kind: 'send' | 'recv' | 'ack', outcome: 'ok' | 'fail' | 'info'): number {
    return this.events.filter(({ f, r }) => f === kind && r === outcome).length;
  }

  /** Notes a time in which what was acknowledged may come again. */
  window(t0: string, t1: string): void {
    this.events.push({ f: 'window', t0, t1 });
  }

  /** What must come and has not yet, to any group that is named as its reader. */
  missing(): string[] {
    const seen = new Set(this.events.filter(({ f }) => f === 'recv').map(({ id }) => String(id)));
    const committed = new Set(this.events.filter(({ f, res }) => f === 'end' && res === 'commit').map(({ id }) => id));
    return this.events
      .filter(({ f, r, tx, id }) => f === 'send' && r === 'ok' && (tx !== true || committed.has(id)))
      .map(({ id }) => String(id))
      .filter((id) => !seen.has(id));
  }

  /** Promises that were broken, the first of them; the history must have been drained. */
  broken(): string[] {
    return check(this.events)
      .bad.slice(0, 10)
      .map(({ kind, why }) => `${kind}: ${why}`);
  }

  async #sendOne(
    client: MessagingClient,
    message: Message,
    fields: { readonly id: string } & Record<string, unknown>,
    mayBeMissing: boolean,
  ) {
    const event = { f: 'send', ...fields, t0: now() };
    try {
      const answer = await client.sendRaw([message]);
      const code = answer.entries[0]?.status?.code ?? answer.status?.code ?? 0;
      const stored = mayBeMissing ? 'info' : 'ok';
      const r = code === OK ? stored : CERTAIN_REFUSALS.has(code) ? 'fail' : 'info';
      this.events.push({ ...event, r, t1: now() });
      return code === OK ? answer.entries[0] : undefined;
    } catch {
      this.events.push({ ...event, r: 'info', t1: now() });
      return undefined;
    }
  }

  async #forward(
    client: MessagingClient,
    { topic, group }: { topic: string; group: string },
    message: Message,
    id: string,
  ): Promise<boolean> {
    this.forwardsAsked.add(id);
    const event = { f: 'dlq', id, g: group, t0: now() };
    const answer = await client
      .forwardToDeadLetters(topic, group, message.systemProperties!.receiptHandle!)
      .catch(() => undefined);
    this.events.push({ ...event, r: answer?.status?.code === OK ? 'ok' : 'info', t1: now() });
    return answer?.status?.code === OK;
  }

  async #ack(
    client: MessagingClient,
    { topic, group }: { topic: string; group: string },
    message: Awaited<ReturnType<MessagingClient['receiveMessages']>>[number],
  ): Promise<void> {
    const t0 = now();
    const event = { f: 'ack', id: idIn(message.body), g: group, t0 };
    try {
      const answer = await client.ack(topic, group, message.systemProperties!.receiptHandle!);
      this.events.push({ ...event, r: answer.status?.code === OK ? 'ok' : 'info', t1: now() });
    } catch {
      this.events.push({ ...event, r: 'info', t1: now() });
    }
  }
}

/** The id, and zeros up to the length. */
function bodyOf(id: string, bodyBytes: number): Buffer {
  const text = Buffer.from(id);
  return Buffer.concat([text, Buffer.alloc(Math.max(0, bodyBytes - text.length))]);
}

function idIn(body: Uint8Array): string {
  const end = body.indexOf(0);
  return Buffer.from(end < 0 ? body : body.subarray(0, end)).toString();
}

/** Now, as histories tell it. */
export function now(): string {
  return String(process.hrtime.bigint());
}
