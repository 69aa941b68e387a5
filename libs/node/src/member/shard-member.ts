import { MqError } from '@orbitmq/base';
import { Election } from '@orbitmq/coordination';
import {
  type CaughtUp,
  FollowerReplication,
  LeaderCatchUp,
  LeaderReplication,
  type SettlementSink,
  tooFewInSync,
} from '@orbitmq/replication';
import type { ActingShard, FollowerShard, OpenedShard } from '@orbitmq/shard';
import type { LeadOptions, ReplicatedLog } from '@orbitmq/storage';
import { CopyHost } from './copy-host.ts';
import { DeliveryHold } from './delivery-hold.ts';
import { type BegunHandOver, HandBack } from './hand-back.ts';
import type { ElectedRole, LeaderPlace, ShardMemberOptions, StaticRole, Tenure } from './member-options.ts';
import { type StandInRules, settlementFromWire } from './stand-in.ts';

type State =
  | { readonly kind: 'closed' }
  /** It is about to lead, and first gets what it may lack. */
  | { readonly kind: 'catching-up'; readonly shard: FollowerShard; readonly catchUp: LeaderCatchUp }
  | { readonly kind: 'follower'; readonly host: CopyHost; readonly replication: FollowerReplication }
  | { readonly kind: 'acting'; readonly acting: ActingShard; readonly isServing: boolean }
  | ({ readonly kind: 'leader' } & Tenure);

/** A static follower asks so often where its leader is while it has none. Milliseconds. */
const LOOK_UP_MS = 500;
const POLL_MS = 10;
/** A leader that starts asks for so long who stands in for it. Milliseconds. */
const ASK_MS = 1000;

/**
 * One member of a shard: follows, is promoted, leads, is deposed and follows again. Changes of role come one after the other;
 * only fencing happens at once.
 */
export class ShardMember {
  readonly #options: ShardMemberOptions;
  readonly #election: Election | undefined;
  #state: State = { kind: 'closed' };
  #changing: Promise<void> = Promise.resolve();
  #leader: LeaderPlace | undefined;
  #isComplete = false;
  /** In-sync set that the log has named last. */
  #inSyncTold = '';
  /** Members of the in-sync set that was kept last. */
  #inSyncKept = 0;
  /** Highest epoch that it has led or followed in this process. */
  #epochMax = 0;
  #stopping = false;
  #isLookingUp = false;
  #handingBack: HandBack | undefined;
  readonly #handBackTold = { text: '' };
  /** When a static leader was last followed, by the monotonic clock; at first, when this member started. */
  #leaderLostMs: number;

  constructor(options: ShardMemberOptions) {
    this.#options = options;
    this.#leaderLostMs = options.clock.monotonicMs();
    this.#election = options.role.kind === 'elected' ? this.#electionOf(options.role) : undefined;
  }

  get state(): State['kind'] {
    return this.#state.kind;
  }

  /** The tenure of this member; undefined while it does not lead. */
  get tenure(): Tenure | undefined {
    return this.#state.kind === 'leader' ? this.#state : undefined;
  }

  /** The copy of a follower; undefined while this member is none. Another object after each cut. */
  get copy(): FollowerShard | undefined {
    if (this.#state.kind === 'catching-up') return this.#state.shard;
    return this.#state.kind === 'follower' ? this.#state.host.shard : undefined;
  }

  /** The shard from which this member serves consumers in the place of its leader; undefined while it does not. */
  get acting(): ActingShard | undefined {
    return this.#state.kind === 'acting' && this.#state.isServing ? this.#state.acting : undefined;
  }

  /** The leader that this member follows, or itself. */
  get leader(): LeaderPlace | undefined {
    return this.#leader;
  }

  /** It leads, or has everything that its leader has confirmed and is one of those that may take over. */
  get isInSync(): boolean {
    const state = this.#state;
    if (state.kind === 'leader') return true;
    if (state.kind !== 'follower' || !state.replication.isInSync) return false;
    const { member } = this.#options.identity;
    return this.#election === undefined || this.#election.lease?.inSync.includes(member) === true;
  }

  /** Epoch that this member leads, or the newest that it knows of. */
  get epoch(): number {
    return this.#logEpoch();
  }

  get election(): Election | undefined {
    return this.#election;
  }

  /** Replication of the tenure, for the replication port. */
  get replication(): LeaderReplication | undefined {
    return this.#state.kind === 'leader' ? this.#state.replication : undefined;
  }

  /** Takes followers, for the replication port, while this member is about to lead. */
  get catchUp(): LeaderCatchUp | undefined {
    return this.#state.kind === 'catching-up' ? this.#state.catchUp : undefined;
  }

  /** Opens the data and takes the role that is meant for it. A member with an election follows at first. */
  start(): Promise<void> {
    return this.#change(async () => {
      const { role } = this.#options;
      if (role.kind === 'static' && role.isLeader) {
        const others = role.mayLackStored() ? await this.#formerlyInSync(role) : [];
        if (others.length > 0) await this.#beginCatchUp(role, others);
        else await this.#leadFirst(role);
        return;
      }
      await this.#follow();
      if (role.kind === 'static') this.#lookUpLeader(role);
      else this.#election?.start();
    });
  }

  /** Gives the lead up to a member that is in sync, if there is one; waits so long for it to lead, and goes on as its follower. */
  async giveUp(timeoutMs: number, pause: () => void): Promise<void> {
    if ((await this.handOver(undefined, timeoutMs, pause)) !== undefined) return;
    await this.#until(() => this.#leader !== undefined && this.#state.kind === 'follower', timeoutMs);
  }

  /** Closes all. What is led is led no longer, without anybody to take it. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#handingBack?.close();
    await this.#election?.stop();
    await this.#change(() => this.#leave());
    if (this.#options.role.kind === 'elected') this.#options.role.store.close();
  }

  /**
   * Hands the lead over to a member that is in sync.
   * @param heir undefined = any
   * @param pause makes new calls wait until somebody leads; what has begun is finished here
   * @returns why that was not possible; undefined when the other member may take it
   */
  async handOver(heir: number | undefined, timeoutMs: number, pause: () => void): Promise<string | undefined> {
    const { tenure } = this;
    if (tenure === undefined) return 'this member does not lead';
    if (this.#election === undefined) return 'roles are static (coordinator=none)';
    if (this.#election.isUnreachable) return 'the lease can not be reached now, so nobody could take it';
    const { shard, replication } = tenure;
    if (heir === this.#options.identity.member) return `member ${heir} leads already`;
    const target = heir ?? replication.inSync.find((member) => member !== this.#options.identity.member);
    if (target === undefined) return 'no other member is in sync';
    if (!(await replication.caughtUp(target, timeoutMs))) return `member ${target} is not in sync`;
    pause();
    const settled = Promise.withResolvers<void>();
    const patience = this.#options.clock.setTimer(timeoutMs, () => settled.resolve());
    shard.settled().then(settled.resolve, () => settled.resolve());
    await settled.promise;
    patience.cancel();
    const isReady = await replication.caughtUp(target, timeoutMs);
    if (isReady && (await this.#election.handOver(target))) return undefined;
    // Deposed meanwhile, it is about to follow.
    if (this.tenure === tenure && this.#election.epoch === tenure.epoch) this.#options.events.onLeading(tenure);
    return isReady ? 'the lease could not be handed over' : `member ${target} did not keep up`;
  }

  async #until(condition: () => boolean, timeoutMs: number): Promise<void> {
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + timeoutMs;
    while (!condition() && clock.monotonicMs() < endMs) {
      await new Promise<void>((resolve) => {
        clock.setTimer(POLL_MS, resolve);
      });
    }
  }

  #electionOf(role: ElectedRole): Election {
    const { clock, identity, acknowledge, replicationAddress, logger } = this.#options;
    return new Election({
      store: role.store,
      clock,
      logger: logger.child({ module: 'election' }),
      times: role.times,
      mayCreate: () =>
        this.#state.kind === 'follower' && role.mayCreate(this.#state.host.shard.replica.endOffset === 0),
      candidate: {
        member: identity.member,
        acknowledge,
        replicationAddress,
        logEpoch: () => this.#logEpoch(),
        hasState: () =>
          this.#state.kind === 'follower' && this.#state.host.shard.hasBase && !this.#state.replication.lacksConfirmed,
        mayLackStored: () => !this.#isComplete && role.mayLackStored(),
        leaderHeardMs: (epoch) =>
          this.#state.kind === 'follower' ? this.#state.replication.heardMs(epoch) : undefined,
        followersAnsweredMs: () => this.replication?.answeredMs(),
      },
      events: {
        onLead: ({ epoch }) => this.#changeLater(() => this.#promote(epoch)),
        onFollow: ({ holder, epoch, replicationAddress: address }) => {
          const target = holder === undefined ? undefined : address;
          this.#changeLater(async () => {
            if (this.#state.kind === 'follower') this.#state.replication.follow(target, epoch);
          });
        },
        onDeposed: (reason) => this.#deposed(reason),
      },
    });
  }

  #logEpoch(): number {
    const state = this.#state;
    this.#epochMax = Math.max(this.#epochMax, epochOf(state));
    return this.#epochMax;
  }

  /** One change of role after the other. @throws what `work` throws */
  #change(work: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(work);
    this.#changing = changed.catch(() => {});
    return changed;
  }

  /** A change that nobody waits for. */
  #changeLater(work: () => Promise<void>): void {
    this.#change(work).catch((error: Error) => {
      if (!this.#stopping) this.#options.onFatal(error);
    });
  }

  async #promote(epoch: number): Promise<void> {
    const election = this.#election!;
    if (this.#state.kind !== 'follower' || election.epoch !== epoch) return;
    const { host, replication } = this.#state;
    await replication.close();
    const guard = (): boolean => election.epoch === epoch && election.guard();
    const lead = { epoch, acknowledge: this.#options.acknowledge, guard };
    if (host.shard.hasBase) {
      const shard = await this.#promoted(host, lead);
      if (shard === undefined) return;
      await this.#lead(shard);
    } else {
      await this.#lead(await this.#begin(host, lead));
    }
    // Deposed while it was promoted: nobody was there to be fenced.
    if (election.epoch !== epoch) this.#deposed('it was deposed while it was promoted');
  }

  /** @returns undefined when it was deposed on the way, and follows again */
  async #promoted(
    { shard }: CopyHost,
    lead: LeadOptions & { readonly epoch: number },
  ): Promise<OpenedShard | undefined> {
    try {
      return await shard.promote(lead);
    } catch (error) {
      if (!(error instanceof MqError) || this.#election?.epoch === lead.epoch) throw error;
      this.#options.logger.warn({ err: error, epoch: lead.epoch }, 'this member was deposed while it was promoted');
      await shard.close();
      this.#state = { kind: 'closed' };
      if (!this.#stopping) await this.#follow();
      return undefined;
    }
  }

  /** Others that had all that was confirmed when this leader ran last. */
  async #formerlyInSync(role: StaticRole): Promise<number[]> {
    return (await role.inSync.read()).filter((member) => member !== this.#options.identity.member);
  }

  /** Gets what this leader may have lost with its machine, and leads then. */
  async #beginCatchUp({ catchUpMs }: StaticRole, members: readonly number[]): Promise<void> {
    const { identity, files, clock, replication: settings } = this.#options;
    const logger = this.#options.logger.child({ module: 'replication' });
    const shard = await files.openFollower();
    const { cluster, member } = identity;
    const facts = { cluster, shard: identity.shard, member, copy: shard, members, waitMs: catchUpMs };
    const catchUp = new LeaderCatchUp({ ...facts, clock, logger, settings });
    this.#state = { kind: 'catching-up', shard, catchUp };
    logger.warn(
      { members, waitMs: catchUpMs, endOffset: shard.replica.endOffset },
      'the machine of this master went down: before it leads it waits for a slave that may have more',
    );
    void catchUp.ended.then((how) => {
      if (how !== undefined) this.#changeLater(() => this.#leadCaughtUp(shard, how));
    });
  }

  async #leadCaughtUp(shard: FollowerShard, { epochSeen, isComplete }: CaughtUp): Promise<void> {
    const { logger, role } = this.#options;
    if (this.#state.kind !== 'catching-up' || this.#stopping) return;
    if (!isComplete) {
      logger.error(
        { endOffset: shard.replica.endOffset },
        'no slave that was in sync has come: this master leads with what it has, and acknowledged messages may be missing',
      );
    }
    this.#state = { kind: 'closed' };
    await shard.close();
    if (role.kind === 'static') await this.#leadFirst(role, epochSeen);
  }

  /** Makes the in-sync set known, where others go by it. @returns false when it is not known whether they can */
  async #publish(members: readonly number[], log: ReplicatedLog): Promise<boolean> {
    const { role } = this.#options;
    if (role.kind === 'elected') return await this.#election!.changeInSync(members);
    // Whoever leaves may be the only one that has what was not fsynced here.
    if (members.length < this.#inSyncKept && !(await isFlushed(log))) return false;
    if (!(await role.inSync.write(members))) return false;
    this.#inSyncKept = members.length;
    return true;
  }

  /** Begins the log of a shard of which nobody has data, or of which an operator has given them up. */
  async #begin(host: CopyHost, lead: LeadOptions): Promise<OpenedShard> {
    const { files } = this.#options;
    const { endOffset } = host.shard.replica;
    await host.shard.close();
    if (endOffset > 0) await files.wipe();
    return await files.openLeader(lead);
  }

  /** @param epochAbove epoch that somebody else has seen */
  async #leadFirst(role: StaticRole, epochAbove = 0): Promise<void> {
    const { clock, files, acknowledge, logger } = this.#options;
    const members = await this.#actingMembers(role);
    if (members.length > 0) logger.info({ members }, 'consumers wait until slaves have handed over what they settled');
    const shard = await files.openLeader({ acknowledge, epochAbove }, { holdsDeadLetters: members.length > 0 });
    const hold = new DeliveryHold(members, clock);
    void hold.released.then(() => shard.releaseDeadLetters());
    await this.#lead(shard, hold);
  }

  /** A leader does not wait for those who may not be there. */
  async #actingMembers({ actingMembers }: StaticRole): Promise<readonly number[]> {
    if (actingMembers === undefined) return [];
    const unknown = Promise.withResolvers<readonly number[]>();
    const patience = this.#options.clock.setTimer(ASK_MS, () => unknown.resolve([]));
    const members = await Promise.race([actingMembers(), unknown.promise]);
    patience.cancel();
    return members;
  }

  async #lead(shard: OpenedShard, hold = new DeliveryHold([], this.#options.clock)): Promise<void> {
    const { identity, clientAddress, clock, logger, replication: settings, events, inSyncMin } = this.#options;
    const election = this.#election;
    const replication = new LeaderReplication({
      cluster: identity.cluster,
      shard: identity.shard,
      member: identity.member,
      clientAddress,
      log: shard.replica,
      clock,
      logger: logger.child({ module: 'replication' }),
      settings,
      publish: (members) => this.#publish(members, shard.replica),
      onNewerEpoch: () => election?.poke(),
      onInSyncChange: (members) => this.#tellInSync(members),
      ...(election === undefined ? { settlements: sinkOf(shard, hold) } : {}),
    });
    this.#inSyncTold = '';
    this.#tellInSync(replication.inSync);
    const tenure: Tenure = { shard, replication, epoch: shard.epoch, hold };
    shard.limitBy({
      refusal: () =>
        replication.inSync.length < inSyncMin ? tooFewInSync(identity.shard, replication.inSync, inSyncMin) : undefined,
      settleMs: this.#options.settleMs,
    });
    shard.useCopies(replication.copies);
    this.#state = { kind: 'leader', ...tenure };
    this.#complete();
    // The Lease of a new shard says from here on that somebody has data.
    if (election?.lease?.inSync.length === 0) await election.changeInSync([identity.member]);
    this.#know({ member: identity.member, epoch: tenure.epoch, clientAddress });
    events.onLeading(tenure);
  }

  #tellInSync(members: readonly number[]): void {
    const { logger, inSyncMin } = this.#options;
    const text = members.join();
    if (text === this.#inSyncTold) return;
    this.#inSyncTold = text;
    if (members.length >= inSyncMin) logger.info({ inSync: members }, 'the in-sync set is now');
    else
      logger.warn({ inSync: members, minInSyncReplicas: inSyncMin }, 'sends are refused: too few copies are in sync');
  }

  /** Nothing more is acknowledged from here on; the rest may take its time. */
  #deposed(reason: string): void {
    if (this.#state.kind === 'leader') {
      const { shard, epoch } = this.#state;
      shard.replica.fence(
        new MqError(
          'HA_NOT_AVAILABLE',
          `broker ${this.#options.identity.shard} is changing its master, nothing was stored: try again`,
          { details: { epoch, reason } },
        ),
      );
    }
    this.#changeLater(async () => {
      if (this.#state.kind !== 'leader' || this.#stopping) return;
      await this.#leave();
      await this.#follow();
    });
  }

  async #leave(): Promise<void> {
    const state = this.#state;
    this.#logEpoch();
    this.#know(undefined);
    if (state.kind === 'leader') {
      state.replication.close();
      state.hold.release();
      this.#options.events.onLeadingEnds();
      await state.shard.close();
    } else if (state.kind === 'catching-up') {
      state.catchUp.close();
      await state.shard.close();
    } else if (state.kind === 'follower') {
      await state.replication.close();
      await state.host.shard.close();
    } else if (state.kind === 'acting') {
      if (state.isServing) this.#options.events.onActingEnds?.();
      await state.acting.close();
    }
    this.#state = { kind: 'closed' };
  }

  async #follow(): Promise<void> {
    const { identity, clock, logger, replication: settings, files, mayLoseConfirmed, connect, role } = this.#options;
    let copy = await files.openFollower();
    if (await files.hasBranch(copy)) {
      await copy.close();
      if (role.kind === 'static' && role.standIn !== undefined) {
        this.#state = { kind: 'acting', acting: await files.openActing(0), isServing: false };
        return;
      }
      logger.warn(
        { roles: role.kind },
        'what consumers settled at this slave while it stood in for its master is given up: they get it again',
      );
      await files.cutBranch();
      copy = await files.openFollower();
    }
    const rules = { mayLoseConfirmed, isStatic: role.kind === 'static' };
    const host = new CopyHost(files, copy, rules, {
      logger,
      onOpened: (copy) => this.#options.events.onFollowing(copy),
      onFatal: (error) => this.#options.onFatal(error),
    });
    const replication = new FollowerReplication({
      identity,
      host,
      clock,
      logger: logger.child({ module: 'replication' }),
      settings,
      connect,
      onAccepted: (leader) => {
        this.#know(leader);
      },
      onCaughtUp: () => this.#complete(),
      onLost: () => {
        if (this.#leader !== undefined) this.#leaderLostMs = clock.monotonicMs();
        this.#know(undefined);
        this.#election?.poke();
        if (this.#options.role.kind === 'static') this.#lookUpLeader(this.#options.role);
      },
    });
    this.#state = { kind: 'follower', host, replication };
    this.#options.events.onFollowing(host.shard);
    const lease = this.#election?.lease;
    if (lease?.holder !== undefined && lease.holder !== identity.member) {
      replication.follow(lease.replicationAddress, lease.epoch);
    }
    this.#election?.poke();
  }

  /** Asks where the leader is until it is followed; once at a time, however often its stream ends. */
  #lookUpLeader(role: StaticRole): void {
    if (this.#isLookingUp) return;
    this.#isLookingUp = true;
    const again = (): void => {
      this.#options.clock.setTimer(LOOK_UP_MS, ask);
    };
    const ask = (): void => {
      this.#isLookingUp = !this.#stopping && this.#lacksLeader;
      if (!this.#isLookingUp) return;
      role
        .leaderAddress()
        .then((address) => this.#lookedUp(role, address))
        .then(again, again);
    };
    ask();
  }

  get #lacksLeader(): boolean {
    const state = this.#state;
    return state.kind !== 'leader' && !(state.kind === 'follower' && state.replication.isFollowing);
  }

  async #lookedUp({ standIn }: StaticRole, address: string | undefined): Promise<void> {
    const state = this.#state;
    if (this.#stopping) return;
    if (address !== undefined) this.#followAt(address);
    if (standIn === undefined) return;
    if (state.kind === 'acting' && address !== undefined) await this.#handBack(standIn, address);
    await this.#considerActing(standIn);
  }

  #followAt(address: string): void {
    if (this.#state.kind === 'follower') this.#state.replication.follow(address);
  }

  /** Begins to stand in for the leader when that has been away for long enough. */
  async #considerActing({ delayMs, isLeaderAway }: StandInRules): Promise<void> {
    const isDue = (): boolean => {
      const { clock } = this.#options;
      if (delayMs === undefined || clock.monotonicMs() - this.#leaderLostMs < delayMs) return false;
      const state = this.#state;
      if (state.kind === 'acting') return !state.isServing;
      return state.kind === 'follower' && !state.replication.isFollowing && state.host.shard.hasBase;
    };
    if (!isDue() || !(await isLeaderAway())) return;
    this.#changeLater(async () => {
      if (isDue() && !this.#stopping) await this.#act();
    });
  }

  async #act(): Promise<void> {
    const { events, logger } = this.#options;
    let state = this.#state;
    if (state.kind === 'follower') {
      const { host, replication } = state;
      const { appliedOffset, replica } = host.shard;
      await replication.close();
      await host.shard.close();
      this.#state = { kind: 'closed' };
      const confirmedOffset = Math.max(appliedOffset, replica.confirmedOffset);
      const acting = await this.#openActing(confirmedOffset);
      if (acting === undefined) return;
      state = { kind: 'acting', acting, isServing: false };
    }
    if (state.kind !== 'acting') return;
    const { acting } = state;
    this.#state = { kind: 'acting', acting, isServing: true };
    logger.warn(
      { endOffset: acting.leadersPart.endOffset, epoch: acting.leadersPart.epoch },
      'the master is away: this slave serves consumers until it is back, and refuses sends',
    );
    events.onActing?.(acting.shard);
  }

  /** @returns undefined when the copy has nothing to serve from: it waits for its leader again */
  async #openActing(confirmedOffset: number): Promise<ActingShard | undefined> {
    try {
      return await this.#options.files.openActing(confirmedOffset);
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      this.#options.logger.warn({ err: error }, 'this slave can not stand in for its master');
    }
    this.#leaderLostMs = this.#options.clock.monotonicMs();
    await this.#follow();
    return undefined;
  }

  /** Hands over to the leader what was settled in its place, and follows it, if it is there. */
  async #handBack(standIn: StandInRules, address: string): Promise<void> {
    if (this.#state.kind !== 'acting') return;
    const { identity, clock, logger, connect, replication: settings } = this.#options;
    const { acting } = this.#state;
    const handBack = new HandBack({ identity, clock, logger, settings, connect, standIn, told: this.#handBackTold });
    this.#handingBack = handBack;
    try {
      const begun = await handBack.begin(address, acting, this.#logEpoch());
      if (begun !== undefined) await this.#change(() => this.#settleAndFollow(acting, begun, address));
    } catch (error) {
      if (!this.#stopping) this.#options.onFatal(error as Error);
    } finally {
      handBack.close();
      this.#handingBack = undefined;
    }
  }

  async #settleAndFollow(acting: ActingShard, begun: BegunHandOver, address: string): Promise<void> {
    const { files, events, clock } = this.#options;
    const state = this.#state;
    if (state.kind !== 'acting' || state.acting !== acting || this.#stopping) return;
    this.#state = { kind: 'acting', acting, isServing: false };
    if (state.isServing) events.onActingEnds?.();
    const isDone = await begun.finish();
    // It was heard: only when it stays away from now on it is away.
    this.#leaderLostMs = clock.monotonicMs();
    this.#state = { kind: 'closed' };
    await acting.close();
    if (isDone) {
      await files.cutBranch();
      await this.#follow();
      this.#followAt(address);
      return;
    }
    // The branch is still there: it is opened again, and serves when the master stays away.
    this.#state = { kind: 'acting', acting: await files.openActing(0), isServing: false };
  }

  #complete(): void {
    const { role } = this.#options;
    if (this.#isComplete) return;
    this.#isComplete = true;
    role.onComplete();
  }

  #know(leader: LeaderPlace | undefined): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    this.#options.events.onLeaderKnown(leader);
  }
}

/** Of a branch the epoch is nobody else's business. */
function epochOf(state: State): number {
  switch (state.kind) {
    case 'leader':
      return state.epoch;
    case 'follower':
      return state.replication.epochSeen;
    case 'acting':
      return state.acting.leadersPart.epoch;
    default:
      return 0;
  }
}

function sinkOf(shard: OpenedShard, hold: DeliveryHold): SettlementSink {
  return {
    take: (settlement, ownFrom) => void shard.takeSettlement(settlementFromWire(settlement), ownFrom),
    settled: () => shard.settled(),
    onStandIn: (member, isComplete) => hold.onStandIn(member, isComplete),
  };
}

/** @returns false when the log has failed, or is closed: whoever must know does */
function isFlushed(log: ReplicatedLog): Promise<boolean> {
  return log.flush(log.confirmedOffset).then(
    () => true,
    () => false,
  );
}
