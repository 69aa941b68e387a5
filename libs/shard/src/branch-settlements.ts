import type { CommitLog, LogRecord } from '@orbitmq/storage';
import { NONE } from '@orbitmq/views';
import type { ShardCore } from './core.ts';
import { decodeGroupLease } from './group-lease.ts';
import { decodeOffsets } from './offset-records.ts';
import {
  decodeAck,
  decodeAcks,
  decodeChange,
  decodeHeld,
  decodeLease,
  decodeRenewal,
  isMessage,
  type LeaseKey,
  messageQueueUid,
  queueOffsetOf,
  RECORD,
} from './records.ts';
import type { HeldEntry } from './settlement-record.ts';

/** What a copy that stood in for its leader has handed out and settled of a queue; of a long one, a part. */
export interface BranchSettlement {
  readonly groupUid: number;
  readonly groupName: string;
  readonly topicUid: number;
  readonly topicName: string;
  readonly queueUid: number;
  readonly fromOffset: number;
  /** Of what lies in [fromOffset, nextOffset), all but `entries` are settled. */
  readonly nextOffset: number;
  /** Somebody has set the group's offset there: it may have gone back. */
  readonly isReset: boolean;
  /** By offset. */
  readonly entries: readonly HeldEntry[];
}

/** Entries in one settlement: fits the smallest records. */
export const SETTLED_ENTRIES_MAX = 200;

/** A group and a queue that something happened to. */
interface Touched {
  readonly groupUid: number;
  readonly queueUid: number;
  isReset: boolean;
}

/**
 * What the groups have done in a branch, queue by queue: the state at its end, of all that it touches. Nothing is appended
 * to the log meanwhile.
 * @param startOffset where the branch begins
 * @param commonOffset end of what the leader has of the log before that: messages behind it are others there
 */
export async function* branchSettlements(
  core: ShardCore,
  startOffset: number,
  commonOffset: number,
): AsyncIterableIterator<BranchSettlement> {
  const touched = await touchedIn(core.log, startOffset);
  const limits = await limitsBetween(core.log, Math.max(commonOffset, core.log.startOffset), startOffset);
  for (const pair of touched) yield* settlementsOf(core, pair, limits.get(pair.queueUid));
}

async function touchedIn(log: CommitLog, from: number): Promise<Iterable<Touched>> {
  const found = new Map<string, Touched>();
  const note = (groupUid: number, queueUid: number, isReset = false): void => {
    const key = `${groupUid}/${queueUid}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { groupUid, queueUid, isReset });
    else known.isReset ||= isReset;
  };
  const noteKeys = (keys: readonly LeaseKey[]): void => {
    for (const { groupUid, queueUid } of keys) note(groupUid, queueUid);
  };
  await log.scan(from, log.endOffset, (record) => {
    if (record.type === RECORD.offsets) {
      const { groupUid, queues } = decodeOffsets(record.payload);
      for (const { queueUid } of queues) note(groupUid, queueUid, true);
    } else if (record.type === RECORD.lease || record.type === RECORD.groupLease) {
      const { groupUid, queues } =
        record.type === RECORD.lease ? decodeLease(record.payload) : decodeGroupLease(record.payload);
      for (const { queueUid } of queues) note(groupUid, queueUid);
    } else {
      noteKeys(keysOf(record));
    }
  });
  return found.values();
}

function keysOf({ type, payload }: LogRecord): readonly LeaseKey[] {
  switch (type) {
    case RECORD.ack:
      return [decodeAck(payload)];
    case RECORD.acks:
      return decodeAcks(payload);
    case RECORD.change:
    case RECORD.suspension:
      return [decodeChange(payload)];
    case RECORD.renewal:
      return decodeRenewal(payload).keys;
    case RECORD.held:
      return decodeHeld(payload).keys;
    default:
      return [];
  }
}

/** First offset, by queue, of the messages between two bytes of the log. */
async function limitsBetween(log: CommitLog, from: number, to: number): Promise<ReadonlyMap<number, number>> {
  const limits = new Map<number, number>();
  if (from >= to) return limits;
  await log.scan(from, to, (record) => {
    if (!isMessage(record.type) && record.type !== RECORD.pointer) return;
    const queueUid = messageQueueUid(record.payload);
    if (!limits.has(queueUid)) limits.set(queueUid, queueOffsetOf(record));
  });
  return limits;
}

function* settlementsOf(
  { state, log }: ShardCore,
  { groupUid, queueUid, isReset }: Touched,
  limit = Number.POSITIVE_INFINITY,
): IterableIterator<BranchSettlement> {
  const { metadata, progress } = state;
  const held = progress.find(groupUid, queueUid);
  const group = metadata.groupByUid(groupUid);
  const topic = metadata.topicByUid(metadata.queueByUid(queueUid)?.topicUid ?? 0);
  if (held === undefined || group === undefined || topic === undefined) return;
  const nowMs = log.shardTimeMs();
  const end = Math.min(held.nextOffset, limit);
  const place = { groupUid, groupName: group.name, topicUid: topic.uid, topicName: topic.name, queueUid, isReset };
  let fromOffset = 0;
  let entries: HeldEntry[] = [];
  for (let slot = held.first; slot !== NONE && progress.offset(slot) < end; slot = progress.next(slot)) {
    if (entries.length === SETTLED_ENTRIES_MAX) {
      const nextOffset = progress.offset(slot);
      yield { ...place, fromOffset, nextOffset, entries };
      fromOffset = nextOffset;
      entries = [];
    }
    entries.push({
      offset: progress.offset(slot),
      leaseId: progress.leaseId(slot),
      attempt: progress.attempt(slot),
      remainingMs: Math.max(0, progress.deadlineMs(slot) - nowMs),
      messageGroup: progress.messageGroup(slot),
    });
  }
  yield { ...place, fromOffset, nextOffset: end, entries };
}
