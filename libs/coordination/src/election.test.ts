import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Logger } from '@orbitmq/runtime';
import { SimClock } from '@orbitmq/testkit';
import { Election } from './election.ts';
import { type Acknowledgement, type LeaseStore, LeaseUnreachable } from './lease.ts';
import { MemoryLeases } from './memory-lease-store.ts';

const SILENT: Logger = { child: () => SILENT, debug() {}, info() {}, warn() {}, error() {} };
const TIMES = { durationMs: 3000, suspicionMs: 1000, marginMs: 300 };

/** A member whose link to the store can be cut, and that can be killed. */
class TestMember {
  readonly election: Election;
  readonly clock;
  readonly told: string[] = [];
  isCut = false;
  losesAnswers = false;
  heardMs: number | undefined;
  answeredMs: number | undefined;
  epoch = 0;
  hasState = true;

  constructor(world: World, member: number, acknowledge: Acknowledgement, mayCreate: boolean) {
    this.clock = world.clock.process();
    this.election = new Election({
      store: this.#cuttable(world.leases.connect()),
      clock: this.clock,
      logger: SILENT,
      times: TIMES,
      mayCreate: () => mayCreate,
      candidate: {
        member,
        acknowledge,
        replicationAddress: `m${member}:1`,
        logEpoch: () => this.epoch,
        hasState: () => this.hasState,
        mayLackStored: () => false,
        leaderHeardMs: () => this.heardMs,
        followersAnsweredMs: () => this.answeredMs,
      },
      events: {
        onLead: ({ epoch }) => {
          this.epoch = epoch;
          this.told.push(`lead ${epoch}`);
        },
        onFollow: ({ holder, epoch }) => this.told.push(`follow ${holder} ${epoch}`),
        onDeposed: () => this.told.push('deposed'),
      },
    });
    this.election.start();
  }

  kill(): void {
    this.clock.stop();
  }

  #cuttable(store: LeaseStore): LeaseStore {
    const check = (): void => {
      if (this.isCut) throw new LeaseUnreachable('cut');
    };
    return {
      read: async () => {
        check();
        return await store.read();
      },
      write: async (lease, expected) => {
        check();
        const written = await store.write(lease, expected);
        if (this.losesAnswers) throw new LeaseUnreachable('the answer was lost');
        return written;
      },
      close: () => {},
    };
  }
}

class World {
  readonly clock = new SimClock();
  readonly leases = new MemoryLeases();

  member(id: number, acknowledge: Acknowledgement = 'stored', mayCreate = id === 0): TestMember {
    return new TestMember(this, id, acknowledge, mayCreate);
  }

  get lease() {
    return this.leases.current?.lease;
  }
}

async function pair(acknowledge: Acknowledgement): Promise<{ world: World; one: TestMember; two: TestMember }> {
  const world = new World();
  const one = world.member(0, acknowledge);
  await world.clock.advance(10);
  const two = world.member(1, acknowledge);
  await world.clock.advance(10);
  two.heardMs = world.clock.monotonicMs();
  assert.equal(await world.clock.settle(one.election.changeInSync([0, 1])), true);
  return { world, one, two };
}

describe('election', () => {
  it('makes the lease of a new shard, and only there', async () => {
    const world = new World();
    const two = world.member(1);
    await world.clock.advance(5000);
    assert.equal(world.lease, undefined);
    assert.match(two.election.refusal ?? '', /no lease/);
    const one = world.member(0);
    await world.clock.advance(1000);
    assert.deepEqual(one.told, ['lead 1']);
    assert.deepEqual(two.told, ['follow 0 1']);
    assert.equal(one.election.guard(), true);
    assert.equal(two.election.guard(), false);
  });

  it('lets a new shard be begun again, until somebody has data', async () => {
    const world = new World();
    const first = world.member(0);
    first.hasState = false;
    await world.clock.advance(10);
    assert.deepEqual([first.told, world.lease?.inSync], [['lead 1'], []]);
    first.kill();
    const second = world.member(0);
    second.hasState = false;
    await world.clock.advance(1000);
    assert.deepEqual(second.told, ['lead 2']);
    assert.equal(await world.clock.settle(second.election.changeInSync([0])), true);
    second.kill();
    const emptied = world.member(0);
    emptied.hasState = false;
    await world.clock.advance(60_000);
    assert.deepEqual(emptied.told, []);
    assert.match(emptied.election.refusal ?? '', /copy is empty/);
  });

  it('lets a shard go on whose beginning was cut short', async () => {
    const world = new World();
    const first = world.member(0);
    await world.clock.advance(10);
    assert.deepEqual([first.told, world.lease?.inSync], [['lead 1'], []]);
    first.kill();
    // Its log has begun; the Lease does not say so.
    const other = world.member(1);
    const second = world.member(0, 'stored', false);
    await world.clock.advance(1000);
    assert.deepEqual([second.told, other.told], [['lead 2'], ['follow 0 1', 'follow 0 2']]);
  });

  it('looks at the store a few times a second at most, however often it is told to', async () => {
    const world = new World();
    const one = world.member(0);
    await world.clock.advance(1000);
    const before = Number(world.leases.current?.version);
    for (let poke = 0; poke < 10_000; poke++) {
      one.election.poke();
      await world.clock.advance(0.1);
    }
    const renewals = Number(world.leases.current?.version) - before;
    assert(renewals >= 10 && renewals <= 25, String(renewals));
  });

  it('keeps a leader that renews', async () => {
    const { world, one, two } = await pair('stored');
    for (let second = 0; second < 60; second++) {
      await world.clock.advance(1000);
      assert.equal(one.election.guard(), true);
    }
    assert.deepEqual(two.told, ['follow 0 1']);
  });

  it('replaces a dead leader when its lease has run out', async () => {
    const { world, one, two } = await pair('stored');
    one.kill();
    const diedMs = world.clock.monotonicMs();
    await world.clock.runUntil(() => two.told.includes('lead 2'));
    const tookMs = world.clock.monotonicMs() - diedMs;
    assert.ok(tookMs >= 2000 && tookMs <= 4000, `${tookMs} ms`);
    assert.deepEqual(world.lease?.inSync, [1]);
  });

  it('replaces it soon where answers need the in-sync set', async () => {
    const { world, one, two } = await pair('confirmed');
    one.kill();
    const diedMs = world.clock.monotonicMs();
    await world.clock.runUntil(() => two.told.includes('lead 2'));
    assert.ok(world.clock.monotonicMs() - diedMs <= 1600);
  });

  it('fences a lone leader that can not renew before another may lead', async () => {
    const { world, one, two } = await pair('stored');
    one.isCut = true;
    let fencedMs = Number.POSITIVE_INFINITY;
    await world.clock.runUntil(() => {
      if (!one.election.guard()) fencedMs = Math.min(fencedMs, world.clock.monotonicMs());
      return two.told.includes('lead 2');
    });
    assert.ok(fencedMs + 300 <= world.clock.monotonicMs(), `${fencedMs} < ${world.clock.monotonicMs()}`);
    one.isCut = false;
    await world.clock.advance(1000);
    assert.deepEqual(one.told, ['lead 1', 'deposed', 'follow 1 2']);
  });

  it('keeps a leader whose in-sync set answers while nobody reaches the store', async () => {
    const { world, one, two } = await pair('stored');
    one.isCut = two.isCut = true;
    for (let tick = 0; tick < 600; tick++) {
      await world.clock.advance(100);
      one.answeredMs = two.heardMs = world.clock.monotonicMs();
      assert.equal(one.election.guard(), true);
    }
    two.isCut = false;
    for (let tick = 0; tick < 100; tick++) {
      await world.clock.advance(100);
      one.answeredMs = two.heardMs = world.clock.monotonicMs();
    }
    assert.deepEqual(two.told, ['follow 0 1']);
  });

  it('deposes a leader that was paused, however its clock stood', async () => {
    const { world, one, two } = await pair('stored');
    one.kill();
    await world.clock.runUntil(() => two.told.includes('lead 2'));
    assert.equal(one.election.guard(), false);
  });

  it('hands over at once', async () => {
    const { world, one, two } = await pair('stored');
    assert.equal(await world.clock.settle(one.election.handOver(1)), true);
    assert.equal(one.election.guard(), false);
    two.election.poke();
    await world.clock.advance(1);
    assert.deepEqual(two.told.at(-1), 'lead 2');
    assert.equal(one.epoch, 1);
  });

  it('keeps a lead that nobody could take while the store is away', async () => {
    const { world, one } = await pair('stored');
    one.losesAnswers = true;
    assert.equal(await world.clock.settle(one.election.handOver(1)), false);
    assert.equal(one.election.guard(), true);
    assert.equal(world.lease?.holder, 0);
  });

  it('knows its own write whose answer was lost', async () => {
    const { world, one } = await pair('stored');
    one.losesAnswers = true;
    assert.equal(await world.clock.settle(one.election.changeInSync([0])), false);
    one.losesAnswers = false;
    await world.clock.advance(1500);
    assert.equal(one.election.guard(), true);
    assert.deepEqual(world.lease?.inSync, [0, 1]);
    assert.deepEqual(one.told, ['lead 1']);
  });

  it('takes a shard without regard to the in-sync set at an operator’s word', async () => {
    const { world, one } = await pair('stored');
    const three = world.member(2);
    one.kill();
    await world.clock.advance(100);
    assert.match(three.election.refusal ?? '', /in-sync/);
    assert.equal(await world.clock.settle(three.election.takeUncleanly()), true);
    assert.deepEqual(world.lease?.inSync, [2]);
    assert.deepEqual(three.told.at(-1), 'lead 2');
  });

  it('goes on after its log when the lease is younger', async () => {
    const world = new World();
    const one = world.member(0);
    one.epoch = 41;
    await world.clock.advance(10);
    assert.deepEqual(one.told, ['lead 42']);
  });
});
