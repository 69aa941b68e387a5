import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MqError } from '@orbitmq/base';
import {
  type FollowerMessage_Hello,
  LeaderMessage_Refusal_Reason as Reason,
  type SettleRequest,
  type SettleRequest_Settlement,
} from '@orbitmq/protocol/orbitmq.replication.v1';
import type { Logger } from '@orbitmq/runtime';
import type { ReplicatedLog } from '@orbitmq/storage';
import { SimClock } from '@orbitmq/testkit';
import { LeaderReplication } from './leader.ts';
import { SettlementHandOver, SettlementRefused } from './settlement-hand-over.ts';
import { SETTLEMENTS_MAX } from './settlement-sink.ts';
import { REPLICATION_DEFAULTS } from './times.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const EPOCH = 7;
const EPOCH_START = 800;

const HELLO: FollowerMessage_Hello = {
  cluster: 'c',
  shard: 's',
  member: 1,
  logId: 'a1',
  epochs: [{ epoch: 1n, physicalOffset: 0n }],
  startOffset: 0n,
  endOffset: 700n,
  epochSeen: 1n,
  incarnation: 'i',
  version: 'v',
};

function settlement(queueUid: number, entryCount = 0): SettleRequest_Settlement {
  const entries = Array.from({ length: entryCount }, (_, offset) => ({
    queueOffset: BigInt(offset),
    leaseId: 1n,
    attempt: 1,
    remainingMs: 0n,
    messageGroup: 0,
  }));
  const names = { groupUid: 1, groupName: 'group', topicUid: 2, topicName: 'topic' };
  return { ...names, queueUid, fromOffset: 0n, nextOffset: 1000n, isReset: false, entries };
}

async function* many(count: number, entryCount = 0): AsyncIterableIterator<SettleRequest_Settlement> {
  for (let queueUid = 0; queueUid < count; queueUid++) yield settlement(queueUid, entryCount);
}

/** A leader over a log that holds [0, 1000), and what it takes over. */
class Bench {
  readonly taken: { readonly queueUid: number; readonly ownFrom: number }[] = [];
  readonly told: string[] = [];
  readonly requests: SettleRequest[] = [];
  refused: MqError | undefined;
  readonly #leader = new LeaderReplication({
    cluster: 'c',
    shard: 's',
    member: 0,
    clientAddress: 'here:1',
    log: log(),
    clock: new SimClock(),
    logger: SILENT,
    settings: REPLICATION_DEFAULTS,
    publish: async () => true,
    onNewerEpoch: () => {},
    settlements: {
      take: ({ queueUid }, ownFrom) => {
        if (this.refused !== undefined) throw this.refused;
        this.taken.push({ queueUid, ownFrom });
      },
      settled: async () => void this.told.push('settled'),
      onStandIn: (member, isComplete) => this.told.push(`${member} ${isComplete ? 'is done' : 'is there'}`),
    },
  });

  handOver(fields: Partial<FollowerMessage_Hello> = {}): SettlementHandOver {
    const settle = async (request: SettleRequest) => {
      this.requests.push(request);
      return await this.#leader.settle(request);
    };
    return new SettlementHandOver({ settle, close() {} }, { ...HELLO, ...fields });
  }
}

function log(): ReplicatedLog {
  const none = () => () => {};
  return {
    role: 'leader',
    logId: 'a1',
    epoch: EPOCH,
    startOffset: 0,
    endOffset: 1000,
    storedOffset: 1000,
    confirmedOffset: 1000,
    epochs: () => [
      { epoch: 1, startOffset: 0 },
      { epoch: EPOCH, startOffset: EPOCH_START },
    ],
    flush: async () => {},
    readChunk: (from) => ({ startOffset: from, endOffset: 1000, bytes: Buffer.alloc(1000 - from) }),
    onTaken: none,
    onStored: none,
    onConfirmed: none,
    confirm: () => {},
    fence: () => {},
    fenced: undefined,
    onFenced: none,
  };
}

describe('a hand-over of what was settled in the place of a leader', () => {
  it('tells how far the logs are common, and from where on the leader acted by itself', async () => {
    const bench = new Bench();
    assert.deepEqual(await bench.handOver().begin(), { epoch: EPOCH, commonOffset: 700 });
    assert.equal(await bench.handOver().tell(many(1)), 1);
    // What the leader did before it went away is no younger than what the other one did.
    assert.deepEqual(bench.taken, [{ queueUid: 0, ownFrom: EPOCH_START }]);
    assert.deepEqual(bench.told, ['1 is there', '1 is there', 'settled', '1 is done']);
    const further = bench.handOver({
      endOffset: 900n,
      epochs: [...HELLO.epochs, { epoch: BigInt(EPOCH), physicalOffset: BigInt(EPOCH_START) }],
    });
    assert.equal((await further.begin()).commonOffset, 900);
    await further.tell(many(1));
    assert.equal(bench.taken.at(-1)?.ownFrom, 900);
    const other = { epochs: [{ epoch: 9n, physicalOffset: 0n }] };
    assert.equal((await bench.handOver(other).begin()).commonOffset, 0);
  });

  it('goes in bounded parts, of which only the last one says that it was all', async () => {
    const bench = new Bench();
    assert.equal(await bench.handOver().tell(many(SETTLEMENTS_MAX * 2 + 1)), SETTLEMENTS_MAX * 2 + 1);
    assert.deepEqual(
      bench.requests.map(({ settlements, complete }) => [settlements.length, complete]),
      [
        [SETTLEMENTS_MAX, false],
        [SETTLEMENTS_MAX, false],
        [1, true],
      ],
    );
    assert.equal(bench.taken.length, SETTLEMENTS_MAX * 2 + 1);
    bench.requests.length = 0;
    await bench.handOver().tell(many(50, 200));
    for (const { settlements } of bench.requests) {
      assert.ok(settlements.reduce((sum, { entries }) => sum + entries.length, 0) <= 5000);
    }
    bench.requests.length = 0;
    await bench.handOver().tell(many(0));
    assert.deepEqual(
      bench.requests.map(({ complete }) => complete),
      [true],
    );
  });

  it('ends when the leader refuses the member, or can not take something now', async () => {
    const bench = new Bench();
    for (const fields of [
      { cluster: 'other' },
      { shard: 'other' },
      { logId: 'b2' },
      { member: 0 },
      { epochSeen: 8n },
    ]) {
      await assert.rejects(bench.handOver(fields).begin(), SettlementRefused);
    }
    assert.deepEqual(bench.told, []);
    bench.refused = new MqError('HA_NOT_AVAILABLE', 'fenced');
    await assert.rejects(bench.handOver().tell(many(1)), { code: 'HA_NOT_AVAILABLE' });
    assert.deepEqual(bench.told, ['1 is there']);
  });

  it('knows who does not lead from who wants nothing of it', () => {
    assert.ok(new SettlementRefused({ reason: Reason.REASON_NOT_LEADER, message: '' }).isNoLeader);
    assert.ok(!new SettlementRefused({ reason: Reason.REASON_FOREIGN, message: '' }).isNoLeader);
  });
});
