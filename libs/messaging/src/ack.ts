import { MqError } from '@orbitmq/base';
import { type AckRequest, type AckRequestEntry, encodeAckAnswer } from '@orbitmq/protocol';
import { AckMessageResponse, Code, Status } from '@orbitmq/protocol/apache.rocketmq.v2';
import type { Call, Reply } from '@orbitmq/rpc';
import type { LeaseOutcome, LeaseRef, SettleWaiter } from '@orbitmq/shard';
import { OK_STATUS, refusing, statusOf, unknownIfStored } from './answers.ts';
import { clientIdOf, languageOf } from './caller.ts';
import type { MessagingContext } from './context.ts';
import { type Consumption, consumptionOf, isForgiven, leaseAt, staleHandle } from './leases.ts';

/** The answer to an AckMessage. */
export interface AckAnswer {
  readonly status: Status;
  /** Undefined when the call was refused as a whole. */
  readonly request: AckRequest | undefined;
  /** One for each entry of the request. */
  readonly results: readonly Status[];
}

/**
 * AckMessage: each entry is settled by itself and has its own result. A handle whose lease has ended is as good as long
 * as the message has not been handed out again; one that was acknowledged before is OK.
 */
export class Acknowledging {
  readonly context: MessagingContext;
  readonly refuse: (error: unknown, reply: Reply<AckAnswer>) => void;

  constructor(context: MessagingContext) {
    this.context = context;
    this.refuse = refusing('AckMessage', context.events, (status) => ({ status, request: undefined, results: [] }));
  }

  acknowledge(request: AckRequest, call: Call, reply: Reply<AckAnswer>): void {
    const { config, sessions, shard } = this.context;
    try {
      sessions.seen(clientIdOf(call));
      const consumption = consumptionOf(this.context, request.groupName, request.topicName);
      checkCount(request.entries.length, config.limits.ackEntriesMax);
      const ack = new AckUnderWay(this, consumption, { request, call, reply });
      ack.settle();
      shard.whenSettled(ack);
    } catch (error) {
      this.refuse(error, reply);
    }
  }
}

/** Encodes the answer to an AckMessage: ids and handles go back as they came. */
export function encodeAckMessage({ status, request, results }: AckAnswer): Uint8Array {
  if (!request) return AckMessageResponse.encode({ status, entries: [] }).finish();
  return encodeAckAnswer(contentOf(status), request, results.map(contentOf));
}

const OK_CONTENT = Status.encode(OK_STATUS).finish();

function contentOf(status: Status): Uint8Array {
  return status === OK_STATUS ? OK_CONTENT : Status.encode(status).finish();
}

function checkCount(count: number, countMax: number): void {
  if (count >= 1 && count <= countMax) return;
  throw new MqError('BAD_REQUEST', `an ack has 1 to ${countMax} entries; found ${count}; send them in several calls`);
}

/** An AckMessage as it came. */
interface Incoming {
  readonly request: AckRequest;
  readonly call: Call;
  readonly reply: Reply<AckAnswer>;
}

/** An AckMessage on its way: what its entries name is settled together, and answered when the log has stored it. */
class AckUnderWay implements SettleWaiter {
  private readonly host: Acknowledging;
  private readonly consumption: Consumption;
  private readonly request: AckRequest;
  private readonly call: Call;
  private readonly reply: Reply<AckAnswer>;
  /** One for each entry. */
  private readonly results: Status[] = [];
  private readonly leases: LeaseRef[] = [];
  /** Which entry each lease is of. */
  private readonly positions: number[] = [];

  constructor(host: Acknowledging, consumption: Consumption, { request, call, reply }: Incoming) {
    this.host = host;
    this.consumption = consumption;
    this.request = request;
    this.call = call;
    this.reply = reply;
  }

  /** Settles what can be settled. */
  settle(): void {
    const { entries } = this.request;
    for (let position = 0; position < entries.length; position++) this.look(position, entries[position]!);
    if (this.leases.length > 0) this.settleLeases();
  }

  /** For the shard: what was settled is stored. */
  settled(): void {
    const { request, results } = this;
    const { group, topic } = this.consumption;
    const settledCount = countOk(results);
    if (group && topic) this.host.context.events.messagesAcknowledged(topic, group, settledCount);
    this.reply.respond({ status: overall(results, settledCount), request, results });
  }

  /** For the shard: nobody knows what is stored. */
  unsettled(error: unknown): void {
    this.host.refuse(unknownIfStored(error), this.reply);
  }

  private look(position: number, { handleStart, handleEnd }: AckRequestEntry): void {
    try {
      const lease = leaseAt(this.host.context, this.consumption, this.request.bytes, handleStart, handleEnd);
      // Those with a lease have their results set when all are settled.
      this.results.push(lease ? OK_STATUS : this.stale(position, 'gone'));
      if (!lease) return;
      this.leases.push(lease);
      this.positions.push(position);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      this.results.push(statusOf(error));
    }
  }

  private settleLeases(): void {
    const { renewals, shard } = this.host.context;
    try {
      const outcomes = shard.acknowledgeAll(this.leases);
      for (let index = 0; index < outcomes.length; index++) {
        renewals.remove(this.leases[index]!);
        const outcome = outcomes[index]!;
        if (outcome === 'done' || outcome === 'settled') continue;
        const position = this.positions[index]!;
        this.results[position] = this.stale(position, outcome);
      }
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      for (const position of this.positions) this.results[position] = statusOf(error);
    }
  }

  private stale(position: number, outcome: LeaseOutcome | 'gone'): Status {
    if (isForgiven(languageOf(this.call))) return OK_STATUS;
    const { handleStart, handleEnd } = this.request.entries[position]!;
    return statusOf(staleHandle(outcome, this.request.bytes.toString('utf8', handleStart, handleEnd)));
  }
}

function countOk(results: readonly Status[]): number {
  let count = 0;
  for (const status of results) if (status === OK_STATUS) count++;
  return count;
}

/** The code that all entries have, or MULTIPLE_RESULTS. */
function overall(results: readonly Status[], settledCount: number): Status {
  const first = results[0] ?? OK_STATUS;
  if (settledCount === results.length || results.every(({ code }) => code === first.code)) return first;
  const message = `${settledCount} of ${results.length} messages were acknowledged; read the entries`;
  return { code: Code.MULTIPLE_RESULTS, message };
}
