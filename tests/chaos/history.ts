import { MessageType } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { MessagingClient } from '../e2e/messaging-client.ts';
import { check } from '../faults/mqcheck/mqcheck.mjs';

const OK = 20000;
/** Refusals that promise that nothing was stored; every other failure may or may not have been. */
const CERTAIN_REFUSALS = new Set([40300, 42900, 50002]);

/** What clients did and were told, in the language of `tests/faults/mqcheck`. */
export class History {
  readonly events: Record<string, unknown>[] = [];

  constructor(groups: readonly string[]) {
    for (const group of groups) this.events.push({ f: 'group', g: group, t0: now(), t1: now() });
  }

  /** Sends one message for `target.group` and notes the outcome; never throws. Returns whether it was stored for certain. */
  async send(
    client: MessagingClient,
    target: { topic: string; group: string },
    id: string,
    messageGroup?: string,
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
        body: Buffer.from(id),
        type,
        ...(messageGroup === undefined ? {} : { group: messageGroup }),
      });
      const code = answer.entries[0]?.status?.code ?? answer.status?.code ?? 0;
      const r = code === OK ? 'ok' : CERTAIN_REFUSALS.has(code) ? 'fail' : 'info';
      this.events.push({ ...event, r, t1: now() });
      return code === OK;
    } catch {
      this.events.push({ ...event, r: 'info', t1: now() });
      return false;
    }
  }

  /** Receives once and acknowledges what came; never throws. Returns how many messages came. */
  async receive(
    client: MessagingClient,
    fields: { topic: string; group: string; brokerName: string; invisibleMs: number },
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
      const id = Buffer.from(message.body).toString();
      this.events.push({ f: 'recv', id, g: fields.group, b: batch, i: index, inv: invisibleNs, r: 'ok', t0, t1 });
    }
    for (const message of messages) await this.#ack(client, fields, message);
    return messages.length;
  }

  /** Promises that were broken, the first of them; the history must have been drained. */
  broken(): string[] {
    return check(this.events)
      .bad.slice(0, 10)
      .map(({ kind, why }) => `${kind}: ${why}`);
  }

  async #ack(
    client: MessagingClient,
    { topic, group }: { topic: string; group: string },
    message: Awaited<ReturnType<MessagingClient['receiveMessages']>>[number],
  ): Promise<void> {
    const t0 = now();
    const event = { f: 'ack', id: Buffer.from(message.body).toString(), g: group, t0 };
    try {
      const answer = await client.ack(topic, group, message.systemProperties!.receiptHandle!);
      this.events.push({ ...event, r: answer.status?.code === OK ? 'ok' : 'info', t1: now() });
    } catch {
      this.events.push({ ...event, r: 'info', t1: now() });
    }
  }
}

function now(): string {
  return String(process.hrtime.bigint());
}
