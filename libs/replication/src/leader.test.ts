import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type FollowerMessage,
  type FollowerMessage_Hello,
  type LeaderMessage,
  LeaderMessage_Refusal_Reason as Reason,
} from '@orbitmq/protocol/orbitmq.replication.v1';
import type { Logger } from '@orbitmq/runtime';
import type { ReplicatedLog } from '@orbitmq/storage';
import { SimClock } from '@orbitmq/testkit';
import { LeaderReplication } from './leader.ts';
import type { LeaderStream } from './stream.ts';
import { REPLICATION_DEFAULTS } from './times.ts';

const EPOCH = 7;
const EPOCH_START = 800;

/** A leader over a log that holds [0, `endOffset`), and what it tells. */
class Bench {
  readonly clock = new SimClock();
  readonly warnings: string[] = [];
  readonly published: (readonly number[])[] = [];
  confirmLimit = Number.POSITIVE_INFINITY;
  endOffset = 1000;
  confirmedOffset = 1000;
  readonly leader: LeaderReplication;

  /** @param startOffset first byte that the log still has */
  constructor({ startOffset = 0, windowBytes = REPLICATION_DEFAULTS.windowBytes } = {}) {
    const logger: Logger = {
      child: () => logger,
      debug() {},
      info() {},
      warn: (_fields: unknown, text?: string) => void this.warnings.push(text ?? ''),
      error() {},
    };
    this.leader = new LeaderReplication({
      cluster: 'c',
      shard: 's',
      member: 0,
      clientAddress: 'here:1',
      log: this.#log(startOffset),
      clock: this.clock,
      logger,
      settings: { ...REPLICATION_DEFAULTS, windowBytes },
      publish: async (members) => {
        this.published.push(members);
        return true;
      },
      onNewerEpoch: () => {},
    });
  }

  #log(startOffset: number): ReplicatedLog {
    const none = () => () => {};
    const bench = this;
    return {
      role: 'leader',
      logId: 'a1',
      epoch: EPOCH,
      startOffset,
      get endOffset() {
        return bench.endOffset;
      },
      get storedOffset() {
        return bench.endOffset;
      },
      get confirmedOffset() {
        return bench.confirmedOffset;
      },
      epochs: () => [
        { epoch: 1, startOffset: 0 },
        { epoch: EPOCH, startOffset: EPOCH_START },
      ],
      flush: async () => {},
      readChunk: (from) => ({
        startOffset: from,
        endOffset: this.endOffset,
        bytes: Buffer.alloc(this.endOffset - from),
      }),
      onTaken: none,
      onStored: none,
      onConfirmed: none,
      confirm: (limit) => {
        this.confirmLimit = limit;
        this.confirmedOffset = Math.max(this.confirmedOffset, Math.min(limit, this.endOffset));
      },
      fence: () => {},
      fenced: undefined,
      onFenced: none,
    };
  }
}

/** A follower, or who says to be one. */
class Peer {
  readonly heard: LeaderMessage[] = [];
  isOpen = true;
  /** What a write gives: undefined while there is room. */
  room: Promise<void> | undefined;
  #messages: FollowerMessage[] = [];
  #wake = (): void => {};

  constructor(leader: LeaderReplication) {
    void leader.accept(this.#stream());
  }

  say(message: Partial<FollowerMessage>): void {
    this.#messages.push({ hello: undefined, position: undefined, ...message });
    this.#wake();
  }

  hello(fields: Partial<FollowerMessage_Hello> = {}): void {
    const hello: FollowerMessage_Hello = {
      cluster: 'c',
      shard: 's',
      member: 1,
      logId: 'a1',
      epochs: [
        { epoch: 1n, physicalOffset: 0n },
        { epoch: BigInt(EPOCH), physicalOffset: BigInt(EPOCH_START) },
      ],
      startOffset: 0n,
      endOffset: 1000n,
      epochSeen: BigInt(EPOCH),
      incarnation: 'i',
      version: 'v',
      ...fields,
    };
    this.say({ hello });
  }

  stores(storedOffset: bigint, sequence = 0n): void {
    this.say({ position: { storedOffset, appliedOffset: 0n, sequence } });
  }

  end(): void {
    this.isOpen = false;
    this.#wake();
  }

  get refusal() {
    return this.heard.find(({ refusal }) => refusal !== undefined)?.refusal;
  }

  #stream(): LeaderStream {
    return {
      write: (message) => {
        this.heard.push(message);
        return this.room;
      },
      close: () => {
        this.isOpen = false;
        this.#wake();
      },
      incoming: this.#incoming(),
    };
  }

  async *#incoming(): AsyncGenerator<FollowerMessage> {
    while (this.isOpen) {
      const message = this.#messages.shift();
      if (message !== undefined) yield message;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

describe('leader', () => {
  it('takes in who has all that is confirmed, and requires it', async () => {
    const { leader, clock, published, ...bench } = new Bench();
    assert.equal(bench.confirmLimit, Number.POSITIVE_INFINITY);
    const peer = new Peer(leader);
    peer.hello();
    peer.stores(1000n);
    await clock.advance(1);
    assert.deepEqual([published, leader.inSync], [[[0, 1]], [0, 1]]);
    leader.close();
  });

  it('ends a stream on which nobody says who it is', async () => {
    const { leader, clock } = new Bench();
    const peer = new Peer(leader);
    await clock.advance(REPLICATION_DEFAULTS.silenceMs - 1);
    assert.equal(peer.isOpen, true);
    await clock.advance(10);
    assert.equal(peer.isOpen, false);
    leader.close();
  });

  it('R5: closes the stream of who claims what it was not sent, whatever the numbers', async () => {
    for (const storedOffset of [1001n, 2n ** 63n - 1n, -1n, -(2n ** 63n)]) {
      const { leader, clock } = new Bench();
      const peer = new Peer(leader);
      peer.hello();
      peer.stores(storedOffset);
      await clock.advance(1);
      assert.equal(peer.isOpen, false);
      assert.deepEqual([peer.refusal?.reason, leader.inSync], [Reason.REASON_INVALID, [0]]);
      leader.close();
    }
  });

  it('R5: refuses who names epochs without end, and does not tell the log of it each time', async () => {
    const { leader, clock, warnings } = new Bench();
    const epochs = Array.from({ length: 250_000 }, (_, index) => ({ epoch: BigInt(index), physicalOffset: 0n }));
    for (let attempt = 0; attempt < 20; attempt++) {
      const peer = new Peer(leader);
      peer.hello({ epochs });
      await clock.advance(200);
      assert.deepEqual([peer.isOpen, peer.refusal?.reason], [false, Reason.REASON_INVALID]);
    }
    assert.deepEqual(warnings, ['a follower is refused']);
    leader.close();
  });

  it('keeps little for a follower that takes nothing of what it is sent', async () => {
    const { leader, clock } = new Bench();
    const peer = new Peer(leader);
    peer.room = new Promise(() => {});
    peer.hello({ endOffset: 0n, epochs: [], logId: '' });
    for (let answer = 0; answer < 300; answer++) {
      peer.stores(0n);
      await clock.advance(100);
    }
    assert.equal(peer.isOpen, true);
    assert(peer.heard.length <= 3, String(peer.heard.length));
    leader.close();
  });

  it('R3: takes a member out that comes back with less than it had', async () => {
    const { leader, clock, published } = new Bench();
    const before = new Peer(leader);
    before.hello();
    before.stores(1000n);
    await clock.advance(1);
    assert.deepEqual(leader.inSync, [0, 1]);
    const after = new Peer(leader);
    after.hello({ endOffset: 0n, epochs: [], logId: '' });
    await clock.advance(1);
    assert.deepEqual([published.at(-1), leader.inSync], [[0], [0]]);
    after.stores(1000n);
    await clock.advance(1);
    assert.deepEqual(leader.inSync, [0, 1]);
    leader.close();
  });

  it('lets a member that answers but stores nothing leave, and go on without it until it has caught up', async () => {
    const bench = new Bench();
    const { leader, clock, published } = bench;
    const peer = new Peer(leader);
    peer.hello();
    peer.stores(1000n);
    await clock.advance(1);
    assert.deepEqual(leader.inSync, [0, 1]);
    bench.endOffset = 1200;
    for (let answer = 0; answer < 100; answer++) {
      peer.stores(1000n);
      await clock.advance(100);
    }
    assert.deepEqual([published, leader.inSync, bench.confirmedOffset], [[[0, 1], [0]], [0], 1200]);
    bench.endOffset = 1300;
    peer.stores(1200n);
    await clock.advance(1);
    assert.deepEqual(leader.inSync, [0]);
    peer.stores(1300n);
    await clock.advance(1);
    assert.deepEqual(leader.inSync, [0, 1]);
    leader.close();
  });

  for (const [what, ends] of [
    ['before the last stream has ended', false],
    ['again and again, with a pause between', true],
  ] as const) {
    it(`lets a member leave that comes back ${what} and stores nothing`, async () => {
      const bench = new Bench();
      const { leader, clock } = bench;
      let peer = new Peer(leader);
      peer.hello();
      peer.stores(1000n);
      await clock.advance(1);
      assert.deepEqual(leader.inSync, [0, 1]);
      bench.endOffset = 1200;
      const { notCaughtUpMs, heartbeatIntervalMs } = REPLICATION_DEFAULTS;
      for (let passedMs = 0; passedMs <= notCaughtUpMs + 2 * heartbeatIntervalMs; passedMs += 220) {
        if (ends) peer.end();
        await clock.advance(200);
        peer = new Peer(leader);
        peer.hello();
        peer.stores(1000n);
        await clock.advance(20);
      }
      assert.deepEqual([leader.inSync, bench.confirmedOffset], [[0], 1200]);
      leader.close();
    });
  }

  it('counts nothing of a process that was replaced', async () => {
    const { leader, clock } = new Bench();
    const before = new Peer(leader);
    before.hello();
    await clock.advance(1);
    const after = new Peer(leader);
    after.hello();
    await clock.advance(1);
    before.stores(1000n);
    await clock.advance(1);
    assert.deepEqual([before.isOpen, leader.inSync], [false, [0]]);
    leader.close();
  });

  it('sends a copy that starts anew what there is, however far its log begins behind byte 0', async () => {
    const bench = new Bench({ startOffset: 500, windowBytes: 200 });
    const peer = new Peer(bench.leader);
    peer.hello({ logId: '', epochs: [], endOffset: 0n, epochSeen: 0n });
    await bench.clock.runUntil(() => peer.heard.some(({ records }) => records !== undefined), 1000);
    const { records } = peer.heard.find((message) => message.records !== undefined)!;
    assert.equal(records!.startOffset, 500n);
    bench.leader.close();
  });
});
