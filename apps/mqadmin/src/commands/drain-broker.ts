import { MqError, quoted, SECOND_MS, systemClock } from '@orbitmq/base';
import {
  type DrainRemainder,
  type GetDrainResponse,
  DrainRemainder_Kind as Kind,
  type TopicReader,
} from '@orbitmq/protocol/orbitmq.admin.v1';
import { RpcError } from '@orbitmq/rpc';
import { type AdminContext, onEach, type Target } from '../admin-context.ts';
import { requiredText, textOf, wholeNumberOf } from '../options.ts';
import { renderTable } from '../table.ts';
import { type Options, RefusedError } from '../usage.ts';
import type { Output, Report } from '../verb.ts';

const TIMEOUT_S_DEFAULT = 600;
const TIMEOUT_S_MAX = 30 * 24 * 3600;
/** Official clients ask for their routes again every 30 s. */
const GRACE_S_DEFAULT = 35;
const GRACE_S_MAX = 3600;
const LOOK_MS = SECOND_MS;
/** What is left is reported when it has changed, but not more often than this. */
const REPORT_MS = 5 * SECOND_MS;

const KINDS: Readonly<Record<number, string>> = {
  [Kind.KIND_UNSETTLED]: 'not settled by the group',
  [Kind.KIND_UNREAD]: 'read by no group',
  [Kind.KIND_TIMED]: 'waiting for their time',
  [Kind.KIND_OPEN_TRANSACTION]: 'in open transactions',
};

/** Takes a broker out of service and waits until nothing would be lost with it, or puts it back. */
export async function drainBroker(context: AdminContext, options: Options, report: Report): Promise<Output> {
  const brokerName = requiredText(options, 'brokerName');
  if (options.undo === true) return await undo(context, brokerName);
  const timeoutMs = (wholeNumberOf(options, 'timeoutSeconds', 0, TIMEOUT_S_MAX) ?? TIMEOUT_S_DEFAULT) * SECOND_MS;
  const graceMs = (wholeNumberOf(options, 'graceSeconds', 0, GRACE_S_MAX) ?? GRACE_S_DEFAULT) * SECOND_MS;
  const [target] = await context.targets({ brokerAddr: brokerName });
  await onEach([target!], ({ admin }) => admin.setDrain(true, graceMs));
  await warnOfLonelyTopics(context, brokerName, report);
  const endMs = systemClock.monotonicMs() + timeoutMs;
  const telling = new Telling(report);
  for (;;) {
    const found = await look(context, brokerName, options);
    if (typeof found === 'object' && found.left.length === 0 && found.graceLeftMs === 0) {
      const text = `nothing is left on ${brokerName}: its members may be stopped for good`;
      return { text, json: { brokerName, drained: true } };
    }
    if (systemClock.monotonicMs() >= endMs) throw new RefusedError(outcomeOf(brokerName, found));
    telling.tell(typeof found === 'string' ? found : summaryOf(found));
    await new Promise<void>((resolve) => void systemClock.setTimer(LOOK_MS, resolve));
  }
}

async function undo(context: AdminContext, brokerName: string): Promise<Output> {
  const [target] = await context.targets({ brokerAddr: brokerName });
  await onEach([target!], ({ admin }) => admin.setDrain(false, 0));
  return { text: `${brokerName} takes messages again`, json: { brokerName, drained: false } };
}

interface Found {
  readonly left: readonly DrainRemainder[];
  readonly graceLeftMs: number;
}

/** What is left, or why that is not known now: a broker may be changing its master. */
async function look(context: AdminContext, brokerName: string, options: Options): Promise<Found | string> {
  let answer: GetDrainResponse;
  try {
    const masters = await context.masters();
    const target = masters.find((each) => each.brokerName === brokerName);
    if (target === undefined) return `${brokerName} has no master now`;
    const others = masters.filter((each) => each !== target && each.clusterName === target.clusterName);
    [answer] = (await onEach([target], async ({ admin }) => admin.drain(await readersOn(others)))) as [
      GetDrainResponse,
    ];
  } catch (error) {
    if (error instanceof RpcError || error instanceof MqError) return error.message;
    throw error;
  }
  if (!answer.draining) throw new RefusedError(`somebody has put ${brokerName} back into service`);
  const [topics, groups] = [namesOf(options, 'ignoreTopic'), namesOf(options, 'ignoreGroup')];
  const left = answer.remainders.filter(({ topic, group }) => !topics.has(topic) && !groups.has(group));
  return { left, graceLeftMs: Number(answer.graceLeftMs) };
}

/** Who reads what on other brokers: that is left for them on this one, too, though they may never have come here. */
async function readersOn(others: readonly Target[]): Promise<TopicReader[]> {
  return (await onEach(others, ({ admin }) => admin.drain([]))).flatMap(({ readers }) => readers);
}

/** Says which topics can be written nowhere from now on. */
async function warnOfLonelyTopics(context: AdminContext, brokerName: string, report: Report): Promise<void> {
  const [topics, brokers] = await Promise.all([context.cluster.topics(), context.brokers()]);
  const isGoing = new Set(brokers.filter(({ status }) => status?.draining).map(({ identity }) => identity!.brokerName));
  const lonely = topics.filter(({ placements }) => {
    const names = placements.map((placement) => placement.brokerName);
    return names.includes(brokerName) && names.every((name) => name === brokerName || isGoing.has(name));
  });
  const named = lonely.filter(({ name, placements }) => !name.startsWith('%') && !placements[0]!.topic!.autoCreated);
  if (named.length === 0) return;
  const names = named.slice(0, 10).map(({ name }) => quoted(name));
  report(
    `no other broker has ${names.join(', ')}${named.length > 10 ? ` and ${named.length - 10} more` : ''}: nobody can send to them from now on`,
  );
}

function namesOf(options: Options, name: string): Set<string> {
  return new Set((textOf(options, name) ?? '').split(',').flatMap((part) => part.trim() || []));
}

function outcomeOf(brokerName: string, found: Found | string): string {
  const stays = `${brokerName} stays drained; run this again, or with --undo`;
  if (typeof found === 'string') return `what is left on ${brokerName} is not known: ${found}. ${stays}`;
  if (found.left.length === 0) return `sends to ${brokerName} are still taken for ${found.graceLeftMs} ms. ${stays}`;
  const rows = found.left.map(({ kind, topic, group, count, inflightCount }) => {
    return [topic, group, count, inflightCount > 0n ? inflightCount : '', KINDS[kind] ?? ''];
  });
  const table = renderTable(['Topic', 'Group', 'Messages', 'Held', 'What'], rows);
  return `messages are left on ${brokerName}:\n${table}\n${stays}`;
}

function summaryOf({ left, graceLeftMs }: Found): string {
  const grace = graceLeftMs > 0 ? `; sends are still taken for ${Math.ceil(graceLeftMs / SECOND_MS)} s` : '';
  const sums = new Map<string, bigint>();
  for (const { kind, count } of left) sums.set(KINDS[kind] ?? '', (sums.get(KINDS[kind] ?? '') ?? 0n) + count);
  const parts = [...sums].map(([what, count]) => `${count} ${what}`);
  return `${parts.length === 0 ? 'nothing is left' : `left: ${parts.join(', ')}`}${grace}`;
}

/** Tells how it goes, not too often. */
class Telling {
  readonly #report: Report;
  #toldMs = Number.NEGATIVE_INFINITY;
  #told = '';

  constructor(report: Report) {
    this.#report = report;
  }

  tell(text: string): void {
    const nowMs = systemClock.monotonicMs();
    if (text === this.#told || nowMs - this.#toldMs < REPORT_MS) return;
    this.#told = text;
    this.#toldMs = nowMs;
    this.#report(text);
  }
}
